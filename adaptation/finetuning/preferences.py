"""Learning what is preferred: TRL's trainers over pairs of answers, and over answers that a reward model judges.

Prompts are encoded as they are when answering, by which no text can pose as a role; TRL's own encoding would let it.
Importing this imports torch, transformers and TRL.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import Trainer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.reward_config import RewardConfig
from trl.trainer.reward_trainer import RewardTrainer

from adaptation.finetuning.encoding import EncodedPair
from adaptation.finetuning.methods import method_of
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.training import Schedule, trainer_arguments
from retrieval.errors import UsageError

Judge = Callable[[Sequence[int], Sequence[int]], float]
"""Gives the ids of a prompt and of an answer a number: the better, the higher."""


def pair_trainer(
    model: Any,
    rows: Sequence[EncodedPair],
    held_out: Sequence[EncodedPair],
    recipe: Recipe,
    work: Path,
    tokenizer: Any,
    config: Any = None,
) -> tuple[Trainer, Schedule]:
    """Return a trainer on pairs: of what answers, for `dpo`, or of what judges, for `reward`.

    Args:
        model: the base, for `dpo` with a new adapter; else with its adapter.
        rows: that are learned.
        held_out: that it is stopped by; none trains to the end.
        recipe: how.
        work: a folder for checkpoints, of this training alone.
        tokenizer: transformers'.
        config: PEFT's, of a new adapter.
    """
    disable_progress_bar()
    tokens = sum(2 * len(row.prompt) + len(row.chosen) + len(row.rejected) for row in rows)
    schedule = _schedule(len(rows), tokens, recipe, held=bool(held_out))
    arguments = trainer_arguments(work, recipe, schedule)
    if recipe.method == "reward":
        return (
            RewardTrainer(
                model=model,
                args=RewardConfig(**arguments, max_length=None),
                train_dataset=_judged(rows),
                eval_dataset=_judged(held_out) if held_out else None,
                processing_class=tokenizer,
            ),
            schedule,
        )
    return (
        _EncodedPairs(
            model=model,
            args=DPOConfig(**arguments, max_length=None),
            train_dataset=_pairs(rows),
            eval_dataset=_pairs(held_out) if held_out else None,
            processing_class=tokenizer,
            peft_config=config,
        ),
        schedule,
    )


def judged_trainer(
    model: Any,
    prompts: Sequence[tuple[int, ...]],
    judge: Judge,
    recipe: Recipe,
    work: Path,
    tokenizer: Any,
    config: Any = None,
) -> tuple[Trainer, Schedule]:
    """Return a trainer on answers of the model's own, which a judge gives numbers to (GRPO).

    Args:
        model: the base, with a new adapter; else with its adapter.
        prompts: ids.
        judge: of an answer.
        recipe: how; its `drafts` of a prompt are held against each other.
        work: a folder for checkpoints, of this training alone.
        tokenizer: transformers'.
        config: PEFT's, of a new adapter.

    Raises:
        UsageError: there are no prompts.
    """
    if not prompts:
        raise UsageError("there are no prompts to write answers to")
    disable_progress_bar()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    tokens = sum(recipe.drafts * (len(prompt) + recipe.new_tokens) for prompt in prompts)
    schedule = _schedule(len(prompts) * recipe.drafts, tokens, recipe, held=False, together=recipe.drafts)
    arguments = trainer_arguments(work, recipe, schedule) | {"prediction_loss_only": False}

    def reward(prompts: list[str], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        return [judge(encoded[int(name)], ids) for name, ids in zip(prompts, completion_ids, strict=True)]

    encoded = list(prompts)
    trainer = _EncodedPrompts(
        model=model,
        reward_funcs=reward,
        args=GRPOConfig(
            **arguments,
            num_generations=recipe.drafts,
            generation_batch_size=schedule.accumulation * processes,
            max_completion_length=recipe.new_tokens,
            temperature=1.0,
            beta=0.04,  # keeps it near the base, so that it does not learn to please the judge alone
        ),
        train_dataset=Dataset.from_dict({"prompt": [str(number) for number in range(len(encoded))]}),
        processing_class=tokenizer,
        peft_config=config,
    )
    trainer.encoded = encoded
    return trainer, schedule


class _EncodedPairs(DPOTrainer):
    """Takes pairs that are encoded already."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class _EncodedPrompts(GRPOTrainer):
    """Takes prompts by the numbers of encoded ones."""

    encoded: list[tuple[int, ...]]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(self.encoded[int(name)]) for name in prompts], None, {}


def _schedule(rows: int, tokens: int, recipe: Recipe, *, held: bool, together: int = 1) -> Schedule:
    """Return how long a training goes; a step takes whole groups of rows that belong together."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    wanted = max(1, min(recipe.rows, rows) // (together * processes)) * together
    a_step = wanted * processes
    steps = recipe.steps or max(1, math.ceil(recipe.epochs * rows / a_step))
    return Schedule(
        steps=steps,
        accumulation=wanted,
        rate=recipe.rate if recipe.rate is not None else method_of(recipe.method).rate,
        tokens=round(tokens * steps * a_step / rows),
        held=held,
    )


def _pairs(rows: Sequence[EncodedPair]) -> Dataset:
    return Dataset.from_list(
        [
            {"prompt_ids": [*row.prompt], "chosen_ids": [*row.chosen], "rejected_ids": [*row.rejected]}
            for row in rows
        ]
    )


def _judged(rows: Sequence[EncodedPair]) -> Dataset:
    return Dataset.from_list(
        [
            {
                "chosen_ids": [*row.prompt, *row.chosen],
                "rejected_ids": [*row.prompt, *row.rejected],
            }
            for row in rows
        ]
    )


def reward_of(model: Any) -> Judge:
    """Return a reward model as a judge."""

    def judge(prompt: Sequence[int], answer: Sequence[int]) -> float:
        ids = torch.tensor([[*prompt, *answer]], device=model.device)
        with torch.inference_mode():
            return float(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, 0])

    return judge


def pairs_right(model: Any, pairs: Sequence[EncodedPair]) -> int:
    """Return of how many pairs a reward model finds the better answer better."""
    judge = reward_of(model.eval())
    return sum(judge(pair.prompt, pair.chosen) > judge(pair.prompt, pair.rejected) for pair in pairs)


def some(prompts: Sequence[tuple[int, ...]], *, seed: int) -> list[tuple[int, ...]]:
    """Return the different prompts in random order."""
    found = list(dict.fromkeys(prompts))
    random.Random(seed).shuffle(found)  # noqa: S311 - no secret
    return found


__all__ = ["Judge", "judged_trainer", "pair_trainer", "pairs_right", "reward_of", "some"]
