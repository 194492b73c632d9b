"""Training a student with its teacher beside it. Importing this imports torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from adaptation.finetuning.answers import PackTrainer, answer_trainer
from adaptation.finetuning.batches import IGNORED
from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.training import Trained, last_checkpoint, run
from adaptation.finetuning.tree_attention import NAME, attend_in_branches
from adaptation.lab.distilling.losses import softened_divergence, state_distance
from adaptation.lab.distilling.plan import DistilPlan
from adaptation.lab.distilling.students import common_words
from adaptation.lab.distilling.teaching import Teaching

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress


class TaughtTrainer(PackTrainer):
    """A trainer whose model learns what its teacher would say beside what the rows say.

    The held-out loss is of the rows alone, so that students are compared by the same whoever taught them.
    """

    def __init__(
        self, *args: Any, teacher: Any, teaching: Teaching, reaches: Sequence[int] = (), **kwargs: Any
    ) -> None:
        """Take a teacher, which is not changed, what is learned of it, and which states should come to which."""
        super().__init__(*args, **kwargs)
        self._teacher = teacher.to(self.args.device).eval()
        self._teaching, self._reaches = teaching, reaches
        # One that has taught before attends so already.
        self._in_branches = attend_in_branches(teacher) or teacher.config._attn_implementation == NAME

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return the loss of a pack."""
        if not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        plan = self._teaching
        if plan.prompts:
            _look_everywhere(inputs)
        labels = inputs["labels"][0]
        inputs["output_hidden_states"] = plan.way == "hidden"
        own, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        learned = labels != IGNORED
        given = {name: value for name, value in inputs.items() if name != "labels"}
        if not self._in_branches:
            given.pop("branches", None)
        with torch.no_grad():
            told = self._teacher(**given)
        words = common_words(self.accelerator.unwrap_model(model), self._teacher)
        said, above = outputs.logits[0][:, :words], told.logits[0][:, :words]
        taught = softened_divergence(said[learned], above[learned], plan.temperature)
        count = learned.sum()
        if plan.prompts and not learned.all():
            rest = softened_divergence(said[~learned], above[~learned], plan.temperature)
            taught = taught + plan.prompts * count * rest / (~learned).sum()
        if plan.way == "hidden":
            taught = taught + plan.hidden * count * state_distance(
                outputs.hidden_states, told.hidden_states, self._reaches
            )
        loss = (1 - plan.mixing) * own + plan.mixing * taught * self._weight(count, num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def _weight(self, count: torch.Tensor, in_step: Any) -> Any:
        """Return what a sum over tokens is multiplied by, as the trainer does with the loss of rows."""
        if in_step is None:
            return 1 / count
        if self.args.average_tokens_across_devices:  # gradients are averaged later
            return self.accelerator.num_processes / in_step
        return 1 / in_step


def kind_of_trainer(
    teaching: Teaching | None, teacher: Callable[[], Any], reaches: Sequence[int] = ()
) -> Callable[..., PackTrainer]:
    """Return how a trainer is made whose model learns of a teacher; without teaching of the rows alone.

    Args:
        teaching: what is learned of it.
        teacher: loads it.
        reaches: see `Student`.
    """
    if teaching is None:
        return PackTrainer
    return partial(TaughtTrainer, teacher=teacher(), teaching=teaching, reaches=reaches)


def _look_everywhere(inputs: dict[str, Any]) -> None:
    """Have logits computed at every token of a pack, those of answers first; nothing more is learned of the rows."""
    kept, labels = inputs["logits_to_keep"], inputs["labels"]
    tokens = torch.arange(inputs["input_ids"].shape[1], device=kept.device)
    rest = tokens[~torch.isin(tokens, kept[1:])]  # the first is there for the Trainer's sake
    inputs["logits_to_keep"] = torch.cat([kept, rest])
    inputs["labels"] = torch.cat([labels, labels.new_full((1, len(rest)), IGNORED)], dim=1)


def train_student(
    model: Any,
    rows: Sequence[Encoded],
    held: Sequence[Encoded],
    plan: DistilPlan,
    work: Path,
    *,
    teacher: Any = None,
    reaches: Sequence[int] = (),
    resume: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Train a student in place, with a teacher beside it or by the rows alone.

    Args:
        model: the student.
        rows: that are learned.
        held: that it is stopped by.
        plan: how.
        work: a folder for checkpoints, of this training alone.
        teacher: whose predictions are learned; None learns the rows alone.
        reaches: see `Student`.
        resume: go on from the last checkpoint, where there is one.
        show: is told how far it is.

    Raises:
        TekioError: training failed; its checkpoints are kept.
    """
    from transformers import set_seed

    set_seed(plan.seed)
    recipe = plan.recipe()
    kind = kind_of_trainer(None if teacher is None else plan.teaching, lambda: teacher, reaches)
    trainer, schedule = answer_trainer(model, rows, held, recipe, work, kind=kind)
    begun = last_checkpoint(work) is not None
    return run(trainer, recipe, schedule, resume=resume and begun, show=show)
