"""The facade over the real models and a real index of a few small documents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.answer import Answer, AnswerEvent, AskEvent, FinishReason, PassagesEvent, TokenEvent
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import IndexMissingError, IndexSignatureError, TekioError, UsageError

DOCUMENTS = {
    "ovens/kiln.md": "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours. The door stays shut until the "
    "kiln has cooled below 90 °C.\n\n## Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n",
    "rules/leave.txt": "Paid leave\n\nA new employee gets ten days of paid leave after six months. Requests go to "
    "the team leader two weeks ahead.\n",
    "ja/保管.md": "# 釉薬の保管\n\n釉薬G-7は5℃から25℃の棚Cに保管する。開封後は三か月以内に使い切る。\n",
}


def settings(folder: Path, store: ModelStore, **more: object) -> Settings:
    return Settings(index=folder / "index", adapters=folder / "adapters", cache=store.cache, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpus")
    for name, text in DOCUMENTS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def tekio(corpus: Path, model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    app = Tekio(settings(tmp_path_factory.mktemp("tekio"), model_store, max_new_tokens=48))
    report = app.ingest([corpus])
    assert (report.added, report.failed) == (3, 0)
    yield app
    app.close()


async def events(tekio: Tekio, question: str, **more: str) -> list[AskEvent]:
    return [event async for event in tekio.ask_stream(question, **more)]  # type: ignore[arg-type]


def assert_citations_resolve(tekio: Tekio, answer: Answer) -> None:
    assert answer.citations
    for citation in answer.citations:
        passage = answer.passages[citation.marker - 1]
        assert passage.document == citation.document
        assert tekio.quote(passage.id, citation.start, citation.end) == citation.quote
        assert f"[{citation.marker}]" in answer.answer


async def test_a_question_is_answered_by_the_language_model_with_a_citation_that_resolves(
    tekio: Tekio,
) -> None:
    seen = await events(tekio, "At what temperature is the kiln K2 fired?")
    assert isinstance(seen[0], PassagesEvent)
    assert isinstance(seen[-1], AnswerEvent)
    answer = seen[-1].answer
    assert "1,240" in answer.answer
    assert answer.citations[0].document == "ovens/kiln.md"
    assert_citations_resolve(tekio, answer)
    pieces = [event.text for event in seen if isinstance(event, TokenEvent)]
    assert len(pieces) > 1
    assert answer.usage.completion_tokens > 1
    assert answer.usage.prompt_tokens > 50
    assert answer.finish_reason in (FinishReason.STOP, FinishReason.LENGTH)
    assert answer.log_probability is not None
    assert -3 < answer.log_probability < 0


async def test_a_japanese_question_is_answered_by_quotation_and_the_answer_says_so(tekio: Tekio) -> None:
    answer = await tekio.ask("釉薬G-7は何度で保管しますか。")
    assert answer.variant == "extractive"
    assert answer.log_probability is None
    assert "5℃から25℃" in answer.answer
    assert answer.citations[0].document == "ja/保管.md"
    assert any("SmolLM2" in notice for notice in answer.notices)
    assert_citations_resolve(tekio, answer)


@pytest.mark.parametrize(
    ("question", "start"),
    [("What is the capital of France?", "I don't know"), ("フランスの首都はどこですか。", "わかりません")],
)
async def test_what_the_documents_do_not_hold_is_refused_in_the_questions_language(
    tekio: Tekio, question: str, start: str
) -> None:
    answer = await tekio.ask(question)
    assert answer.refused
    assert answer.answer.startswith(start)
    assert answer.citations == []
    assert answer.finish_reason is FinishReason.REFUSED
    assert answer.passages, "a refusal shows the nearest passages"
    assert answer.usage.completion_tokens == 0, "nothing is generated for a refusal"


async def test_extractive_quotes_verbatim_without_a_language_model(tekio: Tekio) -> None:
    answer = await tekio.ask("How long is glaze G-7 stirred before use?", variant="extractive")
    assert answer.answer.startswith("Glaze G-7 is stirred for 20 minutes before use.")
    assert answer.usage.prompt_tokens == answer.usage.completion_tokens == 0
    short = answer.short_answer
    assert short is not None
    assert "20" in short.text
    assert tekio.quote(answer.passages[short.marker - 1].id, short.start, short.end) == short.text
    assert answer.citations[0].start <= short.start < short.end <= answer.citations[0].end


@pytest.mark.parametrize("technique", ["one_shot", "few_shot", "chain_of_thought", "hybrid"])
async def test_every_technique_answers_with_citations_that_resolve(tekio: Tekio, technique: str) -> None:
    answer = await tekio.ask("At what temperature is the kiln K2 fired?", technique=technique)
    assert answer.technique == technique
    assert "1,240" in answer.answer
    assert_citations_resolve(tekio, answer)


async def test_questions_at_the_same_time_get_their_own_answers(tekio: Tekio) -> None:
    kiln, glaze = await asyncio.gather(
        tekio.ask("At what temperature is the kiln K2 fired?", variant="extractive"),
        tekio.ask("How long is glaze G-7 stirred before use?", variant="extractive"),
    )
    assert "1,240" in kiln.answer
    assert "20 minutes" in glaze.answer


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": "   "}, "the question is empty"),
        ({"question": "x" * 100_000}, "100,000 characters"),
        ({"question": "Why?", "top_k": 0}, "top_k must be between 1 and"),
        ({"question": "Why?", "top_k": 10**9}, "top_k must be between 1 and"),
        ({"question": "Why?", "variant": "nobody"}, "no variant 'nobody'; there are base, extractive"),
        ({"question": "Why?", "technique": "magic"}, "no technique 'magic'"),
        ({"question": "Why?", "language": "tlh"}, "en or ja"),
    ],
)
async def test_a_wrong_request_is_one_clear_line(
    tekio: Tekio, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        await tekio.ask(**arguments)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


async def test_without_an_index_a_question_says_what_to_run(tmp_path: Path, model_store: ModelStore) -> None:
    app = Tekio(settings(tmp_path, model_store))
    with pytest.raises(IndexMissingError, match="run `ingest PATH` first"):
        await app.ask("Why?")
    assert not settings(tmp_path, model_store).index.exists()


def test_an_index_of_another_embedder_is_refused_and_stays(
    corpus: Path, model_store: ModelStore, tmp_path: Path, tekio: Tekio
) -> None:
    other = Tekio(settings(tmp_path, model_store, embedder="all-MiniLM-L6-v2"))
    other.ingest([corpus / "rules"])
    other.close()
    again = Tekio(settings(tmp_path, model_store))
    with pytest.raises(IndexSignatureError, match="all-MiniLM-L6-v2"):
        again.ingest([corpus])
    with pytest.raises(IndexSignatureError, match="all-MiniLM-L6-v2"):
        asyncio.run(again.ask("Why?"))
    kept = Tekio(settings(tmp_path, model_store, embedder="all-MiniLM-L6-v2"))
    assert [item.document for item in kept.documents()] == ["leave.txt"]


@pytest.mark.parametrize("path", ["missing", "empty"])
def test_an_ingest_of_nothing_leaves_no_index_behind(
    tmp_path: Path, model_store: ModelStore, path: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError):
        Tekio(settings(tmp_path, model_store)).ingest([tmp_path / path])
    assert not (tmp_path / "index").exists()


def test_offline_without_models_fails_at_once_and_says_what_to_do(corpus: Path, tmp_path: Path) -> None:
    app = Tekio(Settings(index=tmp_path / "index", cache=tmp_path / "cache", offline=True))
    started = time.perf_counter()
    with pytest.raises(TekioError, match="tekio models fetch"):
        app.ingest([corpus])
    assert time.perf_counter() - started < 5


def test_ingesting_again_embeds_nothing_and_a_changed_file_is_replaced(
    model_store: ModelStore, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "a.txt").write_text("The pump is checked every Monday.")
    (root / "b.txt").write_text("The valve is checked every Friday.")
    app = Tekio(settings(tmp_path, model_store))
    assert app.ingest([root]).added == 2
    fresh = Tekio(settings(tmp_path, model_store))
    assert fresh.ingest([root]).unchanged == 2
    (root / "a.txt").write_text("The pump is checked every Tuesday, by the night shift.")
    report = fresh.ingest([root])
    assert (report.updated, report.unchanged) == (1, 1)
    texts = [item.text for item in asyncio.run(fresh.search("When is the pump checked?"))]
    assert "The pump is checked every Tuesday, by the night shift." in texts
    assert not any("Monday" in text for text in texts)


async def test_a_copy_of_a_file_is_named_beside_the_passage_and_not_shown_again(
    corpus: Path, tmp_path: Path, model_store: ModelStore
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("kiln.md", "kiln (1).md"):
        (tmp_path / "docs" / name).write_text(DOCUMENTS["ovens/kiln.md"], encoding="utf-8")
    (tmp_path / "docs" / "leave.txt").write_text(DOCUMENTS["rules/leave.txt"], encoding="utf-8")
    with closing(Tekio(settings(tmp_path, model_store))) as app:
        app.ingest([tmp_path / "docs"])
        question = "At what temperature is the kiln K2 fired?"
        answer = await app.ask(question, variant="extractive")
        assert "1,240" in answer.answer
        used = answer.passages[answer.citations[0].marker - 1]
        assert {used.document, *used.also_in} == {"kiln.md", "kiln (1).md"}
        texts = [passage.text for passage in await app.search(question)]
        assert len(texts) == len(set(texts)) > 1
    with closing(Tekio(settings(tmp_path, model_store, collapse_copies=False))) as app:
        texts = [passage.text for passage in await app.search(question)]
        assert len(texts) > len(set(texts))


async def test_a_cross_encoder_of_the_settings_that_is_none_is_told(
    tmp_path: Path, model_store: ModelStore, corpus: Path
) -> None:
    with closing(Tekio(settings(tmp_path, model_store, reranker="multilingual-e5-small"))) as app:
        app.ingest([corpus])
        with pytest.raises(UsageError, match="no reranker"):
            await app.search("kiln")
