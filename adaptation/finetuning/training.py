"""A training run: a Trainer of transformers or TRL, with what makes it go right by itself.

Importing this imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer
from transformers.trainer_utils import get_last_checkpoint

from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.watching import Point, Progress, Watcher
from kernel.chat.language_model import choose_dtype
from retrieval.errors import TekioError, UsageError, first_line

_EVALUATIONS = 8
"""How often the held-out loss is computed in a training."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long a training goes.

    Attributes:
        steps: of the optimiser.
        accumulation: batches of a process that make a step.
        rate: of learning, at its highest.
        tokens: that are learned from in all, those that stand once for several rows counted for each.
        saved: of them, those that were computed with others.
        held: whether there are held-out rows to stop by.
    """

    steps: int
    accumulation: int
    rate: float
    tokens: int
    saved: int = 0
    held: bool = False

    @property
    def every(self) -> int:
        """Steps between two evaluations."""
        return max(1, self.steps // _EVALUATIONS)


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to. Losses are means over learned tokens, in nats; `tokens` are those of the rows read."""

    steps: int
    seconds: float
    tokens: int
    saved: int
    loss: float
    held_out_before: float | None
    held_out: float | None
    points: list[Point]
    parameters: int
    all_parameters: int
    rate: float
    stopped_early: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as a card of the lab has it: its points as `curve`, without what they do not tell."""
        curve = [point.model_dump(exclude_none=True) for point in self.points]
        return asdict(replace(self, points=[])) | {"curve": curve}


class OrderedTrainer(Trainer):
    """A Trainer that takes its batches in their order, which a seed has drawn, so that a resumed run goes on alike."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        from torch.utils.data import SequentialSampler

        return SequentialSampler(self.train_dataset)  # type: ignore[arg-type]


def last_checkpoint(work: Path) -> str | None:
    """Return the last checkpoint in a folder of a training, which need not be there; None where there is none."""
    found: str | None = get_last_checkpoint(str(work)) if work.is_dir() else None  # type: ignore[no-untyped-call]
    return found


def trainer_arguments(work: Path, recipe: Recipe, schedule: Schedule) -> dict[str, Any]:
    """Return what transformers' `TrainingArguments` takes, and TRL's as well."""
    on_cuda = torch.cuda.is_available()
    half = choose_dtype("auto", "cuda" if on_cuda else "cpu")
    held, every = schedule.held, schedule.every
    return {
        "output_dir": str(work),
        "max_steps": schedule.steps,
        "learning_rate": schedule.rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": int(recipe.warm_up * schedule.steps),  # in the first of them nothing is learned
        "weight_decay": recipe.decay,
        "max_grad_norm": recipe.clip,
        "seed": recipe.seed,
        "per_device_train_batch_size": 1,
        "per_device_eval_batch_size": 1,
        "gradient_accumulation_steps": schedule.accumulation,
        "gradient_checkpointing": recipe.checkpointing,
        "bf16": half is torch.bfloat16,
        "fp16": half is torch.float16,
        "use_cpu": not on_cuda,
        "eval_strategy": "steps" if held else "no",
        "eval_steps": every,
        "prediction_loss_only": True,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": held,
        "metric_for_best_model": "eval_loss" if held else None,
        "greater_is_better": False if held else None,
        "logging_strategy": "steps",
        "logging_steps": max(1, every // 4),
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
    }


def watch(trainer: Trainer, recipe: Recipe, schedule: Schedule, show: Callable[[Progress], None]) -> Watcher:
    """Have a trainer watched, and stopped where its held-out loss falls no further."""
    watcher = Watcher(show, tokens_a_step=schedule.tokens / max(1, schedule.steps))
    trainer.add_callback(watcher)
    if schedule.held:
        trainer.add_callback(EarlyStoppingCallback(recipe.patience))
    trainer.remove_callback(PrinterCallback)  # it prints on standard output
    return watcher


def run(
    trainer: Trainer,
    recipe: Recipe,
    schedule: Schedule,
    *,
    resume: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Train a trainer's model in place; at the end it has the weights of its lowest held-out loss.

    Args:
        trainer: with its model and rows; its folder of checkpoints is of this training alone.
        recipe: how.
        schedule: how long.
        resume: go on from the last checkpoint.
        show: is told how far it is.

    Raises:
        TekioError: the loss was no number, memory ran out, or the disk is full; the last checkpoint is kept.
        UsageError: there is nothing to resume.
    """
    work, rate = Path(str(trainer.args.output_dir)), schedule.rate
    watcher = watch(trainer, recipe, schedule, show)
    model: Any = trainer.model
    last = last_checkpoint(work) if resume else None
    if resume and last is None:
        raise UsageError(f"there is no checkpoint in {work} to go on from: train without --resume")
    first = _weights(model)
    try:
        before = float(trainer.evaluate()["eval_loss"]) if schedule.held and last is None else None
        result = trainer.train(resume_from_checkpoint=last)
    except SafetensorError as error:  # of the writer of weights, which raises nothing else
        raise TekioError(_not_written(work, str(error))) from error
    except OSError as error:
        raise TekioError(_not_written(work, error.strerror or str(error))) from error
    except (RuntimeError, MemoryError) as error:
        if "PytorchStreamWriter" in str(error):  # torch's writer, of the optimiser's state
            raise TekioError(_not_written(work, "the file could not be written whole")) from error
        raise TekioError(_cause(error, work)) from error
    if watcher.broken:
        raise TekioError(
            f"training was stopped, since {watcher.broken}; the last whole checkpoint is in {work}: try a lower --rate "
            f"than {rate:g}, or look for rows that are no text"
        )
    if last is None and _weights(model) == first:
        raise TekioError(
            "nothing was learned that lowers the held-out loss, so no adapter is written: give more --steps or "
            f"--epochs, or another --rate than {rate:g} (--find-lr finds one); the checkpoints are in {work}"
        )
    points = sorted(watcher.points, key=lambda point: point.step)
    best = min(
        (point.held_out for point in points if point.step and point.held_out is not None), default=None
    )
    done = trainer.state.global_step
    return Trained(
        steps=done,
        seconds=float(result.metrics.get("train_runtime", 0.0)),
        tokens=schedule.tokens,
        saved=schedule.saved,
        loss=float(result.training_loss),
        held_out_before=before,
        held_out=best,
        points=points,
        parameters=sum(each.numel() for each in model.parameters() if each.requires_grad),
        all_parameters=sum(each.numel() for each in model.parameters()),
        rate=rate,
        stopped_early=done < schedule.steps,
    )


def _weights(model: Any) -> list[float]:
    """Return what tells the learned weights from others: the sum of each tensor's values, about."""
    with torch.no_grad():
        return [
            round(float(weight.detach().double().sum()), 6)
            for weight in model.parameters()
            if weight.requires_grad
        ]


def _not_written(work: Path, why: str) -> str:
    return f"a checkpoint could not be written to {work} ({why}): free some space and add --resume"


def _cause(error: Exception, work: Path) -> str:
    said = first_line(error)
    if isinstance(error, MemoryError) or "out of memory" in said.lower() or "can't allocate" in said.lower():
        return (
            f"memory ran out while training ({said}): use a smaller --pack, or --checkpointing, and --resume to go on "
            f"from {work}"
        )
    return f"training failed ({said}); what was reached is kept in {work}"
