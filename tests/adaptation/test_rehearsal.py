"""What a base rehearses: its own answers to general requests, none of which is measured later."""

from __future__ import annotations

from itertools import islice

from adaptation.training_sets.rehearsal import rehearsal_rows, requests, whole_sentences
from evaluation.adapters.comparing import load_general


def test_no_request_is_one_by_which_forgetting_is_measured() -> None:
    measured = {each.ask.lower() for each in load_general()[0]}
    found = [text.lower() for text in islice(requests(0), 1000)]
    assert len(found) == len(set(found)) >= 250
    assert measured.isdisjoint(found)
    assert not any("{" in text for text in found)


def test_answers_that_were_cut_are_not_learned_and_the_others_are_the_bases_own() -> None:
    asked: list[str] = []

    def base(request: str) -> str | None:
        asked.append(request)
        return None if len(asked) % 2 else f"Said to: {request}"

    rows = rehearsal_rows(5, base, seed=3)
    assert [row.answer for row in rows] == [f"Said to: {row.question}" for row in rows]
    assert len(rows) == 5
    assert len(asked) == 10
    assert {row.kind for row in rows} == {"chat"}
    assert len({row.group for row in rows}) == 5, "each may go to another part"


def test_what_was_cut_ends_with_its_last_whole_sentence() -> None:
    assert whole_sentences("A kettle boils water. It is made of ste") == "A kettle boils water."
    assert whole_sentences("Yes! It is. And th") == "Yes! It is."
    assert whole_sentences("A kettle is a thing that") is None
    assert whole_sentences("") is None


def test_a_base_that_never_ends_its_answers_is_not_asked_for_ever() -> None:
    asked: list[str] = []

    def unending(request: str) -> None:
        asked.append(request)

    assert rehearsal_rows(4, unending, seed=0) == []
    assert len(asked) == 12


def test_the_seed_decides_what_is_requested() -> None:
    first, again, other = (list(islice(requests(seed), 20)) for seed in (1, 1, 2))
    assert first == again != other
