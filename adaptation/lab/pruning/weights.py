"""Single weights taken out: they become nought, and the model stays as large. Importing this imports torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.utils import prune

from adaptation.lab.pruning.seeing import Seen, linears
from retrieval.errors import UsageError


def prune_weights(
    model: Any, share: float, seen: Seen | None = None, pattern: tuple[int, int] | None = None
) -> float:
    """Set weights of all linear layers within a model's layers to nought; return the share of them that is.

    Without a pattern, the smallest of a whole matrix are taken (Han et al., "Learning both Weights and Connections",
    NeurIPS 2015), or, by what was seen, those of each row that do least to its output, |w| times the norm of the input
    (Sun et al., Wanda, ICLR 2024). What is nought already stays so, as it counts least.

    Args:
        model: of transformers; changed in place.
        share: that is taken out.
        seen: from `see`; None goes by the weights alone.
        pattern: (n, m) takes n of each m in a row, in place of the share.

    Raises:
        UsageError: a row cannot be parted by the pattern, or there are no linear layers.
    """
    nought = total = 0
    for name, linear in linears(model):
        size = linear.weight.detach().abs().float()
        scores = size if seen is None else size * seen.norms[name].to(size.device)
        if pattern is None and seen is None:
            prune.l1_unstructured(linear, "weight", amount=share)  # type: ignore[no-untyped-call]
        else:
            mask = _mask(name, scores, share, pattern)
            prune.custom_from_mask(linear, "weight", mask)  # type: ignore[no-untyped-call]
        prune.remove(linear, "weight")  # type: ignore[no-untyped-call]
        nought += int((linear.weight == 0).sum())
        total += linear.weight.numel()
    if not total:
        raise UsageError("the model has no linear layers of the usual kind, so it cannot be pruned")
    return nought / total


def _mask(name: str, scores: torch.Tensor, share: float, pattern: tuple[int, int] | None) -> torch.Tensor:
    """Return which weights stay, shape (out, in): the best of each row, or of each m in it."""
    rows, columns = scores.shape
    taken, together = (int(share * columns), columns) if pattern is None else pattern
    if columns % together:
        raise UsageError(f"rows of {columns} weights, of {name}, cannot be parted by {together}")
    grouped = scores.reshape(rows, -1, together)
    least = grouped.argsort(dim=-1, stable=True)[..., :taken]
    return torch.ones_like(grouped).scatter_(-1, least, 0.0).reshape(rows, columns)


def share_of_noughts(model: nn.Module) -> float:
    """Return the share of weights that are nought in the linear layers within a model's layers."""
    sizes = [(int((linear.weight == 0).sum()), linear.weight.numel()) for _, linear in linears(model)]
    return sum(nought for nought, _ in sizes) / sum(count for _, count in sizes)
