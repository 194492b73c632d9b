"""How far a student is from its teacher. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def softened_divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the divergence of a student's predictions from its teacher's, summed over tokens, in nats.

    Times the square of the temperature, so that its gradients keep their size whatever that is (Hinton et al.,
    "Distilling the Knowledge in a Neural Network", 2015).

    Args:
        student: logits, shape (tokens, words).
        teacher: the same.
        temperature: that both are divided by.
    """
    said = functional.log_softmax(student.float() / temperature, dim=-1)
    told = functional.log_softmax(teacher.float() / temperature, dim=-1)
    return functional.kl_div(said, told, reduction="sum", log_target=True) * temperature**2


def state_distance(
    student: Sequence[torch.Tensor], teacher: Sequence[torch.Tensor], reaches: Sequence[int]
) -> torch.Tensor:
    """Return how far a student's states are from those that they should come to, the mean of layers and values.

    Each state is set to mean 0 and variance 1 first, so that no layer counts more for being large (as in Sun et al.,
    "Patient Knowledge Distillation", EMNLP 2019).

    Args:
        student: before its first layer and behind each, shape (1, tokens, width) each.
        teacher: the same, of more layers.
        reaches: for each of the student's layers, the place among the teacher's states.
    """
    parts = [
        functional.mse_loss(_even(own), _even(teacher[place]))
        for own, place in zip(student[1:], reaches, strict=True)
    ]
    return torch.stack(parts).mean()


def _even(state: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(state.float(), state.shape[-1:])
