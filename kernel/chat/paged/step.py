"""What a step of a batched engine is given and gives, whatever computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.lora import Lora

BLOCK = 32
"""Tokens of a block of the cache; OpenVINO's own size on processors."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a step computes of one request.

    Attributes:
        ids: the tokens that are new.
        past: how many stand before them, whose keys and values are there.
        blocks: where they are kept, and where the new ones go.
        adapter: its place among the adapters; None is the base.
        wanted: of how many of the last tokens logits are wanted.
        written: the tokens are an answer's, which attend one by one as when each is written by a step of its own; those
            of a prompt attend together.
    """

    ids: Sequence[int]
    past: int
    blocks: Sequence[int]
    adapter: int | None = None
    wanted: int = 1
    written: bool = False


class StepModel(Protocol):
    """A decoder with its cache of keys and values and its adapters. Not for several threads at once."""

    @property
    def architecture(self) -> Architecture:
        """The sizes of the decoder."""

    @property
    def blocks(self) -> int:
        """How many blocks the cache has."""

    def add(self, adapter: Lora) -> int:
        """Add an adapter; return its place. What is in the cache stays.

        Raises:
            UsageError: it does not fit the base.
            TekioError: there is no memory for it.
        """

    def drop_last(self) -> None:
        """Take the adapter out that was added last."""

    def run(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Compute a step; return the logits of each row, shape (wanted, vocabulary), valid until the next step."""


def parts_of(rows: Sequence[Row]) -> list[Row]:
    """Return what attends together: a prompt's tokens, or each of an answer's by itself."""
    return [part for row in rows for part in _parts(row)]


def _parts(row: Row) -> list[Row]:
    if not row.written:
        return [row]
    count = len(row.ids)
    return [
        Row((token,), row.past + place, row.blocks, row.adapter, int(place >= count - row.wanted))
        for place, token in enumerate(row.ids)
    ]


def ranks_of(parts: Sequence[Row], adapters: Sequence[Lora]) -> NDArray[np.float32]:
    """Return which ranks count for each token, shape (tokens, ranks of all adapters): 1 where its adapter's are."""
    edges = np.cumsum([0, *(adapter.rank for adapter in adapters)])
    each = np.zeros((len(parts), edges[-1]), np.float32)
    for number, part in enumerate(parts):
        if part.adapter is not None:
            each[number, edges[part.adapter] : edges[part.adapter + 1]] = 1
    return np.repeat(each, [len(part.ids) for part in parts], axis=0)
