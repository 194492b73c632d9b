"""The choice of the next token."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from kernel.chat.generation import Sampling
from kernel.chat.paged.choosing import Chooser

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


class Only:
    """Allows some tokens, and notes what was taken."""

    def __init__(self, *tokens: int) -> None:
        self.tokens, self.taken = tokens, list[int]()

    def allowed(self, size: int) -> NDArray[np.bool_]:
        mask = np.zeros(size, np.bool_)
        mask[list(self.tokens)] = True
        return mask

    def take(self, token: int) -> None:
        self.taken.append(token)


def shares(chooser: Chooser, times: int = 4000) -> dict[int, float]:
    counted = Counter(chooser.choose(LOGITS, []) for _ in range(times))
    return {token: count / times for token, count in counted.items()}


def test_temperature_nought_takes_the_likeliest() -> None:
    assert {Chooser(Sampling()).choose(LOGITS, []) for _ in range(5)} == {0}


def test_tokens_are_sampled_as_often_as_they_are_likely() -> None:
    found = shares(Chooser(Sampling(temperature=1.0, seed=1)))
    for token, wanted in enumerate((0.5, 0.3, 0.15, 0.05)):
        assert abs(found[token] - wanted) < 0.03


def test_the_unlikely_ones_beyond_top_p_are_never_taken() -> None:
    found = shares(Chooser(Sampling(temperature=1.0, top_p=0.7, seed=1)))
    assert set(found) == {0, 1}
    assert abs(found[0] - 0.5 / 0.8) < 0.03


def test_a_seed_gives_the_same_tokens_again_and_another_others() -> None:
    def drawn(seed: int) -> list[int]:
        chooser = Chooser(Sampling(temperature=1.0, seed=seed))
        return [chooser.choose(LOGITS, []) for _ in range(40)]

    assert drawn(3) == drawn(3) != drawn(4)


def test_what_stands_there_already_is_penalised_whichever_sign_its_logit_has() -> None:
    chooser = Chooser(Sampling(repetition_penalty=2.0))
    assert chooser.choose(np.array([3.0, 2.0], np.float32), [0]) == 1
    assert chooser.choose(np.array([-1.0, -1.5], np.float32), [0]) == 1
    assert chooser.choose(np.array([3.0, 2.0], np.float32), []) == 0


def test_logits_are_left_as_they_are() -> None:
    logits = LOGITS.copy()
    Chooser(Sampling(repetition_penalty=1.5), Only(2)).choose(logits, [0, 1])
    assert (logits == LOGITS).all()


def test_only_what_a_grammar_allows_is_taken_and_the_grammar_is_told() -> None:
    mask = Only(2, 3)
    assert Chooser(Sampling(), mask).choose(LOGITS, []) == 2
    assert mask.taken == [2]


def test_what_was_chosen_within_a_grammar_is_as_likely_as_without_it() -> None:
    chooser = Chooser(Sampling(), Only(2))
    assert [chooser.choose(LOGITS, []), chooser.choose(LOGITS + 7, [])] == [2, 2]
    assert chooser.log_probability is not None
    assert abs(np.exp(chooser.log_probability) - 0.15**2) < 1e-6
    free = Chooser(Sampling())
    free.choose(LOGITS, [])
    assert free.log_probability is None


def test_what_was_chosen_is_as_likely_as_the_logits_say_whatever_temperature_penalty_and_grammar() -> None:
    chooser = Chooser(Sampling(temperature=3.0, repetition_penalty=2.0, seed=1), Only(1, 2))
    assert chooser.mean_log_probability is None
    taken = [chooser.choose(LOGITS + 3, [0, 1]) for _ in range(20)]
    assert set(taken) == {1, 2}
    assert chooser.mean_log_probability is not None
    assert abs(chooser.mean_log_probability - float(LOGITS[taken].mean())) < 1e-5
    broken = Chooser(Sampling())
    broken.choose(np.full(4, np.nan, np.float32), [])
    assert broken.mean_log_probability is None
