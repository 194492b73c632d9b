"""A mixture in training: transformers' Trainer, with what its gates are held to added to the loss.

Importing this imports torch and transformers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import PreTrainedModel, PrinterCallback, TrainingArguments

from adaptation.finetuning.training import OrderedTrainer
from adaptation.finetuning.watching import Point, Watcher, in_lines, signs_of_overtraining
from adaptation.lab.experts.gates import TrainedGates
from adaptation.lab.experts.recipe import ExpertRecipe
from retrieval.errors import TekioError, first_line

_EVALUATIONS = 8
"""How often the held-out loss is computed in a training, and a checkpoint is written."""
_MOST_HELD_OUT = 32
"""Held-out windows whose loss is watched, at most."""
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_WATCHED = ("balance", "router_z", "load_entropy", "dropped")


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to; losses are in nats a token, with what the gates are held to."""

    loss: float
    seconds: float
    tokens: int
    curve: list[dict[str, float]]
    notices: list[str]


class ExpertTrainer(OrderedTrainer):
    """A Trainer of windows that holds gates to their losses."""

    def __init__(self, *args: Any, gates: TrainedGates, **kwargs: Any) -> None:
        """Make it; `gates` are those of its model, none of a dense one."""
        super().__init__(*args, **kwargs)
        self._gates = gates

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of windows, and in training what the gates are held to."""
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        added = self._gates.added() if model.training else None
        if added is None:
            return found
        loss: Any
        loss, outputs = found if return_outputs else (found, None)
        # A loss that is a share of a step's already is not divided again by the batches of the step.
        shared = self.model_accepts_loss_kwargs and num_items_in_batch is not None
        loss = loss + added / (self.current_gradient_accumulation_steps if shared else 1)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log what the gates came to as well."""
        super().log(logs | self._gates.means() if "loss" in logs else logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write a checkpoint under the names that it is read by: a mixture's own files name its experts one by one."""
        if not isinstance(self.model, PreTrainedModel):
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            folder = str(output_dir or self.args.output_dir)
            self.model.save_pretrained(folder, state_dict=state_dict, save_original_format=False)


def train(
    model: Any,
    learned: Sequence[Sequence[int]],
    held_out: Sequence[Sequence[int]],
    recipe: ExpertRecipe,
    work: Path,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Train a model in place, from the last whole checkpoint where there is one.

    Args:
        model: a mixture with training gates, LoRA experts over a base, or a dense model to hold them against.
        learned: a window for each row of each step, in their order.
        held_out: windows whose loss is watched.
        recipe: how.
        work: folder of the checkpoints of this training alone.
        say: is told how far it is.

    Raises:
        TekioError: the loss was no number, memory ran out, or the disk is full; the last checkpoint is kept.
    """
    gates = TrainedGates(model, recipe)
    trainer = ExpertTrainer(
        model=model,
        args=TrainingArguments(**_arguments(work, recipe)),
        train_dataset=list(learned),
        eval_dataset=list(held_out[:_MOST_HELD_OUT]),
        data_collator=collate,
        gates=gates,
    )
    tokens = len(learned) * recipe.window
    watcher = Watcher(in_lines(say), tokens_a_step=tokens / recipe.steps)
    trainer.add_callback(watcher)
    trainer.remove_callback(PrinterCallback)  # it prints on standard output
    try:
        result = trainer.train(resume_from_checkpoint=last_whole_checkpoint(work))
    except (SafetensorError, OSError) as error:
        why = getattr(error, "strerror", None) or first_line(error)
        raise TekioError(
            f"a checkpoint could not be written to {work} ({why}): free some space and add --resume"
        ) from error
    except (RuntimeError, MemoryError) as error:
        raise TekioError(
            f"training failed ({first_line(error)}); what was reached is kept in {work}: where memory ran out, give a "
            "smaller --together or --window"
        ) from error
    if watcher.broken:
        raise TekioError(
            f"training was stopped, since {watcher.broken}; the last whole checkpoint is in {work}: try a lower --rate "
            f"than {recipe.highest_rate:g}, or a higher --router-z"
        )
    curve = curve_of(trainer.state.log_history)
    points = [Point(step=int(each["step"]), **_losses(each)) for each in curve]
    return Trained(
        loss=float(result.training_loss),
        seconds=float(result.metrics.get("train_runtime", 0.0)),
        tokens=tokens,
        curve=curve,
        notices=signs_of_overtraining(points),
    )


def collate(windows: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
    """Return windows of one length as a model's inputs, all their tokens but the first to be learned."""
    ids = torch.tensor([list(window) for window in windows], dtype=torch.long)
    return {"input_ids": ids, "labels": ids.clone()}


def curve_of(history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Return the points of a trainer's history: losses, and what the gates came to, by step."""
    points = []
    for logged in history:
        names = {"loss": "loss", "eval_loss": "held_out"} | {name: name for name in _WATCHED}
        found = {name: float(logged[key]) for key, name in names.items() if key in logged}
        if "loss" in found or "held_out" in found:
            points.append({"step": float(logged["step"])} | found)
    return points


def last_whole_checkpoint(work: Path) -> str | None:
    """Return the last checkpoint that was written to its end; the state of the trainer is the last that is written."""
    found = []
    for path in work.glob("checkpoint-*"):
        number = _CHECKPOINT.fullmatch(path.name)
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if number:
            found.append((int(number[1]), str(path)))
    return max(found)[1] if found else None


def _losses(point: dict[str, float]) -> dict[str, float]:
    return {name: point[name] for name in ("loss", "held_out") if name in point}


def _arguments(work: Path, recipe: ExpertRecipe) -> dict[str, Any]:
    on_cuda = torch.cuda.is_available()
    rows = max(1, recipe.rows // int(os.environ.get("WORLD_SIZE", "1")))
    together = min(recipe.together, rows)
    every = max(1, recipe.steps // _EVALUATIONS)
    return {
        "output_dir": str(work),
        "max_steps": recipe.steps,
        "learning_rate": recipe.highest_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": int(recipe.warm_up * recipe.steps),
        "weight_decay": recipe.decay,
        "max_grad_norm": recipe.clip,
        "seed": recipe.seed,
        "per_device_train_batch_size": together,
        "per_device_eval_batch_size": 1,
        "gradient_accumulation_steps": max(1, rows // together),
        "bf16": on_cuda and torch.cuda.is_bf16_supported(),
        "use_cpu": not on_cuda,
        "eval_strategy": "steps",
        "eval_steps": every,
        "prediction_loss_only": True,
        "label_names": ["labels"],  # which the Trainer does not find within an adapter
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 2,
        "logging_strategy": "steps",
        "logging_steps": max(1, every // 4),
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
    }
