from __future__ import annotations

import math

import numpy as np
import pytest

from adaptation.lab.scratch.ngram import KneserNey


def drawn(tokens: int, vocabulary: int, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Return tokens of which each follows from the two before it, mostly."""
    draw = np.random.default_rng(seed)
    ids = [1, 2]
    for _ in range(tokens - 2):
        follows = (3 * ids[-1] + 5 * ids[-2] + 1) % vocabulary
        ids.append(int(follows) if draw.random() < 0.8 else int(draw.integers(vocabulary)))
    return np.array(ids, dtype=np.int64)


@pytest.mark.parametrize("before", [[3, 4, 5], [0, 0, 0], [11, 7, 2]])
def test_the_probabilities_of_all_tokens_behind_some_add_up_to_one(before: list[int]) -> None:
    model = KneserNey(drawn(2000, 12, 0), 12)
    rows = [np.array([*before, token], dtype=np.int64) for token in range(12)]
    total = sum(float(np.exp(-model.losses(row, np.array([3], dtype=np.int64)))[0]) for row in rows)
    assert total == pytest.approx(1.0, abs=1e-9)


def test_longer_n_grams_predict_better_what_follows_from_more_tokens() -> None:
    learned, held = drawn(6000, 16, 0), drawn(1000, 16, 1)
    places = np.arange(1, len(held), dtype=np.int64)
    found = [KneserNey(learned, 16, order=order).perplexity(held, places) for order in (1, 2, 3, 4)]
    assert found[2] < 0.6 * found[1]
    assert found[1] <= found[0] * 1.05
    # What is drawn at random keeps any model from doing better than this.
    entropy = -(0.8 + 0.2 / 16) * math.log(0.8 + 0.2 / 16) - 15 * (0.2 / 16) * math.log(0.2 / 16)
    assert 0.9 * math.exp(entropy) < found[3] < 1.4 * math.exp(entropy)


def test_tokens_that_were_never_seen_have_some_probability() -> None:
    model = KneserNey(np.array([1, 2, 3, 1, 2, 3], dtype=np.int64), 100)
    losses = model.losses(np.array([50, 60, 70], dtype=np.int64), np.arange(3, dtype=np.int64))
    assert np.isfinite(losses).all()
    assert (losses > 0).all()


def test_a_large_vocabulary_shortens_the_n_grams() -> None:
    ids = np.array([1, 70_000, 3, 1, 70_000], dtype=np.int64)
    assert KneserNey(ids, 100_000).order == 3
