"""Stored answers over the real models and a real index: given again while they hold, and only to whom they may be."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import NoReturn

import pytest

from kernel.answer import AnswerEvent, FinishReason, PassagesEvent, TokenEvent
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import PUBLIC, Access, Caller
from retrieval.errors import TekioError, UsageError

KILN = "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours. Its door stays shut until it is below 90 °C.\n"
GLAZE = "# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use. It is kept on shelf C.\n"
STIRRED = "How long is glaze G-7 stirred before use?"
HOT = "At what temperature is the kiln K2 fired?"


Open = Callable[..., Tekio]


@pytest.fixture(scope="module")
def kept(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    """One Tekio for all tests, so that the models are loaded once."""
    place = tmp_path_factory.mktemp("again")
    settings = Settings(
        index=place / "index",
        memory=place / "memory",
        adapters=place / "adapters",
        cache=model_store.cache,
        variant="extractive",
        max_new_tokens=48,
    )
    app = Tekio(settings)
    yield app
    app.close()


@pytest.fixture
def folder(kept: Tekio) -> Path:
    """The documents, as they are at the start of each test."""
    documents = kept.settings.index.parent / "documents"
    shutil.rmtree(documents, ignore_errors=True)
    documents.mkdir()
    (documents / "kiln.md").write_text(KILN, encoding="utf-8")
    (documents / "glaze.md").write_text(GLAZE, encoding="utf-8")
    return documents


@pytest.fixture
def tekio(kept: Tekio, folder: Path) -> Tekio:
    kept.ingest([folder], access=PUBLIC)
    kept.forget_answers()
    return kept


@pytest.fixture
def another(kept: Tekio) -> Iterator[Open]:
    """Open further facades, as other processes do, which share the loaded embedder to save time."""
    opened: list[Tekio] = []

    def open_tekio(**changed: object) -> Tekio:
        app = Tekio(kept.settings.model_copy(update=changed))
        app._embedder = kept._find_embedder()
        opened.append(app)
        return app

    yield open_tekio
    for app in opened:
        app.close()


async def test_the_same_question_gets_the_stored_answer_marked_and_costs_no_tokens(tekio: Tekio) -> None:
    first = await tekio.ask(HOT, variant="base")
    assert first.cache is None
    assert first.usage.completion_tokens > 0
    events = [event async for event in tekio.ask_stream(f"  {HOT.replace(' ', '　')} ", variant="base")]
    assert first.finish_reason is FinishReason.STOP
    assert isinstance(events[0], PassagesEvent)
    assert not any(isinstance(event, TokenEvent) for event in events)
    (again,) = [event.answer for event in events if isinstance(event, AnswerEvent)]
    assert again.cache is not None
    assert (again.cache.hit, again.cache.question) == ("exact", HOT)
    assert (again.answer, again.citations) == (first.answer, first.citations)
    spent = first.usage.prompt_tokens + first.usage.completion_tokens
    assert (again.usage.prompt_tokens, again.usage.completion_tokens, again.usage.cached_tokens) == (
        0,
        0,
        spent,
    )
    assert "generate" not in again.timings_ms


async def test_another_variant_technique_number_or_filter_is_another_question(tekio: Tekio) -> None:
    await tekio.ask(STIRRED)
    assert (await tekio.ask(STIRRED)).cache is not None
    assert (await tekio.ask(STIRRED, technique="few_shot")).cache is None
    assert (await tekio.ask(STIRRED, top_k=1)).cache is None
    assert (await tekio.ask(STIRRED, where=["language=en"])).cache is None
    assert (await tekio.ask(STIRRED, max_new_tokens=20)).cache is None
    assert (await tekio.ask(STIRRED, cache=False)).cache is None


async def test_a_stored_answer_outlives_the_process_but_not_a_setting_that_changes_answers(
    tekio: Tekio, another: Open
) -> None:
    await tekio.ask(STIRRED)
    assert (await another().ask(STIRRED)).cache is not None
    assert (await another(passage_cache=0).ask(STIRRED)).cache is not None
    assert (await another(min_confidence=0.01).ask(STIRRED)).cache is None


async def test_a_change_of_what_it_cited_makes_the_answer_anew(tekio: Tekio, folder: Path) -> None:
    assert "20 minutes" in (await tekio.ask(STIRRED)).answer
    (folder / "glaze.md").write_text(GLAZE.replace("20", "35"), encoding="utf-8")
    tekio.ingest([folder])
    assert tekio.stored_answers().answers == 0, "taken out at once, not at the next question"
    changed = await tekio.ask(STIRRED)
    assert changed.cache is None
    assert "35 minutes" in changed.answer


async def test_a_removed_document_answers_no_more_and_its_words_are_wiped(tekio: Tekio, folder: Path) -> None:
    await tekio.ask(STIRRED)
    (folder / "glaze.md").unlink()
    tekio.ingest([folder])
    gone = await tekio.ask(STIRRED)
    assert gone.cache is None
    assert all(passage.document != "glaze.md" for passage in gone.passages)
    assert tekio.forget_answers() >= 0
    assert b"stirred for 20 minutes" not in tekio.settings.answers_file.read_bytes()


async def test_a_change_elsewhere_leaves_the_answer_if_the_passages_are_the_same(
    tekio: Tekio, folder: Path
) -> None:
    first = await tekio.ask(STIRRED, top_k=1)
    refused = await tekio.ask("Who won the chess match in Oslo?", top_k=1)
    assert refused.refused
    assert (await tekio.ask("Who won the chess match in Oslo?", top_k=1)).cache is not None
    (folder / "chess.md").write_text("# Chess\n\nBerg won the chess match in Oslo.\n", encoding="utf-8")
    tekio.ingest([folder])
    again = await tekio.ask(STIRRED, top_k=1)
    assert again.cache is not None
    assert again.answer == first.answer
    answered = await tekio.ask("Who won the chess match in Oslo?", top_k=1)
    assert answered.cache is None, "a refusal does not outlive a change of the index"
    assert "Berg" in answered.answer


async def test_a_better_passage_that_came_in_makes_the_answer_anew(tekio: Tekio, folder: Path) -> None:
    await tekio.ask(STIRRED)
    (folder / "newer.md").write_text(
        "# Glaze\n\nFrom May on glaze G-7 is stirred for 45 minutes before use.\n", encoding="utf-8"
    )
    tekio.ingest([folder])
    newer = await tekio.ask(STIRRED)
    assert newer.cache is None
    assert "newer.md" in {passage.document for passage in newer.passages}


async def test_an_index_made_anew_in_the_same_place_has_no_old_answers(
    another: Open, folder: Path, tmp_path: Path
) -> None:
    places = {"answers": tmp_path / "answers", "index": tmp_path / "index", "memory": tmp_path / "memory"}
    one = another(**places)
    one.ingest([folder])
    await one.ask(STIRRED)
    one.close()
    shutil.rmtree(tmp_path / "index")
    (folder / "glaze.md").write_text(GLAZE.replace("20", "35"), encoding="utf-8")
    other = another(**places)
    other.ingest([folder])
    assert "35 minutes" in (await other.ask(STIRRED)).answer


async def test_nobody_gets_an_answer_from_what_they_may_not_read(tekio: Tekio) -> None:
    tekio.share(["glaze.md"], Access("mori", ("group:glazing",)))
    owner = await tekio.ask(STIRRED)
    mori = await tekio.ask(STIRRED, caller=Caller("mori"))
    assert mori.cache is None
    assert "20 minutes" in owner.answer
    assert "20 minutes" in mori.answer
    assert (await tekio.ask(STIRRED, caller=Caller("mori"))).cache is not None
    stranger = await tekio.ask(STIRRED, caller=Caller("sato"))
    assert stranger.cache is None
    assert "20 minutes" not in stranger.answer
    tekio.share(["glaze.md"], Access("sato", ()))
    no_longer = await tekio.ask(STIRRED, caller=Caller("mori"))
    assert no_longer.cache is None
    assert "20 minutes" not in no_longer.answer


async def test_what_was_cut_or_left_is_not_stored(tekio: Tekio) -> None:
    cut = await tekio.ask(HOT, variant="base", max_new_tokens=3)
    assert (await tekio.ask(HOT, variant="base", max_new_tokens=3)).cache is None
    assert cut.usage.completion_tokens == 3
    async with aclosing(tekio.ask_stream(HOT, variant="base")) as events:
        async for event in events:
            if isinstance(event, TokenEvent):
                break
    assert tekio.stored_answers().answers == 0


async def test_what_was_answered_without_the_reading_model_is_not_stored(
    tekio: Tekio, another: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise TekioError("the reading model could not be stored: no space left")

    monkeypatch.setattr("kernel.reading_model._merged", full)
    without = another()
    assert (await without.ask(HOT)).answer
    assert without.stored_answers().answers == 0
    await tekio.ask(HOT)
    assert tekio.stored_answers().answers == 1, "with it, the same question's answer is"


async def test_ten_who_ask_at_once_are_answered_by_one_generation(tekio: Tekio) -> None:
    await tekio.warm_up()
    asking = [asyncio.create_task(tekio.ask(HOT, variant="base")) for _ in range(10)]
    await asyncio.sleep(0.1)
    leader = asking.pop(0)
    leader.cancel()
    answers = await asyncio.gather(*asking)
    assert leader.cancelled()
    assert len({(answer.answer, answer.timings_ms["generate"]) for answer in answers}) == 1, "one generation"
    assert {answer.cache for answer in answers} == {None}, "they are one new answer, not a stored one"
    assert tekio.stored_answers().answers == 1


async def test_a_question_in_other_words_is_answered_from_what_is_stored_where_the_setting_says_so(
    tekio: Tekio, another: Open
) -> None:
    await tekio.ask(STIRRED)
    assert (await tekio.ask("How long is the glaze G-7 stirred, before use?")).cache is None
    tekio.forget_answers()
    other = another(similar_questions=0.9)
    await other.ask(STIRRED)
    near = await other.ask("How long is the glaze G-7 stirred, before use?")
    assert near.cache is not None
    assert (near.cache.hit, near.cache.question) == ("semantic", STIRRED)
    assert near.question == "How long is the glaze G-7 stirred, before use?"
    assert (await other.ask("How long is glaze G-8 stirred before use?")).cache is None


async def test_the_cache_can_be_off_shown_and_emptied(tekio: Tekio, another: Open) -> None:
    await tekio.ask(STIRRED)
    state = tekio.stored_answers()
    assert (state.answers, state.refusals) == (1, 0)
    assert state.documents >= 1
    assert (await another(answer_cache=False).ask(STIRRED)).cache is None
    assert tekio.forget_answers() == 1
    assert (await tekio.ask(STIRRED)).cache is None


async def test_a_damaged_cache_stops_no_question(tekio: Tekio, another: Open, tmp_path: Path) -> None:
    app = another(answers=tmp_path)
    app.settings.answers_file.write_bytes(b"nonsense" * 1000)
    assert "20 minutes" in (await app.ask(STIRRED)).answer


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be between 1 and 48"),
        ({"max_new_tokens": 49}, "max_new_tokens must be between 1 and 48"),
        ({"max_prompt_tokens": 10**6}, "max_prompt_tokens must be between 1 and 1,400"),
        ({"max_prompt_tokens": 20, "variant": "base"}, "raise max_prompt_tokens"),
    ],
)
async def test_a_budget_out_of_bounds_is_one_clear_line(
    tekio: Tekio, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        await tekio.ask(HOT, **options)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


async def test_passages_are_found_once_for_the_same_search_and_heed_a_change_of_readers(tekio: Tekio) -> None:
    one = await tekio.search(STIRRED, caller=Caller("sato"))
    assert await tekio.search(STIRRED, caller=Caller("sato")) == one
    tekio.share(["glaze.md"], Access("mori", ()))
    assert all(
        passage.document != "glaze.md" for passage in await tekio.search(STIRRED, caller=Caller("sato"))
    )
    assert (await tekio.search(STIRRED, caller=Caller("mori")))[0].document == "glaze.md"
