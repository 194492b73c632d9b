"""Weights parted into what 4 bits hold and a product of two narrow matrices that holds most of what they lose.

Importing this imports torch.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from adaptation.lab.quantising.rounding import DOWN, UP, layers_in_four_bits, rounded, rounded_rows
from retrieval.errors import UsageError

_ROUNDS = 4
"""After which the two parts hardly come nearer to the whole; on the default base with an adapter in its weights a
third round gave the last per cents."""
_MORE = 8
"""Directions beyond the rank that the decomposition looks at, and steps of its power iteration below."""
_POWERS = 3


@torch.no_grad()
def correct(model: Any, rank: int, *, seed: int = 0) -> float:
    """Take out of the weights of layers what a product of narrow matrices holds better than 4 bits do.

    By turns the weights less the product are rounded, and the product is made of what rounding lost; the best turn is
    kept. The layers get the two matrices as parameters, and as weights what is to be rounded; they compute the sum as
    `RoundedLinear` alone.

    Source: Li et al., LoftQ: LoRA-Fine-Tuning-Aware Quantization for Large Language Models, ICLR 2024, algorithm 1;
    the decomposition by Halko, Martinsson and Tropp, Finding Structure with Randomness, 2011.

    Args:
        model: of transformers, changed in place.
        rank: of the product, at least 1.
        seed: of the decomposition.

    Returns:
        the error of all weights, as a share of that of rounding alone.

    Raises:
        UsageError: a layer is too narrow for the rank.
    """
    layers = list(layers_in_four_bits(model))
    for name, layer in layers:
        if rank >= min(layer.weight.shape):
            raise UsageError(
                f"--rank {rank} corrects nothing: the layer {name} is {min(layer.weight.shape)} wide, give less"
            )
    left = alone = 0.0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _, layer in layers:
            whole = layer.weight.detach().float()
            alone += _squared(rounded(whole) - whole)
            error, down, up = _parted(whole, rank)
            left += error
            layer.weight.data = (whole - up.T @ down).to(layer.weight.dtype)
            layer.register_parameter(DOWN, nn.Parameter(down.to(layer.weight.dtype)))
            layer.register_parameter(UP, nn.Parameter(up.to(layer.weight.dtype)))
    return math.sqrt(left / alone) if alone else 0.0


def _parted(whole: torch.Tensor, rank: int) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Return the squared error and the matrices of the best turn, as 8 bits hold them."""
    held = rounded(whole)
    best = (math.inf, whole[:0], whole[:0])
    for _ in range(_ROUNDS):
        down, up = _narrow(whole - held, rank)
        rest = whole - up.T @ down
        held = rounded(rest)
        error = _squared(held - rest)
        if error < best[0]:
            best = (error, down, up)
    return best


def _narrow(values: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrices down, (rank, in), and up, (rank, out), whose product is nearest to values."""
    looked = min(rank + _MORE, *values.shape)
    left, sizes, right = torch.svd_lowrank(values, q=looked, niter=_POWERS)
    roots = sizes[:rank].sqrt()
    return rounded_rows((right[:, :rank] * roots).T), rounded_rows((left[:, :rank] * roots).T)


def _squared(values: torch.Tensor) -> float:
    return float(values.square().sum())


__all__ = ["correct"]
