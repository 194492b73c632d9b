"""What is remembered for one user is in nobody else's answers, by no stored or shared answer either."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import caller

AKI, BEN = caller("aki"), caller("ben")
QUESTION = "At what temperature is the kiln K2 fired?"
FACT = "The kiln K2 of my team is fired ten degrees hotter on Fridays."


@pytest.fixture
def tekio(tmp_path: Path, model_store: ModelStore) -> Iterator[Tekio]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "kiln.md").write_text(
        "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n", encoding="utf-8"
    )
    settings = Settings(
        index=tmp_path / "index",
        memory=tmp_path / "memory",
        cache=model_store.cache,
        variant="extractive",
    )
    with closing(Tekio(settings)) as app:
        app.ingest([tmp_path / "docs"])
        yield app


async def test_a_stored_answer_is_given_again_and_says_so(tekio: Tekio) -> None:
    assert (await tekio.ask(QUESTION, caller=BEN)).cache is None
    again = await tekio.ask(QUESTION, caller=BEN)
    assert again.cache is not None
    assert again.cache.hit == "exact"


async def test_who_has_something_remembered_gets_an_answer_of_their_own_which_nobody_else_gets(
    tekio: Tekio,
) -> None:
    await tekio.ask(QUESTION, caller=AKI)  # stored
    tekio.memory.add(FACT, caller=AKI)
    own = await tekio.ask(QUESTION, caller=AKI)
    assert own.cache is None
    assert [each.text for each in own.memories] == [FACT]
    other = await tekio.ask(QUESTION, caller=BEN)
    assert other.memories == []
    assert FACT not in other.model_dump_json()


async def test_users_who_ask_at_once_do_not_share_what_is_remembered(tekio: Tekio) -> None:
    tekio.memory.add(FACT, caller=AKI)
    answers = await asyncio.gather(*(tekio.ask(QUESTION, caller=who) for who in (AKI, BEN, AKI, BEN)))
    assert [[each.text for each in answer.memories] for answer in answers] == [[FACT], [], [FACT], []]


async def test_what_is_to_be_remembered_is_never_answered_from_what_is_stored(tekio: Tekio) -> None:
    for who in (AKI, BEN):
        answer = await tekio.ask(f"Remember that {FACT}", caller=who)
        assert answer.cache is None
        assert answer.variant == "memory"
    assert len(tekio.memory.listed(AKI)) == len(tekio.memory.listed(BEN)) == 1


async def test_a_calibrated_threshold_is_not_overruled_by_a_stored_answer(
    tekio: Tekio, tmp_path: Path, model_store: ModelStore
) -> None:
    from dataclasses import replace

    from kernel.answering.answerability import load_model

    assert not (await tekio.ask(QUESTION)).refused
    tekio.keep_answerability(replace(load_model(), threshold=1.0))
    with closing(Tekio(tekio.settings)) as again:
        answer = await again.ask(QUESTION)
    assert answer.refused
    assert answer.cache is None
