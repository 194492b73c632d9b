"""The interface of an engine: token ids in, the encoder's last hidden states out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ids = Sequence[Sequence[int]]


class Encoder(Protocol):
    """Computes the hidden states of token sequences of like length together. Used by one thread at a time."""

    def states(self, sequences: Ids) -> list[NDArray[np.float32]]:
        """Return the last hidden states of each sequence, float32 of shape (len(sequence), hidden)."""


def padded(sequences: Ids, pad_id: int, step: int = 1) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ids and attention mask of one length, each int64 of shape (n, longest).

    The length is a multiple of `step`, for engines that keep what they make for each shape.
    """
    longest = -(-max(len(sequence) for sequence in sequences) // step) * step
    ids = np.full((len(sequences), longest), pad_id, np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def unpadded(states: NDArray[np.float32], sequences: Ids) -> list[NDArray[np.float32]]:
    """Return the states of each sequence without those of its padding."""
    return [states[row, : len(sequence)] for row, sequence in enumerate(sequences)]
