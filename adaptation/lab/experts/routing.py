"""Which experts compute a token: chosen by a gate, each within its capacity. Importing this imports torch.

Top-2 with the softmax over both: Lepikhin et al., "GShard", 2021. Top-1 by its probability among all: Fedus et al.,
"Switch Transformers", 2022. First choices come before second ones, and tokens in their order, in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.nn import functional

from adaptation.lab.experts.recipe import Overflow


@dataclass(frozen=True, slots=True)
class Routed:
    """Where n tokens go, with k choices each among e experts.

    Attributes:
        logits: of the gate, shape (n, e), float32.
        probabilities: their softmax, shape (n, e).
        wanted: the likeliest experts, shape (n, k), the likeliest first.
        experts: those that compute the token, shape (n, k); others than wanted where tokens are re-routed.
        weights: what an expert's output counts, shape (n, k); 0 where it was dropped.
        dropped: whether an expert had no room, shape (n, k).
    """

    logits: torch.Tensor
    probabilities: torch.Tensor
    wanted: torch.Tensor
    experts: torch.Tensor
    weights: torch.Tensor
    dropped: torch.Tensor


def capacity_of(tokens: int, experts: int, chosen: int, factor: float) -> int:
    """Return how many tokens an expert takes: `factor` times its even share, rounded up; all of them for 0."""
    return min(tokens, math.ceil(factor * tokens * chosen / experts)) if factor else tokens


def route(logits: torch.Tensor, chosen: int, *, factor: float = 0.0, overflow: Overflow = "drop") -> Routed:
    """Route tokens by the logits of a gate.

    The weights of two or more experts are their softmax over those that are chosen, dropped ones included, as in
    GShard; that of a single one is its probability among all experts, so that the gate learns from it, as in Switch.

    Args:
        logits: shape (n, e).
        chosen: experts of a token, k.
        factor: see `capacity_of`.
        overflow: what happens to a choice whose expert is full.
    """
    logits = logits.float()
    probabilities = functional.softmax(logits, dim=-1)
    tokens, experts = logits.shape
    wanted = probabilities.topk(chosen, dim=-1).indices
    capacity = capacity_of(tokens, experts, chosen, factor)
    with torch.no_grad():
        if capacity >= tokens:
            taken, dropped = wanted, torch.zeros_like(wanted, dtype=torch.bool)
        elif overflow == "drop":
            taken, dropped = wanted, ~_fitting(wanted, experts, capacity)
        else:
            taken, dropped = _rerouted(probabilities, chosen, capacity)
    picked = probabilities.gather(1, taken)
    if chosen > 1:
        picked = picked / picked.sum(dim=-1, keepdim=True)
    return Routed(logits, probabilities, wanted, taken, picked.masked_fill(dropped, 0.0), dropped)


def _fitting(wanted: torch.Tensor, experts: int, capacity: int) -> torch.Tensor:
    """Return which choices find room, shape (n, k): all first choices in the tokens' order, then all second ones."""
    order = wanted.T.reshape(-1)
    before = functional.one_hot(order, experts).cumsum(0).gather(1, order[:, None])[:, 0] - 1
    return (before < capacity).view(wanted.shape[1], wanted.shape[0]).T


def _rerouted(probabilities: torch.Tensor, chosen: int, capacity: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where choices end that go on to the next best expert with room, and which of them found none.

    First choices are settled, re-routed ones included, before second ones. In each round all tokens that still wait
    ask for the likeliest expert that has room and does not compute them yet; as many as fit are let in, in order.
    """
    tokens, experts = probabilities.shape
    taken = probabilities.topk(chosen, dim=-1).indices
    dropped = torch.zeros_like(taken, dtype=torch.bool)
    room = torch.full((experts,), capacity, device=taken.device)
    held = torch.zeros(tokens, experts, dtype=torch.bool, device=taken.device)
    for choice in range(chosen):
        waiting = torch.ones(tokens, dtype=torch.bool, device=taken.device)
        while True:
            found, asked = probabilities.masked_fill(held | (room <= 0), -1.0).max(dim=-1)
            asking = waiting & (found >= 0)
            if not bool(asking.any()):
                break
            queue = functional.one_hot(asked, experts) * asking[:, None]
            let_in = asking & (queue.cumsum(0).gather(1, asked[:, None])[:, 0] <= room[asked])
            taken[let_in, choice] = asked[let_in]
            held[let_in, asked[let_in]] = True
            room = room - (queue * let_in[:, None]).sum(0)
            waiting &= ~let_in
        dropped[:, choice] = waiting
    return taken, dropped
