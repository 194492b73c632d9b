"""What a gate is held to beside the language model's loss, and how even its load is. Importing this imports torch."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def balance_loss(probabilities: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the load-balancing loss of a gate: 1 where its load is even, the number of experts where one has it all.

    The number of experts times the sum, over experts, of the share of choices that they are wanted by and the mean
    probability that they have. Source: Fedus et al., "Switch Transformers", 2022, equations 4 to 6; with several
    choices a token their share is of all choices.

    Args:
        probabilities: shape (n, e).
        wanted: the choices before any was dropped, shape (n, k).
    """
    experts = probabilities.shape[1]
    share = functional.one_hot(wanted, experts).to(probabilities.dtype).mean(dim=(0, 1))
    return experts * (share * probabilities.mean(dim=0)).sum()


def z_loss(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean square of the logarithm of what the softmax divides by, which keeps logits small.

    Source: Zoph et al., "ST-MoE", 2022, equation 5.

    Args:
        logits: shape (n, e).
    """
    return torch.logsumexp(logits.float(), dim=-1).square().mean()


def load_entropy(load: torch.Tensor) -> float:
    """Return the entropy of a load over that of an even one: 1 is even, 0 has all on one expert.

    Args:
        load: choices, or shares of them, by expert, shape (e,).
    """
    share = load.double() / load.double().sum().clamp(min=1e-12)
    return float(torch.special.entr(share).sum() / math.log(len(load)))
