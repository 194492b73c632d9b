"""Windows to batches, for each kind of architecture. Importing this imports torch and transformers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import DataCollatorForLanguageModeling

from adaptation.lab.scratch.recipe import Kind
from adaptation.lab.scratch.tokenizing import PAD, SPECIAL
from adaptation.lab.scratch.windows import Window

_NOT_LEARNED = -100
_PAD = SPECIAL.index(PAD)
_MASKED = 0.15
Batch = dict[str, Any]
Collator = Callable[[Sequence[Window]], Batch]


class Windows(Dataset[Window]):
    """Windows as torch reads them."""

    def __init__(self, windows: Sequence[Window]) -> None:
        self._windows = windows

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, place: int) -> Window:
        return self._windows[place]


def collator_of(kind: Kind, tokenizer: Any) -> Collator:
    """Return what makes batches for an architecture.

    A decoder learns each token of a window but its first, of what is before it; an encoder tokens that are masked, a
    seventh; an encoder-decoder the second half of a window of its first half (Raffel et al., 2020: prefix language
    modelling).

    Args:
        kind: of architecture.
        tokenizer: transformers', for the masks.
    """
    if kind == "decoder":
        return _causal
    if kind == "encoder":
        mask: Any = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm=True, mlm_probability=_MASKED)

        def masked(windows: Sequence[Window]) -> Batch:
            rows = [list(window.ids) for window in windows]
            return dict(mask([{"input_ids": row, "special_tokens_mask": [0] * len(row)} for row in rows]))

        return masked
    return _halved


def scored(kind: Kind, window: Window) -> range:
    """Return the places of a window's tokens that are learned of what is before them."""
    size = len(window.ids)
    return range(size // 2 if kind == "encoder-decoder" else 1, size)


def _causal(windows: Sequence[Window]) -> Batch:
    rows = [([*window.before, *window.ids], len(window.before) + 1) for window in windows]
    ids = _padded([row for row, _ in rows], _PAD)
    labels = _padded([[_NOT_LEARNED] * first + row[first:] for row, first in rows], _NOT_LEARNED)
    made = {"input_ids": ids, "labels": labels}
    if len({len(row) for row, _ in rows}) > 1:
        made["attention_mask"] = _padded([[1] * len(row) for row, _ in rows], 0)
    return made


def _halved(windows: Sequence[Window]) -> Batch:
    read = [[*window.before, *window.ids[: len(window.ids) // 2]] for window in windows]
    written = [list(window.ids[len(window.ids) // 2 :]) for window in windows]
    return {
        "input_ids": _padded(read, _PAD),
        "attention_mask": _padded([[1] * len(row) for row in read], 0),
        "decoder_input_ids": _padded([[_PAD, *row[:-1]] for row in written], _PAD),
        "labels": _padded(written, _NOT_LEARNED),
    }


def _padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], dtype=torch.long)
