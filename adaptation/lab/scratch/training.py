"""A training from scratch by transformers' Trainer; under `accelerate launch`, by DDP, FSDP or DeepSpeed.

Importing this imports torch and transformers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Trainer, TrainingArguments, set_seed

from adaptation.finetuning.methods import layers_of
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import Schedule, Trained, run, trainer_arguments
from adaptation.finetuning.watching import Progress
from adaptation.lab.scratch.architectures import Shape, config_of, empty_model, loaded
from adaptation.lab.scratch.collating import Collator, Windows, scored
from adaptation.lab.scratch.optimising import BETA, MuonAndAdamW
from adaptation.lab.scratch.recipe import Architecture, Kind, Training
from adaptation.lab.scratch.windows import Window

_NEVER = 1_000_000
_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_PROCESSES = "WORLD_SIZE"


@dataclass(frozen=True, slots=True)
class Material:
    """What a training learns from and is watched by.

    Attributes:
        learned: windows that are learned.
        held_out: windows whose loss is watched; none leaves out stopping and the choice of the best weights.
        collator: of the architecture.
        kind: of architecture.
    """

    learned: Sequence[Window]
    held_out: Sequence[Window]
    collator: Collator
    kind: Kind


class ScratchTrainer(Trainer):
    """Judges held-out windows plainly, by the same masks each time, however it learns."""

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Leave labels sharp where nothing is learned, so that losses can be held against each other."""
        smoother = self.label_smoother
        try:
            if not model.training:
                self.label_smoother = None
            return super().compute_loss(model, inputs, *args, **kwargs)
        finally:
            self.label_smoother = smoother

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Draw the masks of an encoder from a seed, and leave what is drawn in training as it was."""
        with torch.random.fork_rng():
            torch.manual_seed(self.args.seed)
            return super().evaluate(*args, **kwargs)


def optimiser_of(model: nn.Module, training: Training) -> MuonAndAdamW | None:
    """Return the optimiser that a Trainer is given; nothing where it makes AdamW itself."""
    return MuonAndAdamW(model, training) if training.optimiser == "muon" else None


def new_model(architecture: Architecture, shape: Shape, vocabulary: int, training: Training) -> Any:
    """Return a model that has learned nothing, drawn by the seed."""
    config = config_of(
        architecture.kind,
        shape,
        vocabulary=vocabulary,
        positions=architecture.positions,
        seen=training.window * (2 if architecture.retrieval else 1),
        dropout=training.dropout,
    )
    set_seed(training.seed)
    model = empty_model(architecture.kind, config)
    model.config.use_cache = False
    return with_dropout(model, training.dropout) if architecture.kind == "decoder" else model


def with_dropout(model: Any, share: float) -> Any:
    """Have a decoder leave out values of what its layers add while it learns; its weights and file stay as they are."""

    def leave_out(module: nn.Module, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):
            return (nn.functional.dropout(output[0], share), *output[1:])
        return nn.functional.dropout(output, share)

    if share:
        for layer in layers_of(model):
            layer.self_attn.register_forward_hook(leave_out)
            layer.mlp.register_forward_hook(leave_out)
    return model


def schedule_of(training: Training, windows: Sequence[Window], kind: Kind, *, held: bool) -> Schedule:
    """Return how long a training over windows goes."""
    steps = training.steps or max(1, round(training.epochs * len(windows) / training.batch))
    each = len(scored(kind, windows[0]))
    return Schedule(
        steps=steps,
        accumulation=training.accumulation,
        rate=training.rate,
        tokens=steps * training.batch * each,
        held=held,
    )


def arguments_of(training: Training, schedule: Schedule, work: Path) -> dict[str, Any]:
    """Return what transformers' `TrainingArguments` takes."""
    recipe = recipe_of(training)
    processes = int(os.environ.get(_PROCESSES, "1"))
    each = max(1, training.batch // (processes * training.accumulation))
    found = trainer_arguments(work, recipe, schedule) | {
        "per_device_train_batch_size": each,
        "per_device_eval_batch_size": each,
        "lr_scheduler_type": _SCHEDULES[training.schedule],
        "adam_beta2": BETA,
        "label_smoothing_factor": training.smoothing,
    }
    if training.fsdp:
        found["fsdp"] = training.fsdp
    if training.deepspeed is not None:
        found["deepspeed"] = str(training.deepspeed)
    return found


def recipe_of(training: Training) -> Recipe:
    """Return the numbers that trainings from scratch have in common with others."""
    return Recipe(
        method="full",
        warm_up=training.warm_up,
        decay=training.decay,
        clip=training.clip,
        patience=training.patience or _NEVER,
        checkpointing=training.checkpointing,
        seed=training.seed,
    )


def train(
    model: Any,
    material: Material,
    training: Training,
    work: Path,
    *,
    keep: bool = True,
    resume: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Trained, Any]:
    """Train a model; with held-out windows it ends with the weights of the lowest loss on them.

    Returns what it came to and the trained model: the one that was given, or where FSDP or DeepSpeed had its weights in
    several processes, a whole one that was put together from them.

    Args:
        model: of `new_model`.
        material: what it learns from.
        training: how.
        work: folder of its checkpoints.
        keep: write checkpoints; without them it ends with its last weights, and nothing can be resumed.
        resume: go on from the last checkpoint.
        show: is told how far it is.

    Raises:
        TekioError: the loss was no number, memory ran out, or the disk is full; the last checkpoint is kept.
        UsageError: there is nothing to resume.
    """
    schedule = schedule_of(training, material.learned, material.kind, held=bool(material.held_out))
    arguments = arguments_of(training, schedule, work)
    if not keep:
        arguments |= {"save_strategy": "no", "load_best_model_at_end": False}
    made: Any = TrainingArguments
    trainer = ScratchTrainer(
        model=model,
        args=made(**arguments),
        train_dataset=Windows(material.learned),
        eval_dataset=Windows(material.held_out) if material.held_out else None,
        data_collator=material.collator,
        optimizers=(optimiser_of(model, training), None),
    )
    trained = run(trainer, recipe_of(training), schedule, resume=resume, show=show)
    return trained, _whole(trainer, model, material.kind, work)


def _whole(trainer: Any, model: Any, kind: Kind, work: Path) -> Any:
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        return model
    folder = work / "whole"
    trainer.save_model(str(folder))
    trainer.accelerator.wait_for_everyone()
    return loaded(kind, folder)
