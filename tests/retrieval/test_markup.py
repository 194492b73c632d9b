"""Text without the tags that stand in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.assemble import assemble
from ingest.blocks import Block, BlockKind
from ingest.chunking import chunk_document
from ingest.context import embedding_texts
from retrieval.keyword_tokens import Term
from retrieval.markup import without_markup
from retrieval.passages import PassageIndex
from retrieval.weights import pseudo_question
from tests.retrieval.test_passages import AXES, SIGNATURE, put

TABLE = "<table>\n" + "".join(
    f"  <tr>\n    <td class='name'>item {n}</td>\n    <td>{n}</td>\n  </tr>\n" for n in range(30)
) + "</table>"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("<tr><td>Pump &amp; fan</td><td>3</td></tr>", "Pump & fan 3"),
        ("<table border='1'>\n  <TR>\n<th>名前</th>\n</TR></table>", "名前"),
        ("<style>td { color: red }</style><p>Kept.<br/>Also kept.", "Kept. Also kept."),
        ("<!DOCTYPE html><!-- not shown --><b>Shown</b>", "Shown"),
    ],
)
def test_tags_are_gone_and_what_they_show_is_kept(text: str, bare: str) -> None:
    assert without_markup(text) == bare


@pytest.mark.parametrize(
    "text",
    [
        "x <y and z> w",
        "if a < b and c > d: e",
        "use the `<table>` tag",
        "std::vector<int> v; List<String>",
        "  spaces \n\n and &amp; stay ",
        "<unknown>tag</unknown>",
        "mail <mori@example.com>",
        "",
    ],
)
def test_what_is_no_markup_is_returned_as_it_is(text: str) -> None:
    assert without_markup(text) == text


@given(st.text(alphabet="<>/!-tdrb `'=a\n", max_size=80))
def test_any_text_is_taken(text: str) -> None:
    assert len(without_markup(text)) <= len(text)


@pytest.mark.parametrize("text", ["<" * 100_000, "<td " * 30_000, "<style>" * 15_000, "<!--" * 25_000])
def test_broken_markup_takes_no_time(text: str) -> None:
    without_markup(text)


def test_cells_of_a_table_are_embedded_and_counted_and_its_tags_are_not() -> None:
    assembled = assemble([Block(TABLE, BlockKind.PARAGRAPH)])

    def count(texts: object) -> list[int]:
        return [len(text.split()) for text in texts]  # type: ignore[attr-defined]

    chunks = chunk_document(assembled, count, max_tokens=100, title="Stock")
    texts = embedding_texts(chunks, "Stock", count, 100)
    assert len(chunks) <= 3
    assert all(chunk.text == assembled.text[chunk.start : chunk.end] for chunk in chunks)
    assert "<td" in chunks[0].text
    assert not any("<" in text for text in texts)
    assert all(size <= 100 for size in count(texts))


def test_a_passage_is_found_by_its_cells_and_not_by_its_tags(tmp_path: Path) -> None:
    index = PassageIndex(tmp_path / "index", SIGNATURE, create=True)
    put(index, "a", "<tr><td class='strong'>kiln</td></tr>", 0)
    assert index.store.keyword([Term("kiln")], top=5)
    assert not index.store.keyword([Term("td")], top=5)
    assert not index.store.keyword([Term("strong")], top=5)
    assert index.search("kiln", AXES[0], top_k=1)[0].text.startswith("<tr>")


def test_a_made_up_question_has_no_tags() -> None:
    assert "td" not in pseudo_question("<tr><td>the kiln is fired at noon each day</td></tr>", random=1)
