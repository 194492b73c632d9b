"""How well a memory fits what is asked: by meaning, by how long ago it was said, by how often it was confirmed.

As in Park et al., "Generative Agents" (UIST 2023), section 4.1, the score is a weighted sum of relevance, recency and
importance, with recency decaying exponentially; importance, which a model rates there, is here what the user said:

    score = (similarity + 0.15 * 0.5 ** (days / 90) + 0.15 * confirmed / (1 + confirmed)) / 1.3

All weights are 1 there. Here meaning weighs most, so that age and confirmations decide between memories that are about
the same, and what is less similar than a floor is never recalled, however fresh it is.

Cosines of one embedder lie between 0.7 and 1, those of another around 0, so they are read against a cohort of texts
about anything (test normalisation: Auckenthaler et al., "Score normalization for text-independent speaker
verification systems", 2000): 0 is that of such a text, 1 is the same text. Short facts lie oddly in the space of
vectors, so that of the words of the query which carry meaning the share that the memory has counts as much, where that
is more: "Where is the spare key?" finds "The spare key is in drawer 4."

The floor was chosen on public questions (`python -m evaluation.benchmarks.memory`): of the sentences that answer a
question nine in ten are above it, of others one in a hundred at most.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_DAYS = 90.0
WEIGHT_RECENCY = 0.15
WEIGHT_CONFIRMED = 0.15
FLOOR = 0.4
SAME = 0.7

COHORT = (
    "The meeting was moved to Thursday afternoon.",
    "Please send the invoice to the accounting office.",
    "The pump has to be cleaned every week.",
    "My sister lives near the sea.",
    "A new version of the program comes out in spring.",
    "The bridge was built of stone in the last century.",
    "Visitors leave their coats at the entrance.",
    "The contract ends with the year.",
    "It rained all night and the river rose.",
    "The patient takes one tablet in the morning.",
    "Our team won the match by two goals.",
    "The oven must cool down before it is opened.",
    "会議は木曜日の午後に変更になりました。",
    "請求書は経理課へ送ってください。",
    "ポンプは毎週清掃する必要があります。",
    "妹は海の近くに住んでいます。",
    "新しい版は春に公開される予定です。",
    "その橋は前の世紀に石で造られた。",
    "来客は受付で上着を預けます。",
    "契約は年末で終了します。",
    "一晩中雨が降り、川の水位が上がった。",
    "患者は朝に一錠服用する。",
    "私たちのチームは二点差で勝った。",
    "炉は開ける前に冷まさなければならない。",
)


def cohort_mean(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the cohort's vectors, shape (dimension,): a cosine to it is the mean of the cosines."""
    mean: NDArray[np.float32] = vectors.mean(axis=0, dtype=np.float32)
    return mean


def relative(cosine: float, base: float) -> float:
    """Return a cosine against that of texts about anything: 0 for such a text or less, 1 for the same text."""
    return min(1.0, max(0.0, (cosine - base) / max(1.0 - base, 1e-6)))


def similarity(cosine: float, base: float, asked: Sequence[str], held: Set[str]) -> float:
    """Return how near a memory is to a query, 0 to 1.

    Args:
        cosine: of their vectors.
        base: that of the query to texts about anything.
        asked: the words of the query that carry meaning.
        held: those of the memory.
    """
    near = relative(cosine, base)
    shared = sum(word in held for word in asked) / len(asked) if asked else 0.0
    return max(near, (near + shared) / 2)


def score(near: float, renewed: str, confirmed: int, now: datetime) -> float:
    """Return the score of a memory, 0 to 1, see the formula above.

    Args:
        near: see `similarity`.
        renewed: when it was last said or confirmed, ISO 8601.
        confirmed: how often it was confirmed.
        now: the present.
    """
    days = max(0.0, (now - datetime.fromisoformat(renewed)).total_seconds() / 86_400)
    recency: float = 0.5 ** (days / HALF_LIFE_DAYS)
    trust = confirmed / (1 + confirmed)
    whole = near + WEIGHT_RECENCY * recency + WEIGHT_CONFIRMED * trust
    return whole / (1 + WEIGHT_RECENCY + WEIGHT_CONFIRMED)
