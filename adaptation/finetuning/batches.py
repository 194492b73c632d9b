"""Packs as what a causal language model takes, and the loss on what is learned. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

from adaptation.finetuning.memory import MOST
from adaptation.finetuning.packing import Pack
from adaptation.finetuning.recipe import Recipe
from adaptation.finetuning.tree_attention import attend_in_branches

Collator = Callable[[Sequence[Pack]], dict[str, Any]]
IGNORED = -100
"""The label that torch's cross entropy leaves out."""
_PLAIN, _LEAST_PLAIN = 16, 32
"""The base's predictions are held on a text of one token for so many of a pack, and so many at least: a share of time
and memory whatever the pack's size."""


def collate(packs: Sequence[Pack]) -> dict[str, torch.Tensor]:
    """Return one pack as the model's inputs, all with a leading 1.

    `logits_to_keep` has the model compute logits at learned places alone. `labels` are of these places;
    the first, which is ignored, is there because the Trainer counts labels from the second on.
    """
    (pack,) = packs
    first = pack.places[:1]
    return {
        "input_ids": torch.from_numpy(pack.ids)[None],
        "position_ids": torch.from_numpy(pack.positions)[None],
        "attention_mask": torch.from_numpy(pack.mask())[None, None],
        "logits_to_keep": torch.cat([torch.from_numpy(first), torch.from_numpy(pack.places)]),
        "labels": torch.cat([torch.full((1,), IGNORED), torch.from_numpy(pack.targets)])[None],
    }


def collate_branches(packs: Sequence[Pack]) -> dict[str, Any]:
    """Return a pack as `collate` does, with its branches, for a model that attends by them."""
    return collate(packs) | {"branches": packs[0].branches}


def with_plain(collator: Collator) -> Collator:
    """Return a collator that adds `plain`, a text of the pack that the base's predictions are held on."""

    def collated(packs: Sequence[Pack]) -> dict[str, Any]:
        text = packs[0].plain(max(_LEAST_PLAIN, len(packs[0].ids) // _PLAIN))
        return collator(packs) | {"plain": torch.from_numpy(text)[None]}

    return collated


def collate_behind(packs: Sequence[Pack], added: int) -> dict[str, torch.Tensor]:
    """Return a pack of one row as the inputs of a model that puts tokens of its own before them.

    Args:
        packs: one pack.
        added: how many of these tokens are among those that logits are computed for.
    """
    (pack,) = packs
    inputs = collate(packs)
    return {
        "input_ids": inputs["input_ids"],
        "attention_mask": torch.ones(1, len(pack.ids), dtype=torch.long),
        "logits_to_keep": inputs["logits_to_keep"] + added,
        "labels": inputs["labels"],
    }


def collator_of(recipe: Recipe, model: Any) -> tuple[Collator, int]:
    """Return how packs become a model's inputs, and the tokens of a pack; 0 has each row go by itself.

    The model is made to attend by branches, where it can. What a method puts before the prompt has places of its own,
    which PEFT counts: such rows go one by one.
    """
    if recipe.method == "prompt":
        return (lambda packs: collate_behind(packs, recipe.virtual_tokens)), 0
    if recipe.method == "prefix":
        return (lambda packs: collate_behind(packs, 0)), 0
    return collate_branches if attend_in_branches(model) else collate, recipe.pack or MOST


def divergence(model: Any, adapted: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return by how much an adapter changes what the base predicts: the mean divergence from it, in nats a token.

    Args:
        model: that is trained, as the trainer calls it.
        adapted: the same as PEFT has made it.
        ids: of a text, shape (1, t).
    """
    with torch.no_grad(), adapted.disable_adapter():
        base = functional.log_softmax(model(input_ids=ids).logits[0].float(), dim=-1)
    tuned = functional.log_softmax(model(input_ids=ids).logits[0].float(), dim=-1)
    return functional.kl_div(tuned, base, reduction="batchmean", log_target=True)


def answer_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Return the mean cross entropy of the learned tokens, over all packs of a step where their number is known."""
    logits = outputs.logits[0].float()
    total = functional.cross_entropy(
        logits, labels[0].to(logits.device), ignore_index=IGNORED, reduction="sum"
    )
    count = num_items_in_batch if num_items_in_batch is not None else (labels != IGNORED).sum()
    return total / torch.as_tensor(count, device=total.device, dtype=total.dtype)
