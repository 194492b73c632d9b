"""Rules over whole answers: whoever is elected, and what is told of it."""

from __future__ import annotations

import numpy as np
import pytest

from kernel.ensembles.election import Elector
from kernel.ensembles.ranked import Ballot, ballots_of, borda, run_off
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.voices import Voice
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from tests.kernel.ensembles.made import answer, no_vectors, told, voices

ASKED = "At what temperature is the kiln fired?"
HOT = "It is fired at 1,240 °C. [1]"
ALSO_HOT = "The kiln is fired at 1240 degrees C [2]."
COLD = "It is fired at 900 °C. [3]"
RULES = ("majority", "weighted", "borda", "run_off")


def test_most_members_decide_however_well_supported_another_answer_is() -> None:
    heard = voices(answer(HOT, score=0.85), answer(ALSO_HOT, score=0.9, cites=[2]), answer(COLD, score=1.0))
    found = Elector(told("majority", 3), no_vectors).elect(heard, ASKED)
    assert found.groups == [0, 0, 1]
    assert found.answer.answer == ALSO_HOT  # the better supported one of those that say the same
    assert found.scores == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert not found.tie


def test_an_even_vote_is_named_and_goes_to_the_best_supported_answer() -> None:
    heard = voices(answer(HOT, score=0.85), answer(COLD, score=0.95))
    found = Elector(told("majority", 2), no_vectors).elect(heard, ASKED)
    assert (found.place, found.tie) == (1, [1, 0])


def test_a_weight_counts_and_that_of_the_kind_of_question_before_it() -> None:
    members = [
        {"variant": "a", "weight": 1.0, "weights": {"number": 5.0}},
        {"variant": "b", "weight": 2.0},
        {"variant": "c", "weight": 2.0},
    ]
    rule = EnsembleSettings.model_validate({"rule": "weighted", "members": members})
    heard = voices(answer(HOT), answer(COLD), answer(COLD))
    elector = Elector(rule, no_vectors)
    assert elector.elect(heard, "How many degrees has the kiln?").place == 0
    assert elector.elect(heard, "Why is the kiln so hot?").answer.answer == COLD


@pytest.mark.parametrize("rule", RULES)
def test_a_refusal_is_a_vote(rule: str) -> None:
    no = answer(refused=True, confidence=0.2)
    found = Elector(told(rule, 3), no_vectors).elect(voices(no, answer(COLD, score=0.82), no), ASKED)
    assert found.answer.refused


@pytest.mark.parametrize("rule", RULES)
def test_a_member_that_handed_over_to_the_quotations_is_no_second_voice_for_them(rule: str) -> None:
    quoted = answer(COLD, variant="extractive", score=0.9)
    own = answer(HOT, score=0.95)
    heard = [Voice(place, "base", each) for place, each in enumerate((quoted, own, own, quoted))]
    found = Elector(told(rule, 4), no_vectors).elect(heard, ASKED)
    assert found.weights == [0.0, 1.0, 1.0, 0.0]
    assert found.answer.answer == HOT


def test_answers_in_other_words_say_the_same_by_meaning_unless_their_figures_differ(
    embedder: SentenceTransformerEmbedder,
) -> None:
    heard = voices(
        answer("Staff throw the leftover solution away."),
        answer("The remaining liquid is discarded by employees."),
        answer("The remaining liquid is discarded by 3 employees."),
        answer("The remaining liquid is not discarded by employees."),
        answer("Parking is free on the north side."),
    )
    asked = "What happens next?"
    by_words = Elector(told("majority", 5), no_vectors).groups(heard, asked)
    by_meaning = Elector(told("majority", 5, same_meaning=0.88), embedder.embed_passages).groups(heard, asked)
    assert by_words[0] != by_words[1]
    assert by_meaning == [0, 0, 1, 2, 3]


def test_borda_prefers_whom_all_rank_second_to_whom_half_rank_last() -> None:
    votes = [
        Ballot({0: (3.0,), 1: (2.0,), 2: (1.0,)}),
        Ballot({0: (3.0,), 1: (2.0,), 2: (1.0,)}),
        Ballot({2: (3.0,), 1: (2.0,), 0: (1.0,)}),
        Ballot({2: (3.0,), 1: (2.5,), 0: (1.0,)}),
        Ballot({1: (3.0,), 2: (2.0,), 0: (2.0,)}),
    ]
    points = borda(votes)
    assert max(points, key=lambda number: points[number]) == 1
    assert points == pytest.approx({0: 0.45, 1: 0.6, 2: 0.45})


def test_members_that_tell_how_likely_they_find_answers_rank_others_by_it() -> None:
    heard = voices(answer(HOT), answer(COLD, cites=[1]), answer("It is not fired.", cites=[2]))
    alike = ballots_of(heard, [0, 1, 2], [1.0] * 3, {})[0].standings
    assert alike[0] > alike[1] > alike[2]  # the second cites what the first does
    ballots = ballots_of(heard, [0, 1, 2], [1.0] * 3, {0: [-2.0, -1.5, -0.3]})
    assert ballots[0].standings[0] > ballots[0].standings[2] > ballots[0].standings[1]
    assert ballots[1].standings == ballots_of(heard, [0, 1, 2], [1.0] * 3, {})[1].standings
    same = ballots_of(heard, [0, 1, 1], [1.0] * 3, {0: [-2.0, -1.5, -0.3]})[0].standings
    assert same[1][1] == -0.3


def test_run_off_moves_the_votes_of_whoever_leaves_and_names_an_even_end() -> None:
    votes = [
        *[Ballot({0: (3.0,), 1: (1.0,), 2: (2.0,)})] * 4,
        *[Ballot({1: (3.0,), 2: (2.0,), 0: (1.0,)})] * 3,
        *[Ballot({2: (3.0,), 1: (2.0,), 0: (1.0,)})] * 2,
    ]
    shares, even = run_off(votes, {0: 0.5, 1: 0.5, 2: 0.5})
    assert max(shares, key=lambda number: shares[number]) == 1  # 3 votes of its own and 2 that moved
    assert even == []
    _, even = run_off(votes[3:5], {0: 0.5, 1: 0.9, 2: 0.5})
    assert even == [0, 1]


def test_the_same_answers_are_elected_the_same_whatever_order_the_members_are_in() -> None:
    random = np.random.default_rng(7)
    texts = [
        answer(HOT, score=0.9),
        answer(ALSO_HOT, score=0.95),
        answer(COLD, score=0.91),
        answer(COLD, score=0.83),
    ]
    for rule in RULES:
        found = set()
        for _ in range(6):
            order = random.permutation(4)
            elected = Elector(told(rule, 4), no_vectors).elect(voices(*(texts[n] for n in order)), ASKED)
            found.add(elected.answer.answer)
        assert len(found) == 1, rule
