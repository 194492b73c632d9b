"""Chains of thought voted on step by step, over what writes on from a draft."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kernel.answering.citations import CheckedText
from kernel.answering.step_voting import Written, vote_by_steps

ASKED = "How long is the kiln fired?"


def unchecked(text: str) -> CheckedText:
    return CheckedText(text, [], [], [])


async def voted(script: Sequence[Sequence[str]]) -> tuple[str, float, list[str]]:
    """Vote over scripted ways to go on; return the draft, the agreement on the answer, and what was gone on from."""
    given: list[str] = []

    async def go_on(draft: str, most: int, number: int) -> Written:
        given.append(draft)
        return Written(list(script[len(given) - 1]), 100, most)

    found = await vote_by_steps(
        go_on, samples=3, question=ASKED, language="en", max_new_tokens=160, check=unchecked
    )
    assert found.metadata["prompt_tokens"] == 100 * len(given)
    return found.draft, found.samples.agreement, given


async def test_the_step_that_most_take_is_gone_on_from_and_the_answer_is_voted_on_in_the_end() -> None:
    draft, agreement, given = await voted(
        [
            ["Passage 1 says nine hours.", "Passage 2 says ten hours.", "Passage 1 says nine hours. More."],
            ["Answer: nine hours", "Answer: nine hours", "So it takes nine hours."],
            ["Nine hours [1].", "9 hours [1].", "Ten hours [2]."],
        ]
    )
    assert given[1] == "Steps: Passage 1 says nine hours."
    assert given[2] == "Steps: Passage 1 says nine hours.\nAnswer: "
    assert draft == "Steps: Passage 1 says nine hours.\nAnswer: Nine hours [1]."
    assert agreement == pytest.approx(2 / 3, abs=0.001)


async def test_a_chain_that_goes_round_in_circles_ends_with_an_answer() -> None:
    again = ["Passage 1 says nine hours."] * 3
    draft, _, given = await voted([again, again, ["Nine hours [1]."] * 3])
    assert len(given) == 3
    assert draft.count("Passage 1 says nine hours.") == 1
    assert draft.endswith("Answer: Nine hours [1].")


async def test_drafts_without_steps_are_answers_at_once() -> None:
    draft, agreement, given = await voted([["Answer: nine hours"] * 3, ["Nine hours [1]."] * 3])
    assert (len(given), agreement) == (2, 1.0)
    assert draft == "Steps:\nAnswer: Nine hours [1]."
