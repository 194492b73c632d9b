"""Ensembles over the real models: members are asked side by side or one by one, and one answer is elected."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kernel.answer import Answer, AnswerEvent, AskEvent, EnsembleReport, PassagesEvent, Technique, TokenEvent
from kernel.answering.asked import Asked
from kernel.app import Tekio
from kernel.ensembles.answers import AnswerEnsemble
from kernel.ensembles.settings import EnsembleSettings
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import PUBLIC
from retrieval.errors import TekioError, UsageError
from retrieval.stages import Step
from tests.kernel.ensembles.made import answer as made_answer
from tests.kernel.ensembles.made import no_vectors

KILN = "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours. Its door stays shut until it is below 90 °C.\n"
GLAZE = "# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use. It is kept on shelf C.\n"
HOT = "At what temperature is the kiln K2 fired?"
MOON = "Who won the regatta on the moon in 1877?"
DEAD = {
    "engine": "openai",
    "address": "http://127.0.0.1:9/v1",
    "model": "none",
    "retries": 0,
    "languages": ["en"],
}


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


@pytest.fixture(scope="module")
def tekio(
    model_store: ModelStore, small_base: Path, silent: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tekio]:
    place = tmp_path_factory.mktemp("ensembles")
    documents = place / "documents"
    documents.mkdir()
    (documents / "kiln.md").write_text(KILN, encoding="utf-8")
    (documents / "glaze.md").write_text(GLAZE, encoding="utf-8")
    two = ["extractive", {"variant": "base", "technique": "few_shot"}]
    settings = Settings.model_validate(
        {
            "index": place / "index",
            "memory": place / "memory",
            "adapters": place / "adapters",
            "cache": model_store.cache,
            "generator": str(small_base),
            "max_new_tokens": 24,
            "variants": {"dead": DEAD, "silent": DEAD | {"address": silent}},
            "ensembles": {
                "both": {"members": two},
                "broken": {"members": ["dead", "extractive"]},
                "late": {"members": ["extractive", "silent"], "seconds": 5},
                "none": {"members": ["dead", "silent"], "seconds": 1},
                "sure": {"members": ["extractive", "base"], "if_below": 0.2},
                "unsure": {"members": ["extractive", "base"], "if_below": 1.0},
                "unfitted": {"members": two, "rule": "stacked"},
                "steps": {
                    "members": [
                        "extractive",
                        {
                            "variant": "base",
                            "technique": "chain_of_thought",
                            "samples": 2,
                            "step_votes": True,
                        },
                    ]
                },
                "quotes": {"members": ["extractive", {"variant": "extractive", "technique": "few_shot"}]},
                "over_steps": {"members": ["steps", "extractive"]},
                "nested": {"members": ["quotes", "extractive"]},
            },
        }
    )
    app = Tekio(settings)
    app.ingest([documents], access=PUBLIC)
    yield app
    app.close()


def report_of(answer: Answer) -> EnsembleReport:
    assert answer.ensemble is not None
    return answer.ensemble


async def test_an_answer_is_elected_and_says_who_answered_what_at_what_cost(tekio: Tekio) -> None:
    events = [event async for event in tekio.ask_stream(HOT, variant="both")]
    assert [event.variant for event in events if isinstance(event, PassagesEvent)] == ["both"]
    assert isinstance(events[0], PassagesEvent)
    (answer,) = [event.answer for event in events if isinstance(event, AnswerEvent)]
    report = report_of(answer)
    assert answer.variant == "both"
    assert "1,240" in answer.answer
    assert all(citation.quote in KILN for citation in answer.citations)
    assert [(member.variant, member.technique) for member in report.members][1] == ("base", "few_shot")
    assert [member.chosen for member in report.members].count(True) == 1
    # Of quotations there is none, nor of a draft that was given up for them.
    quoted = [member.answered_by == "extractive" and not member.refused for member in report.members]
    assert [member.log_probability is None for member in report.members] == quoted
    assert answer.usage.prompt_tokens == sum(member.prompt_tokens for member in report.members) > 0
    assert answer.usage.completion_tokens == report.members[1].completion_tokens > 0
    assert {"member extractive", "member base/few_shot", "total"} <= set(answer.timings_ms)
    chosen = next(member for member in report.members if member.chosen)
    pieces = "".join(event.text for event in events if isinstance(event, TokenEvent))
    assert chosen.answered_by != "extractive" or "1,240" in pieces
    assert "majority" in report.explanation


async def test_stored_answers_of_members_are_used_and_that_of_the_ensemble_is_stored_too(
    tekio: Tekio,
) -> None:
    asked = "How long is glaze G-7 stirred before use?"
    alone = await tekio.ask(asked, variant="extractive", technique="zero_shot")
    again = await tekio.ask(asked, variant="nested", technique="zero_shot")
    assert again.answer == alone.answer
    assert [(member.variant, member.cached) for member in report_of(again).members] == [
        ("quotes", False),
        ("extractive", True),
    ]
    stored = await tekio.ask(asked, variant="nested", technique="zero_shot")
    assert stored.cache is not None
    assert report_of(stored) == report_of(again)


async def test_members_that_do_not_speak_the_language_have_no_vote_and_are_named(tekio: Tekio) -> None:
    asked = "窯 K2 は何度で焼成しますか。"
    answer = await tekio.ask(asked, variant="both", technique="zero_shot")
    quoting, base = report_of(answer).members
    assert (quoting.chosen, base.answered_by, base.weight) == (True, "extractive", 0.0)
    assert "1,240" in answer.answer
    told = report_of(answer).explanation
    assert "数に入る回答が一つだけ" in told
    assert told.endswith("数に入れていません：base/few_shot。")


async def test_a_member_that_fails_is_named_and_the_others_decide(tekio: Tekio) -> None:
    answer = await tekio.ask(HOT, variant="broken")
    failed, other = report_of(answer).members
    assert "1,240" in answer.answer
    assert failed.error
    assert other.chosen
    assert any("dead" in notice for notice in answer.notices)
    assert (await tekio.ask(HOT, variant="broken")).cache is None  # another time it may not fail


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("nothing", ["", " \n", "。", "…"])
@pytest.mark.parametrize("one_by_one", [False, True])
async def test_a_member_whose_answer_is_empty_is_named_and_the_others_decide(
    nothing: str, one_by_one: bool, language: str
) -> None:
    told = EnsembleSettings.model_validate(
        {"members": ["silent", "loud", "soft"], "if_below": 1.0 if one_by_one else None}
    )
    texts = {"silent": nothing, "loud": "Nine hours [1].", "soft": "9 hours [1]."}

    async def ask(asked: Asked, step: Step) -> AsyncGenerator[AskEvent, None]:
        given = made_answer(texts[asked.variant], variant=asked.variant)
        yield AnswerEvent(answer=given.model_copy(update={"language": language}))

    ensemble = AnswerEnsemble("e", told, embed=no_vectors, fitted=None)
    asked = asked_for("How long?" if language == "en" else "どのくらいですか。")
    events = [event async for event in ensemble.stream(asked, ask, Step("question"))]
    assert isinstance(events[-1], AnswerEvent)
    answer = events[-1].answer
    silent, loud, soft = report_of(answer).members
    why = {"en": "it wrote nothing", "ja": "何も書きませんでした"}[language]
    assert (silent.error, silent.weight, silent.group) == (why, None, None)
    assert loud.group == soft.group == 0
    assert answer.answer in ("Nine hours [1].", "9 hours [1].")
    assert any("silent" in notice and why in notice for notice in answer.notices)


async def test_where_every_member_is_empty_that_is_the_error() -> None:
    async def ask(asked: Asked, step: Step) -> AsyncGenerator[AskEvent, None]:
        yield AnswerEvent(answer=made_answer("", variant=asked.variant))

    ensemble = AnswerEnsemble("e", EnsembleSettings(members=["a", "b"]), embed=no_vectors, fitted=None)
    with pytest.raises(
        TekioError, match="no member of the ensemble e answered; the first one: it wrote nothing"
    ):
        async for _ in ensemble.stream(asked_for("How long?"), ask, Step("question")):
            pass


def asked_for(question: str) -> Asked:
    return Asked(
        question,
        variant="e",
        chosen=True,
        technique=Technique.ZERO_SHOT,
        top_k=5,
        language=None,
        where=(),
        multi_query="off",
        caller=None,
    )


async def test_a_member_that_takes_too_long_is_named_and_the_others_decide(tekio: Tekio) -> None:
    await tekio.ask(HOT, variant="extractive")
    answer = await tekio.ask(HOT, variant="late")
    quick, late = report_of(answer).members
    assert quick.chosen
    assert late.error == "it took longer than 5 seconds"
    assert any("silent" in notice for notice in answer.notices)


async def test_whoever_leaves_early_stops_all_members(tekio: Tekio) -> None:
    before = asyncio.all_tasks()
    async with aclosing(tekio.ask_stream("Where is glaze G-7 kept?", variant="late", cache=False)) as events:
        first = await anext(events)
    assert isinstance(first, PassagesEvent)
    assert asyncio.all_tasks() == before


async def test_where_no_member_answers_the_error_is_that_of_the_first(tekio: Tekio) -> None:
    with pytest.raises(TekioError) as alone:
        await tekio.ask(HOT, variant="dead")
    with pytest.raises(TekioError) as together:
        await tekio.ask(HOT, variant="none")
    assert "could not be reached" in str(alone.value)
    assert "could not be reached" in str(together.value)


async def test_a_sure_first_answer_is_streamed_live_and_ends_it(tekio: Tekio) -> None:
    events = [event async for event in tekio.ask_stream(HOT, variant="sure", cache=False)]
    (answer,) = [event.answer for event in events if isinstance(event, AnswerEvent)]
    report = report_of(answer)
    assert report.not_asked == ["base"]
    assert [member.variant for member in report.members] == ["extractive"]
    assert any(isinstance(event, TokenEvent) for event in events)
    assert answer.usage.completion_tokens == 0
    both = report_of(await tekio.ask(HOT, variant="unsure", cache=False))
    assert both.not_asked == []
    assert [member.variant for member in both.members] == ["extractive", "base"]


async def test_all_members_that_refuse_make_a_refusal(tekio: Tekio) -> None:
    answer = await tekio.ask(MOON, variant="both")
    assert answer.refused
    assert [member.refused for member in report_of(answer).members] == [True, True]
    assert {member.group for member in report_of(answer).members} == {0}


async def test_something_to_remember_is_put_to_one_member_alone(tekio: Tekio) -> None:
    answer = await tekio.ask("Remember that my ward is HCU.", variant="both", conversation="c")
    assert len(report_of(answer).members) == 1
    assert len(tekio.memory.listed(None)) == 1


async def test_a_chain_of_thought_is_voted_on_step_by_step(tekio: Tekio) -> None:
    alone = await tekio.ask(HOT, variant="base", technique="chain_of_thought")
    answer = await tekio.ask(HOT, variant="steps")
    stepped = report_of(answer).members[1]
    assert not stepped.error
    assert stepped.technique == "chain_of_thought"
    # The prompt was gone on from more than once: for steps, and then for the answer.
    assert stepped.prompt_tokens > 2 * alone.usage.prompt_tokens > 0
    assert (await tekio.ask(HOT, variant="steps")).cache is None  # chance is part of it
    await tekio.ask(HOT, variant="over_steps")
    assert (await tekio.ask(HOT, variant="over_steps")).cache is None  # and of whatever is made of that


async def test_a_rule_that_has_to_be_fitted_says_how(tekio: Tekio) -> None:
    with pytest.raises(UsageError, match="tekio adapt ensemble unfitted --questions FILE"):
        await tekio.ask(HOT, variant="unfitted")
