"""A pruned model is healed by a short LoRA that is put into its weights. Importing this imports torch and peft."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adaptation.finetuning.answers import answer_trainer
from adaptation.finetuning.building import peft_config
from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.methods import method_of
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import Trained, last_checkpoint, run
from adaptation.lab.distilling.training import kind_of_trainer
from adaptation.lab.pruning.masked_lora import with_masks
from adaptation.lab.pruning.plan import PrunePlan

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress


def heal(
    model: Any,
    rows: Sequence[Encoded],
    held: Sequence[Encoded],
    plan: PrunePlan,
    work: Path,
    *,
    teacher: Callable[[], Any],
    resume: bool = False,
    show: Callable[[Progress], None] = lambda progress: None,
) -> tuple[Any, Trained]:
    """Train a LoRA over a pruned model and put it into the weights; return the model, and how the training went.

    Source: Ma et al., "LLM-Pruner: On the Structural Pruning of Large Language Models", NeurIPS 2023.

    Args:
        model: pruned.
        rows: that are learned.
        held: that it is stopped by.
        plan: its rank, rate, steps, rows, seed and what is learned of the model as it was; of single weights those
            that are nought stay so.
        work: a folder for checkpoints.
        teacher: loads the model as it was.
        resume: go on from the last of them, where there is one.
        show: is told how far it is.

    Raises:
        TekioError: training failed; its checkpoints are kept.
    """
    from peft import get_peft_model
    from transformers import set_seed

    recipe = Recipe(
        method="lora",
        rank=plan.rank,
        rate=plan.rate,
        steps=plan.heal,
        rows=plan.rows,
        window=plan.window,
        hold=0.0,  # it is to change what the pruned model says
        seed=plan.seed,
    )
    config = peft_config(method_of("lora"), model, recipe)
    set_seed(plan.seed)
    adapted: Any = get_peft_model(model, config if plan.is_structured else with_masks(config))
    kind = kind_of_trainer(plan.teaching, teacher)
    trainer, schedule = answer_trainer(adapted, rows, held, recipe, work, kind=kind)
    begun = last_checkpoint(work) is not None
    trained = run(trainer, recipe, schedule, resume=resume and begun, show=show)
    return adapted.merge_and_unload(), trained
