"""In place of what something is named, by the meaning of words: "children" in place of "adults", not of "the dose"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernel.conversation.standalone import Nearest
from plugins.memory.scoring import COHORT
from retrieval.embedding import Embedder

LEAST = 0.35
"""The least similarity, on the scale of `plugins.memory.scoring`."""
AHEAD = 0.15
"""How far the nearest must be ahead of the next."""

_OF_COHORT = 12


def nearest_by(embedder: Embedder) -> Nearest:
    """Return what tells which of some phrases is nearest in meaning to another, and stands out. Blocks."""
    base: list[float] = []

    def nearest(text: str, among: Sequence[str]) -> int | None:
        if not among:
            return None
        vectors = embedder.embed_queries([text, *among])
        cosines = vectors[1:] @ vectors[0]
        if not base:
            held = embedder.embed_queries(COHORT[:_OF_COHORT])
            base.append(float((held @ held.T).sum() - _OF_COHORT) / (_OF_COHORT * (_OF_COHORT - 1)))
        scaled = np.maximum(0.0, (cosines - base[0]) / (1.0 - base[0]))
        order = np.argsort(-scaled)
        second = float(scaled[order[1]]) if len(order) > 1 else 0.0
        best = float(scaled[order[0]])
        return int(order[0]) if best >= LEAST and best - second >= AHEAD else None

    return nearest
