"""A pipeline asked as a variant: translated, answered, translated back, and the sources as the documents have them."""

from __future__ import annotations

import pytest

from kernel.answer import AnswerEvent, PassagesEvent, TokenEvent
from kernel.app import Tekio
from kernel.pipelines.events import StepFailedError
from retrieval.access import caller
from retrieval.errors import UsageError
from tests.kernel.pipelines.tiny import (
    ANSWER_EN,
    ANSWER_JA,
    GLAZE_QUESTION_JA,
    QUESTION_EN,
    QUESTION_JA,
)
from tests.kernel.remote.stub_server import Stub

FIRED = "The kiln K2 is fired at 1,240 °C for nine hours."


async def test_a_japanese_question_is_answered_from_english_documents_with_the_sources_untouched(
    tekio: Tekio,
) -> None:
    events = [event async for event in tekio.ask_stream(QUESTION_JA, variant="japanese", cache=False)]
    assert isinstance(events[0], PassagesEvent)
    assert isinstance(events[-1], AnswerEvent)
    answer = events[-1].answer
    assert answer.answer == ANSWER_JA
    assert (answer.variant, answer.language, answer.question) == ("japanese", "ja", QUESTION_JA)
    (citation,) = answer.citations
    assert (citation.document, citation.quote, citation.marker) == ("kiln.md", FIRED, 1)
    assert FIRED in answer.passages[0].text
    (claim,) = answer.claims
    assert answer.answer[claim.start : claim.end] == ANSWER_JA
    assert claim.citations == [0]
    assert "".join(event.text for event in events if isinstance(event, TokenEvent)).strip() == ANSWER_JA
    assert answer.pipeline is not None
    asked, said, back = answer.pipeline.steps
    assert (asked.output, said.output["answer"], back.output["answer"]) == (QUESTION_EN, ANSWER_EN, ANSWER_JA)
    assert "passages" not in said.output
    assert answer.usage.completion_tokens == asked.completion_tokens + back.completion_tokens > 0


async def test_what_a_translation_does_to_markers_and_figures_is_mended_and_told(tekio: Tekio) -> None:
    answer = await tekio.ask(GLAZE_QUESTION_JA, variant="japanese", cache=False)
    assert answer.answer == "釉薬G-7は 使う前に 混ぜます [1]。"
    assert [citation.marker for citation in answer.citations] == [1]
    assert answer.citations[0].document == "glaze.md"
    told = " ".join(answer.notices)
    assert "引用番号" in told
    assert "20" in told


async def test_a_question_in_the_language_of_the_model_is_not_translated(tekio: Tekio) -> None:
    answer = await tekio.ask(QUESTION_EN, variant="japanese", cache=False)
    assert answer.answer == ANSWER_EN
    assert answer.pipeline is not None
    assert [step.completion_tokens for step in answer.pipeline.steps] == [0, 0, 0]


async def test_sentences_that_nothing_supports_are_found_before_and_marked_after(
    tekio: Tekio, stub: Stub
) -> None:
    stub.script = lambda call: call.write("窯K2は1,240 °Cで九時間焼く。")
    answer = await tekio.ask(QUESTION_EN, variant="far_back", cache=False)
    assert answer.answer == "窯K2は1,240 °Cで九時間焼く [1]。"
    assert [claim.status.value for claim in answer.claims] == ["supported"]
    assert answer.unsupported == []
    assert answer.usage.cost == pytest.approx((11 * 3 + 7 * 5) / 1e6)  # of the translation alone


async def test_a_refusal_is_said_in_the_language_of_the_question_by_no_model(
    tekio: Tekio, stub: Stub
) -> None:
    answer = await tekio.ask("Who won the chess championship of 1987?", variant="far_back", cache=False)
    assert answer.refused
    assert answer.answer.startswith("わかりません")
    assert stub.calls == []


async def test_a_refusal_is_its_own_summary(tekio: Tekio) -> None:
    answer = await tekio.ask("Who won the chess championship of 1987?", variant="brief", cache=False)
    assert answer.refused
    assert answer.pipeline is not None
    assert [(step.error, step.output) for step in answer.pipeline.steps][1] == ("", answer.answer)
    assert answer.notices == []


async def test_an_answer_that_cannot_be_translated_back_stands_as_it_was_written(
    tekio: Tekio, stub: Stub
) -> None:
    stub.script = lambda call: call.error(500, "out of order")
    answer = await tekio.ask(QUESTION_EN, variant="far_back")
    assert answer.answer == ANSWER_EN
    assert any("The step 'back' failed" in notice for notice in answer.notices)
    assert answer.pipeline is not None
    assert [bool(step.error) for step in answer.pipeline.steps] == [False, True]
    stub.script = lambda call: call.write("焼く。")
    again = await tekio.ask(QUESTION_EN, variant="far_back")
    assert (again.cache, again.language) == (None, "ja"), "what failed is not stored"
    assert (await tekio.ask(QUESTION_EN, variant="far_back")).cache is not None


async def test_a_question_that_cannot_be_translated_fails_by_its_step(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.error(500, "out of order")
    with pytest.raises(StepFailedError, match="the step 'to_english' of the pipeline 'far_first' failed"):
        await tekio.ask(QUESTION_JA, variant="far_first", cache=False)


async def test_a_follow_up_stands_alone_before_it_is_translated(tekio: Tekio) -> None:
    said = [(QUESTION_JA, ANSWER_JA)]
    answer = await tekio.ask(QUESTION_JA, variant="japanese", history=said, cache=False)
    assert (answer.asked, answer.answer) == (QUESTION_JA, ANSWER_JA)


async def test_steps_answer_from_what_the_caller_may_read(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write("給料は 4,711 ユーロ。")
    question = "What is the pay of Aoki a month?"
    seen = await tekio.ask(question, variant="far_back", caller=caller("aoki", ()), cache=False)
    assert "4,711" in seen.citations[0].quote
    hidden = await tekio.ask(question, variant="far_back", caller=caller("tanaka", ()), cache=False)
    assert "4,711" not in hidden.model_dump_json()
    found = await tekio.run_pipeline("far_back", question, caller=caller("tanaka", ()))
    assert "4,711" not in found.model_dump_json()


async def test_a_pipeline_that_answers_nothing_is_no_variant(tekio: Tekio) -> None:
    assert "japanese" in tekio.variants()
    assert "seed" not in tekio.variants()
    with pytest.raises(UsageError, match=r"has no step that answers, .* run it by `tekio pipeline run seed`"):
        await tekio.ask(QUESTION_EN, variant="seed")
