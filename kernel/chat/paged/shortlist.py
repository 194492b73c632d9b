"""The words that a draft guesses among: the commonest of what it learned, where its head is most of its work.

A small model's head may weigh more than all of its layers. Guessing among fewer words changes no answer: what cannot be
guessed is never drawn, and what the larger model writes is judged by its own head (see `rejection`).

Source: Zhao et al., "FR-Spec: Accelerating Large-Vocabulary Language Models via Frequency-Ranked Speculative Sampling",
ACL 2025.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import UsageError
from retrieval.whole_files import write_whole

FILE = "common_words.json"
"""Beside a draft's weights: ids of its words, the commonest first."""

Words = NDArray[np.int64]


def write_common_words(folder: Path, counts: Mapping[int, int]) -> None:
    """Write down how words were met, the commonest first; of words that were met as often the lower id."""
    order = sorted(counts, key=lambda word: (-counts[word], word))
    write_whole(folder / FILE, json.dumps(order) + "\n")


def common_words(folder: Path, most: int) -> Words:
    """Return the ids of the commonest words of a draft, in ascending order, at most so many.

    Raises:
        UsageError: it does not tell them, or its file is damaged.
    """
    try:
        held = json.loads((folder / FILE).read_text(encoding="utf-8"))
        order = np.array(held, np.int64)
    except FileNotFoundError as error:
        raise UsageError(
            f"the draft {folder.name} does not tell its commonest words: distil it anew (`tekio adapt distil`), or set "
            "draft_words to 0"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{folder / FILE} is no list of words: distil the draft anew") from error
    if order.ndim != 1 or not len(order) or order.min() < 0:
        raise UsageError(f"{folder / FILE} is no list of words: distil the draft anew")
    return np.unique(order[:most])


__all__ = ["FILE", "Words", "common_words", "write_common_words"]
