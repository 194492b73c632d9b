"""The stage that finds the parts of a question, and searches that take it in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.answer import PassagesEvent
from kernel.answering.parts import check_multi_query, checked_parts, find_parts
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from retrieval.errors import UsageError
from retrieval.queries import MAX_PARTS

QUESTION = "What is the dose of zolane, and who signs the form?"
SPLIT = ("What is the dose of zolane", "who signs the form?")


async def writes(text: str) -> str:
    return "1. What is the dose of zolane?\n- Who signs the form?\n"


async def writes_nothing_of_use(text: str) -> str:
    return "I cannot help with that.\n\n"


async def test_the_stage_goes_by_rules_by_the_model_or_not_at_all() -> None:
    assert await find_parts(QUESTION, "off", writes) == ()
    assert await find_parts(QUESTION, "rules", writes) == SPLIT
    assert await find_parts(QUESTION, "model", writes) == (
        "What is the dose of zolane?",
        "Who signs the form?",
    )


async def test_without_a_model_or_anything_of_use_from_it_rules_find_the_parts() -> None:
    assert await find_parts(QUESTION, "model", None) == SPLIT
    assert await find_parts(QUESTION, "model", writes_nothing_of_use) == SPLIT
    assert await find_parts("What is the dose of zolane?", "model", writes_nothing_of_use) == ()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("What is the dose of zolane?\nWho signs the form?", ("What is the dose of zolane?", "Who signs the form?")),
        ("1) What is the dose?\n2) Who signs?", ("What is the dose?", "Who signs?")),
        ("Question: Who signs the form?\nQuestion: Who signs the form", ("Who signs the form?",)),
        (f"The answer to this is: {QUESTION}\nWho signs the form?", ("Who signs the form?",)),
        ("\n \n?!\n", ()),
        ("The dose of zolane is on the form.\nWho is yellow in Peru?\nWhat is the dose of zolane 5?", ()),
        ("用量は何ですか。", ()),
        ("dose zolane form signs " * 20, ()),
        ("\n".join(f"who signs the dose of zolane form {'x' * n}?" for n in range(1, 9)), None),
    ],
)  # fmt: skip
def test_what_a_model_writes_is_checked(written: str, kept: tuple[str, ...] | None) -> None:
    found = checked_parts(written, QUESTION)
    assert len(found) == MAX_PARTS if kept is None else found == kept


def test_japanese_lines_are_checked_too() -> None:
    question = "ゾランの用量は何mgで、書類には誰が署名しますか。"
    written = "・ゾランの用量は何mgですか。\n２．書類には誰が署名しますか。\nWho signs?\n天気はどうですか。"
    assert checked_parts(written, question) == ("ゾランの用量は何mgですか。", "書類には誰が署名しますか。")


@given(st.text(max_size=200), st.text(max_size=60))
def test_whatever_a_model_writes_gives_few_short_parts(written: str, question: str) -> None:
    parts = checked_parts(written, question)
    assert len(parts) <= MAX_PARTS
    assert all(part.strip() and len(part) <= 2 * len(question) and "\n" not in part for part in parts)


@pytest.mark.parametrize("way", ["nonsense", "", "RULES", "on"])
def test_an_unknown_way_is_told(way: str) -> None:
    with pytest.raises(UsageError, match="off, rules, model"):
        check_multi_query(way)


def test_an_unknown_way_in_the_settings_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_MULTI_QUERY", "nonsense")
    with pytest.raises(UsageError, match="TEKIO_MULTI_QUERY"):
        load_settings()


# -- over a real index ----------------------------------------------------------------------------------------

DOCUMENTS = {
    f"zolane-{n}.md": f"# Zolane {n}\n\nThe dose of zolane in ward {n} is {n} mg a day.\n" for n in range(6)
}
DOCUMENTS |= {
    "form.md": "# Paper\n\nThe form is signed by the ward manager.\n\nIt is kept for ten years.\n",
    "用量.md": "# 書類\n\n書類には病棟長が署名する。\n",
}  # fmt: skip
BOTH = "What is the dose of zolane in ward 1, and who signs the form?"


@pytest.fixture(scope="module")
def tekio(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Iterator[Tekio]:
    folder = tmp_path_factory.mktemp("parts")
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    settings = Settings(index=folder / "index", cache=model_store.cache, chunk_tokens=32, max_new_tokens=16)
    with closing(Tekio(settings)) as app:
        app.ingest([folder / "docs"])
        yield app


async def test_each_part_has_its_passage_among_the_first_and_it_is_told_which(tekio: Tekio) -> None:
    found = await tekio.search(BOTH, top_k=2, multi_query="rules")
    assert {each.document for each in found} == {"zolane-1.md", "form.md"}
    form = next(each for each in found if each.document == "form.md")
    assert form.parts["who signs the form?"] == 1


async def test_a_question_of_one_part_is_searched_for_exactly_as_without(tekio: Tekio) -> None:
    for question in ("Who signs the form?", "誰が署名しますか。", "zolane", "?" * 100, "？！", "a" * 8000):
        assert await tekio.search(question, multi_query="rules") == await tekio.search(
            question, multi_query="off"
        )


@pytest.mark.parametrize(
    "query",
    ["?" * 100, "?!.,;:", "What is a? " * 727, "何が、" * 2600, "\ud800 and who \x00?", "who, and what?"],
)
@pytest.mark.parametrize("mode", ["hybrid", "keyword"])
async def test_any_text_is_searched_for_in_parts(tekio: Tekio, query: str, mode: str) -> None:
    found = await tekio.search(query, mode=mode, multi_query="rules", parent=True)
    assert len(found) <= 5
    assert all(len(each.parts) <= MAX_PARTS for each in found)


async def test_an_unknown_way_is_told_before_anything_is_searched(tekio: Tekio) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        await tekio.search("zolane", multi_query="nonsense")
    with pytest.raises(UsageError, match="nonsense"):
        await tekio.ask("zolane", multi_query="nonsense")


async def test_an_answer_is_from_the_passages_of_every_part(tekio: Tekio) -> None:
    stream = tekio.ask_stream(BOTH, variant="extractive", top_k=2, multi_query="rules")
    first = await anext(stream)
    await stream.aclose()
    assert isinstance(first, PassagesEvent)
    assert {each.document for each in first.passages} == {"zolane-1.md", "form.md"}


async def test_the_language_model_splits_a_question_and_what_it_writes_can_be_searched_for(
    tekio: Tekio,
) -> None:
    answer = await tekio.ask(BOTH, variant="base", top_k=3, multi_query="model")
    assert answer.timings_ms["parts"] > 0
    found = await tekio.search(BOTH, top_k=3, multi_query="model")
    assert [each.id for each in found] == [each.id for each in answer.passages]
    assert 1 <= len(found[0].parts) <= MAX_PARTS
    assert "parts" not in (await tekio.ask("zolane", variant="extractive", multi_query="off")).timings_ms


async def test_a_language_that_the_model_does_not_speak_goes_by_rules(tekio: Tekio) -> None:
    question = "書類には誰が署名しますか。保存期間は何年ですか。"
    by_model = await tekio.search(question, multi_query="model")
    assert by_model == await tekio.search(question, multi_query="rules")
    assert any(each.parts for each in by_model)


async def test_a_passage_is_shown_with_its_section_on_request(tekio: Tekio) -> None:
    (plain,) = await tekio.search("Who signs the form?", top_k=1, parent=False)
    (whole,) = await tekio.search("Who signs the form?", top_k=1, parent=True)
    assert plain.id == whole.id
    assert plain.text in whole.text
    assert tekio.quote(whole.id, whole.start, whole.end) == whole.text


async def test_the_setting_shows_sections_in_answers_with_citations_that_resolve(
    tekio: Tekio, model_store: ModelStore
) -> None:
    settings = tekio.settings.model_copy(update={"show_parent": True, "variant": "extractive"})
    with closing(Tekio(settings)) as app:
        answer = await app.ask("How long is the form kept?")
        assert "ten years" in answer.answer
        assert "signed by" in answer.passages[answer.citations[0].marker - 1].text
        for citation in answer.citations:
            passage = answer.passages[citation.marker - 1]
            assert app.quote(passage.id, citation.start, citation.end) == citation.quote


async def test_an_answer_of_quotations_says_something_of_each_part(tekio: Tekio) -> None:
    answer = await tekio.ask(BOTH, variant="extractive", top_k=5, multi_query="rules")
    assert len(answer.citations) == 2
    whole = await tekio.ask(BOTH, variant="extractive", top_k=5, multi_query="off")
    assert {each.quote for each in answer.citations} >= {whole.citations[0].quote}
