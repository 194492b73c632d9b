"""Learning answers and texts: transformers' Trainer over packs of rows.

What is slow by default is left out: logits are computed where something is learned, gradients down to the lowest
adapted layer, shared beginnings once, and no padding. Importing this imports torch and transformers.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainingArguments

from adaptation.finetuning.batches import IGNORED, answer_loss, collator_of, divergence, with_plain
from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.methods import method_of
from adaptation.finetuning.packing import Pack, pack_rows, shuffled_near
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import OrderedTrainer, Schedule, trainer_arguments
from retrieval.errors import UsageError


class PackTrainer(OrderedTrainer):
    """A Trainer that takes its packs in their order, which the seed has drawn, so that a resumed run goes on alike.

    Beside the loss of the answers it counts by how much an adapter changes the base's predictions of plain text, the
    Kullback-Leibler divergence from the base a token, so that what is learned for one kind of prompt changes little
    else (Li and Hoiem, "Learning without forgetting", 2017). The text is of the prompts, as it stands between their
    instructions.
    """

    def __init__(self, *args: Any, hold: float = 0.0, **kwargs: Any) -> None:
        """Make it; `hold` is what a nat of divergence counts against one of the answers' loss."""
        super().__init__(*args, **kwargs)
        self._hold = hold

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a pack, and in training what it is held by."""
        plain = inputs.pop("plain", None)
        learned = (inputs["labels"] != IGNORED).sum()
        found = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not self._hold or plain is None or not model.training:
            return found
        loss, outputs = found if return_outputs else (found, None)
        share: Any = 1.0
        if num_items_in_batch is not None:
            share = learned / num_items_in_batch
            if self.args.average_tokens_across_devices:  # as the trainer does: gradients are averaged later
                share = share * self.accelerator.num_processes
        loss = loss + self._hold * share * divergence(model, self.accelerator.unwrap_model(model), plain)
        return (loss, outputs) if return_outputs else loss


def answer_trainer(
    model: Any,
    rows: Sequence[Encoded],
    held_out: Sequence[Encoded],
    recipe: Recipe,
    work: Path,
    *,
    kind: Callable[..., PackTrainer] = PackTrainer,
) -> tuple[Trainer, Schedule]:
    """Return a trainer of a model on rows, and how long it goes.

    Args:
        model: from `adapted`.
        rows: that are learned.
        held_out: that it is stopped by; none trains to the end.
        recipe: how.
        work: a folder for checkpoints, of this training alone.
        kind: of trainer, which may learn from more than the rows say.

    Raises:
        UsageError: there is nothing to learn.
    """
    collator, size = collator_of(recipe, model)
    packs, accumulation, steps = _scheduled(rows, recipe, size)
    held = pack_rows(held_out, size=size)
    schedule = Schedule(
        steps=steps,
        accumulation=accumulation,
        rate=recipe.rate if recipe.rate is not None else method_of(recipe.method).rate,
        tokens=sum(len(pack.ids) + pack.saved for pack in packs),
        saved=sum(pack.saved for pack in packs),
        held=bool(held),
    )
    # Not where texts are learned, which are to change it; `full` has no base beside it, and rows that go one by one
    # would take twice as long.
    answers = method_of(recipe.method).learns == "answers"
    hold = recipe.hold if answers and size and hasattr(model, "disable_adapter") else 0.0
    trainer = kind(
        model=model,
        args=TrainingArguments(**trainer_arguments(work, recipe, schedule), label_names=["labels"]),
        train_dataset=packs,
        eval_dataset=held or None,
        data_collator=with_plain(collator) if hold else collator,
        compute_loss_func=answer_loss,
        hold=hold,
    )
    return trainer, schedule


def _scheduled(rows: Sequence[Encoded], recipe: Recipe, size: int) -> tuple[list[Pack], int, int]:
    """Return the packs of all epochs, how many of them a process takes for a step, and the number of steps."""
    if not rows:
        raise UsageError("there are no rows to learn from")
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    one = pack_rows(shuffled_near(rows, seed=recipe.seed), size=size)
    together = max(1, min(round(recipe.rows * len(one) / len(rows)), len(one)))
    accumulation = max(1, round(together / processes))
    a_step = accumulation * processes
    steps = recipe.steps or max(1, math.ceil(recipe.epochs * len(one) / a_step))
    packs: list[Pack] = []
    epoch = 0
    while len(packs) < steps * a_step:
        packs += pack_rows(shuffled_near(rows, seed=recipe.seed + epoch), size=size)
        epoch += 1
    return packs[: steps * a_step], accumulation, steps
