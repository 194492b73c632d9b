"""A learning rate by trial: it rises from step to step until the loss does too.

Source: Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.
Importing this imports torch and transformers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from adaptation.finetuning.batches import answer_loss, collator_of
from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.packing import pack_rows, shuffled_near
from adaptation.finetuning.recipe import Recipe
from kernel.chat.language_model import choose_dtype
from retrieval.errors import TekioError

LOWEST, HIGHEST = 1e-5, 1e-1
STEPS = 40
_SMOOTHING = 0.7
_DIVERGED = 1.5
"""Times the lowest loss from which on it is worse for good."""
_BELOW = 5.0
"""What the rate of the lowest loss is divided by: there the loss is about to rise."""


@dataclass(frozen=True, slots=True)
class RateTrial:
    """Rates and the smoothed losses at them, ascending, and the rate that is taken."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    rate: float


class _Losses(TrainerCallback):
    def __init__(self) -> None:
        self.found: list[float] = []

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        if "loss" in (logs or {}):
            self.found.append((logs or {})["loss"])
            low = min(self.found)
            if not math.isfinite(self.found[-1]) or (len(self.found) > 8 and self.found[-1] > 3 * low + 0.5):
                control.should_training_stop = True


def try_rates(
    model: Any, rows: Sequence[Encoded], recipe: Recipe, work: Path, *, say: Callable[[str], None]
) -> RateTrial:
    """Raise the rate step by step and choose one; the model is changed by it, and is of no further use.

    Raises:
        TekioError: the loss is no number at the lowest rate already.
    """
    collator, size = collator_of(recipe, model)
    packs = pack_rows(shuffled_near(rows, seed=recipe.seed), size=size)
    arguments = {
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": max(1, round(recipe.rows * len(packs) / len(rows))),
        "max_grad_norm": recipe.clip,
        "seed": recipe.seed,
    }
    say(f"trying learning rates from {LOWEST:g} to {HIGHEST:g}, at most {STEPS} steps")
    return raised_rates(model, packs, collator, work, arguments, loss=answer_loss)


def raised_rates(
    model: Any,
    rows: Any,
    collator: Any,
    work: Path,
    arguments: Mapping[str, Any],
    *,
    loss: Any = None,
    optimiser: torch.optim.Optimizer | None = None,
) -> RateTrial:
    """Raise the rate over the batches of any training and choose one; the model is of no further use.

    Args:
        model: that learns.
        rows: a data set as transformers' Trainer takes it.
        collator: of its rows.
        work: folder of the trainer, in which nothing is kept.
        arguments: of the batches, the clipping and the seed, as `TrainingArguments` takes them.
        loss: that is computed; None takes the model's own.
        optimiser: of the model's weights, at the rate `LOWEST`; None takes AdamW.

    Raises:
        TekioError: the loss is no number at the lowest rate already.
    """
    factor = (HIGHEST / LOWEST) ** (1 / (STEPS - 1))
    watcher = _Losses()
    half = choose_dtype("auto", "cuda" if torch.cuda.is_available() else "cpu")
    learned = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=LOWEST) if optimiser is None else optimiser
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(work),
            max_steps=STEPS,
            bf16=half is torch.bfloat16,
            fp16=half is torch.float16,
            use_cpu=not torch.cuda.is_available(),
            save_strategy="no",
            logging_strategy="steps",
            logging_steps=1,
            logging_nan_inf_filter=False,
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=False,
            remove_unused_columns=False,
            **arguments,
        ),
        train_dataset=rows,
        data_collator=collator,
        compute_loss_func=loss,
        optimizers=(optimizer, LambdaLR(optimizer, lambda step: factor**step)),
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return choose_rate([LOWEST * factor**step for step in range(len(watcher.found))], watcher.found)


def choose_rate(rates: Sequence[float], losses: Sequence[float]) -> RateTrial:
    """Return a fifth of the rate at which the smoothed loss is lowest before it rises for good.

    Raises:
        TekioError: there are too few losses that are numbers.
    """
    smooth: list[float] = []
    for loss in losses:
        if not math.isfinite(loss):
            break
        smooth.append(loss if not smooth else _SMOOTHING * smooth[-1] + (1 - _SMOOTHING) * loss)
        if smooth[-1] > _DIVERGED * min(smooth):
            break
    if len(smooth) < 3:
        raise TekioError("the loss is no number at the lowest learning rate: look for rows that are no text")
    lowest = min(range(len(smooth)), key=smooth.__getitem__)
    rate = max(rates[0], rates[lowest] / _BELOW)
    return RateTrial(tuple(rates[: len(smooth)]), tuple(smooth), float(f"{rate:.2g}"))
