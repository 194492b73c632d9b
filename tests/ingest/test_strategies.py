from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.assemble import Assembled, assemble
from ingest.blocks import Block, BlockKind
from ingest.chunking import chunk_document
from ingest.context import embedding_texts
from ingest.readers import read_file
from ingest.strategies import STRATEGIES, Chunking
from ingest.units import make_units
from kernel.model_store import ModelStore
from retrieval.records import Chunk
from retrieval.sentence_transformer import SentenceTransformerEmbedder

Count = Callable[[Sequence[str]], list[int]]

# What a reader sees as one character, though it is several to Python.
CLUSTERS = ("か\u3099", "e\u0301", "ｶﾞ", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "👍🏽", "🇯🇵", "❤️")


def characters(texts: Sequence[str]) -> list[int]:
    """Count each character that is no white space as a token, as for Japanese."""
    return [sum(not char.isspace() for char in text) for text in texts]


def greedy(texts: Sequence[str]) -> list[int]:
    """Count white space too, so that joined texts cost more than their parts."""
    return [len(text) for text in texts]


@pytest.fixture(scope="module")
def e5_count(model_store: ModelStore) -> Count:
    """The counter of the default embedder; it loads the tokenizer only."""
    found = model_store.resolve("multilingual-e5-small")
    return SentenceTransformerEmbedder(found.folder, model=found.name, revision=found.revision).count_tokens


def check(
    assembled: Assembled, chunks: Sequence[Chunk], count: Count, chunking: Chunking, title: str = ""
) -> None:
    """Assert what every strategy promises for every document."""
    text = assembled.text
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text.strip()
        if chunk.shown is not None:
            assert 0 <= chunk.shown[0] <= chunk.start < chunk.end <= chunk.shown[1] <= len(text)
            assert chunk.shown != (chunk.start, chunk.end)
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)
    assert [c.end for c in chunks] == sorted(c.end for c in chunks)
    at = 0
    for chunk in chunks:
        assert not text[at : max(at, chunk.start)].strip(), "text is lost"
        at = max(at, chunk.end)
    assert not text[at:].strip(), "text is lost"
    if chunks:
        embedded = embedding_texts(chunks, title, count, chunking.max_tokens)
        assert max(count(embedded)) <= chunking.max_tokens
    shown = [text[slice(*chunk.shown)] for chunk in chunks if chunk.shown is not None]
    if shown and chunking.strategy == "parent_child":
        assert max(count(shown)) <= chunking.parent_tokens
        parents = parents_of(chunks)
        assert all(before[1] <= after[0] for before, after in pairwise(parents))
        assert len(parents) == len(set(parents))
    check_repeats(assembled, chunks, count, chunking)
    check_headings(assembled, chunks, chunking)


def check_repeats(assembled: Assembled, chunks: Sequence[Chunk], count: Count, chunking: Chunking) -> None:
    units = make_units(assembled, count)
    starts, ends = {unit.start for unit in units}, {unit.end for unit in units}
    for before, after in pairwise(chunks):
        repeated = (after.start, before.end)
        if repeated[0] >= repeated[1]:
            continue
        assert chunking.overlap_sentences
        assert chunking.strategy in ("structure", "fixed")
        if chunking.strategy == "structure":
            inside = [unit for unit in units if repeated[0] <= unit.start and unit.end <= repeated[1]]
            assert repeated[0] in starts
            assert repeated[1] in ends
            assert len(inside) <= chunking.overlap_sentences
        else:
            # A fifth at most, by an estimate.
            assert count([assembled.text[slice(*repeated)]])[0] <= 0.3 * chunking.max_tokens + 3


def check_headings(assembled: Assembled, chunks: Sequence[Chunk], chunking: Chunking) -> None:
    if chunking.strategy == "fixed":
        return
    kinds: dict[int, BlockKind] = {}
    kind = BlockKind.PARAGRAPH
    for index, (block, (start, end)) in enumerate(zip(assembled.blocks, assembled.spans, strict=True)):
        # What goes on over a page break is of the kind of the block that it goes on from.
        kind = kind if block.continues and index else block.kind
        kinds.update(dict.fromkeys(range(start, end), kind))
    for chunk in chunks:
        if kinds[chunk.end - 1] is BlockKind.HEADING:
            rest = assembled.text[chunk.end :]
            following = chunk.end + len(rest) - len(rest.lstrip())
            # Only what is a heading again may follow: a run of headings longer than a chunk.
            assert kinds.get(following, BlockKind.HEADING) is BlockKind.HEADING


def heading(text: str, level: int = 1) -> Block:
    return Block(text, BlockKind.HEADING, level=level)


def parents_of(chunks: Sequence[Chunk]) -> list[tuple[int, int]]:
    return [key for key, _ in groupby(chunk.shown or (chunk.start, chunk.end) for chunk in chunks)]


SENTENCES = [f"Sentence number {number} says something of its own here." for number in range(40)]


# -- each strategy ------------------------------------------------------------------------------------------


def test_fixed_windows_are_full_and_carry_the_headings_they_begin_under() -> None:
    assembled = assemble([heading("One"), Block(" ".join(SENTENCES)), heading("Two"), Block("漢字" * 300)])
    chunking = Chunking("fixed", max_tokens=100, overlap_sentences=0)
    chunks = chunk_document(assembled, characters, chunking=chunking, title="T")
    check(assembled, chunks, characters, chunking, "T")
    sizes = characters([chunk.text for chunk in chunks])
    assert min(sizes[:-1]) > 60
    assert {chunk.headings for chunk in chunks} == {("One",), ("Two",)}
    assert all(chunk.shown is None for chunk in chunks)


def test_fixed_windows_repeat_a_tenth_for_each_sentence_of_overlap() -> None:
    assembled = assemble([Block("漢字" * 500)])
    for sentences, share in ((0, 0.0), (1, 0.1), (2, 0.2), (9, 0.2)):
        chunking = Chunking("fixed", max_tokens=240, overlap_sentences=sentences)
        chunks = chunk_document(assembled, characters, chunking=chunking)
        repeated = [before.end - after.start for before, after in pairwise(chunks)]
        assert all(share * 240 - 24 <= size <= share * 240 for size in repeated)


def test_a_sentence_is_found_and_the_sentences_around_it_are_shown() -> None:
    assembled = assemble([heading("One"), Block(" ".join(SENTENCES)), heading("Two"), Block(SENTENCES[0])])
    chunking = Chunking("sentence_window", max_tokens=120, window_sentences=2)
    chunks = chunk_document(assembled, characters, chunking=chunking)
    check(assembled, chunks, characters, chunking)
    fifth = next(chunk for chunk in chunks if chunk.text == SENTENCES[5])
    assert fifth.shown is not None
    assert assembled.text[slice(*fifth.shown)] == " ".join(SENTENCES[3:8])
    assert chunks[0].text == f"One\n\n{SENTENCES[0]}"
    last_of_one = next(chunk for chunk in chunks if chunk.text == SENTENCES[39])
    assert last_of_one.shown is not None
    assert assembled.text[slice(*last_of_one.shown)] == " ".join(SENTENCES[37:])
    assert chunks[-1].shown is None


def test_short_sentences_are_taken_together_and_long_ones_cut() -> None:
    assembled = assemble(
        [Block("はい。いいえ。" + "これは十分に長い文であるから一つで足りる。" + "あ" * 300)]
    )
    chunking = Chunking("sentence_window", max_tokens=64)
    chunks = chunk_document(assembled, characters, chunking=chunking)
    check(assembled, chunks, characters, chunking)
    assert chunks[0].text == "はい。いいえ。これは十分に長い文であるから一つで足りる。"
    assert len(chunks) > 5


def test_what_a_sentence_shows_is_no_longer_than_a_parent() -> None:
    assembled = assemble([Block(" ".join(SENTENCES))])
    chunking = Chunking("sentence_window", max_tokens=120, window_sentences=30, parent_tokens=300)
    chunks = chunk_document(assembled, characters, chunking=chunking)
    assert max(characters([assembled.text[slice(*c.shown)] for c in chunks if c.shown])) <= 300


def test_children_are_small_and_show_the_parent_that_they_share() -> None:
    blocks = [block for n in range(4) for block in (heading(f"Part {n}"), Block(" ".join(SENTENCES[:20])))]
    assembled = assemble(blocks)
    chunking = Chunking("parent_child", max_tokens=150, child_tokens=100, parent_tokens=500)
    chunks = chunk_document(assembled, characters, chunking=chunking)
    check(assembled, chunks, characters, chunking)
    parents = parents_of(chunks)
    assert len(parents) == 8
    assert all(not assembled.text[a[1] : b[0]].strip() for a, b in pairwise(parents))
    assert all(300 < size <= 500 for size in characters([assembled.text[slice(*one)] for one in parents]))
    assert max(characters([chunk.text for chunk in chunks])) <= 100
    assert {chunk.headings for chunk in chunks} == {(f"Part {n}",) for n in range(4)}


def test_a_child_in_a_parent_of_several_tiny_sections_has_the_headings_of_its_own() -> None:
    blocks = [heading("FAQ")]
    for name in ("One", "Two", "Three"):
        blocks += [heading(name, 2), Block("A short answer of some thirty letters.")]
    chunking = Chunking("parent_child", max_tokens=90, child_tokens=50, parent_tokens=400)
    assembled = assemble(blocks)
    chunks = chunk_document(assembled, characters, chunking=chunking)
    check(assembled, chunks, characters, chunking)
    assert [chunk.headings[-1] for chunk in chunks] == ["One", "Two", "Three"]
    assert len(parents_of(chunks)) == 1


# -- the phrases ------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["structure", "sentence_window", "parent_child"])
@pytest.mark.parametrize("kind", ["md", "html", "docx", "txt", "tabs.txt"])
def test_later_pieces_of_a_table_of_any_reader_carry_its_header(
    tmp_path: Path, count_tokens: Count, strategy: str, kind: str
) -> None:
    rows = [("Name", "Dose", "Way"), *((f"drug {n}", f"{n} mg", "by mouth") for n in range(40))]
    path = tmp_path / f"doses.{kind}"
    path.write_bytes(table_file(rows, kind))
    result = read_file(path)
    assembled = assemble(result.blocks)
    chunking = Chunking(strategy, max_tokens=60, child_tokens=40)
    chunks = chunk_document(assembled, count_tokens, chunking=chunking, title="Doses")
    check(assembled, chunks, count_tokens, chunking, "Doses")
    assert len(chunks) > 5
    for embedded, chunk in zip(embedding_texts(chunks, "Doses", count_tokens, 60), chunks, strict=True):
        assert re.search(r"Name\W+Dose\W+Way", embedded)
        assert re.search(r"Name\W+Dose\W+Way", "\n".join((*chunk.headings, chunk.text)))


def table_file(rows: Sequence[Sequence[str]], kind: str) -> bytes:
    if kind == "docx":
        document = Document()
        table = document.add_table(rows=0, cols=len(rows[0]))
        for row in rows:
            for cell, value in zip(table.add_row().cells, row, strict=True):
                cell.text = value
        out = BytesIO()
        document.save(out)
        return out.getvalue()
    if kind == "html":
        cells = ("".join(f"<td>{cell}</td>" for cell in row) for row in rows)
        return f"<table>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>".encode()
    if kind == "tabs.txt":
        return "\n".join("\t".join(row) for row in rows).encode()
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- | --- | --- |", *lines[1:]]).encode()


def test_a_table_without_a_row_of_words_on_top_has_no_header() -> None:
    rows = "\n".join(f"drug {n}\t{n} mg\tby mouth" for n in range(30))
    assembled = assemble([heading("Doses"), Block(rows, BlockKind.TABLE)])
    chunks = chunk_document(assembled, characters, max_tokens=90)
    assert {chunk.headings for chunk in chunks} == {("Doses",)}


def test_code_that_fits_is_whole_also_where_a_heading_stands_elsewhere_in_the_section() -> None:
    code = "```\n" + "\n".join(f"line_{n:02}" for n in range(11)) + "\n```"
    assembled = assemble([heading("A heading of some length"), Block("Words. "), Block(code, BlockKind.CODE)])
    size = characters([code])[0]
    chunks = chunk_document(assembled, characters, max_tokens=size + 24)
    check(assembled, chunks, characters, Chunking(max_tokens=size + 24))
    assert code in [chunk.text for chunk in chunks]


def test_the_last_of_many_headings_stays_with_its_text() -> None:
    headings = [heading(f"Heading {level} of a deep document", level) for level in range(1, 7)]
    assembled = assemble([*headings, Block("The text that they all stand above.")])
    for strategy in ("structure", "sentence_window", "parent_child"):
        chunking = Chunking(strategy, max_tokens=90, child_tokens=70)
        chunks = chunk_document(assembled, characters, chunking=chunking)
        check(assembled, chunks, characters, chunking)
        assert "Heading 6" in chunks[-1].text
        assert chunks[-1].text.endswith("above.")


# -- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strategy": "magic"}, "strategy 'magic' is none of structure, fixed"),
        ({"max_tokens": 7}, "max_tokens must be at least 8, not 7"),
        ({"overlap_sentences": -1}, "overlap_sentences must be at least 0"),
        ({"window_sentences": -1}, "window_sentences"),
        ({"strategy": "parent_child", "parent_tokens": 50}, "at least child_tokens"),
    ],
)
def test_wrong_sizes_are_named_in_one_line(wrong: dict[str, str | int], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Chunking.from_dict(wrong)
    assert "\n" not in str(caught.value)


def test_a_chunking_is_kept_by_what_its_chunks_depend_on() -> None:
    for strategy in STRATEGIES:
        chunking = Chunking(strategy, max_tokens=100)
        again = Chunking.from_dict(chunking.as_dict())
        assert again.as_dict() == chunking.as_dict()
        assert chunking.name.startswith(f"{strategy} max_tokens=100 ")
    assert Chunking(parent_tokens=500).as_dict() == Chunking().as_dict()
    with pytest.raises(ValueError, match="no size"):
        Chunking.from_dict({"size": 3})


def test_a_cap_that_is_given_takes_the_place_of_the_settings() -> None:
    assembled = assemble([Block("漢字です。" * 50)])
    chunks = chunk_document(assembled, characters, chunking=Chunking(max_tokens=200), max_tokens=40)
    assert chunks == chunk_document(assembled, characters, chunking=Chunking(max_tokens=40))


# -- any document -------------------------------------------------------------------------------------------

words = st.sampled_from(
    [
        "薬品は保管庫に置く。",
        "「はい。」と言った。",
        "The nurse records it. ",
        "e.g. 3.5 mg, ",
        "？",
        "。",
        "、",
        "12 ",
        "x" * 60,
        "温度記録票" * 12,
        "\n",
        " ",
        "https://example.org/a/b?c=d ",
        *CLUSTERS,
    ]
)
prose = st.lists(words, min_size=1, max_size=14).map("".join)
tables = st.integers(1, 9).map(
    lambda n: "| 名 | Dose |\n| --- | --- |\n" + "\n".join(f"| 薬{i} | {i} mg |" for i in range(n))
)
code = st.integers(1, 12).map(lambda n: "```\n" + "    value = compute(1)\n" * n + "```")
block_lists = st.lists(
    st.one_of(
        st.builds(Block, prose, st.just(BlockKind.PARAGRAPH), continues=st.booleans()),
        st.builds(Block, prose.map("- ".__add__), st.just(BlockKind.LIST_ITEM)),
        st.builds(Block, prose, st.just(BlockKind.HEADING), st.integers(1, 4)),
        st.builds(
            Block,
            st.sampled_from(["手順", "Doses", "1. 目的"]),
            st.just(BlockKind.HEADING),
            st.integers(1, 3),
        ),
        st.builds(Block, tables, st.just(BlockKind.TABLE)),
        st.builds(Block, code, st.just(BlockKind.CODE)),
    ),
    max_size=10,
)


def paged(blocks: Sequence[Block], steps: Sequence[int]) -> Assembled:
    page = 1
    out: list[Block] = []
    for block, step in zip(blocks, steps, strict=False):
        page += step
        out.append(Block(block.text, block.kind, block.level, page, block.continues and bool(out)))
    return assemble(out, page)


documents_made = st.builds(
    lambda blocks, steps, with_pages: paged(blocks, steps) if with_pages else assemble(blocks),
    block_lists,
    st.lists(st.integers(0, 2), min_size=10, max_size=10),
    st.booleans(),
)
chunkings = st.builds(
    Chunking,
    strategy=st.sampled_from(STRATEGIES),
    max_tokens=st.sampled_from([8, 9, 16, 24, 40, 64, 128]),
    overlap_sentences=st.integers(0, 3),
    window_sentences=st.integers(0, 3),
    child_tokens=st.sampled_from([4, 12, 32]),
    parent_tokens=st.sampled_from([32, 100, 900]),
)


@settings(deadline=None, max_examples=200)
@given(documents_made, chunkings, st.sampled_from([characters, greedy]), prose)
def test_any_document_keeps_the_rules_with_any_strategy(
    assembled: Assembled, chunking: Chunking, count: Count, title: str
) -> None:
    chunks = chunk_document(assembled, count, chunking=chunking, title=title)
    check(assembled, chunks, count, chunking, title)
    assert chunks == chunk_document(assembled, count, chunking=chunking, title=title)


@settings(deadline=None, max_examples=100)
@given(documents_made, chunkings, prose)
def test_any_document_keeps_the_rules_with_the_real_tokenizer(
    e5_count: Count, assembled: Assembled, chunking: Chunking, title: str
) -> None:
    chunks = chunk_document(assembled, e5_count, chunking=chunking, title=title)
    check(assembled, chunks, e5_count, chunking, title)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from([*CLUSTERS, "あ", "x", "漢字、"]), min_size=30, max_size=80), st.data())
def test_no_cut_goes_through_what_a_reader_sees_as_one_character(
    pieces: list[str], data: st.DataObject
) -> None:
    chunking = Chunking(
        data.draw(st.sampled_from(STRATEGIES)), max_tokens=data.draw(st.integers(24, 48)), child_tokens=16
    )
    assembled = assemble([Block("".join(pieces))])
    chunks = chunk_document(assembled, characters, chunking=chunking)
    check(assembled, chunks, characters, chunking)
    at, inside = 0, set()
    for piece in pieces:
        if piece in CLUSTERS:
            inside |= set(range(at + 1, at + len(piece)))
        at += len(piece)
    assert not inside & {edge for chunk in chunks for edge in (chunk.start, chunk.end)}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_counter_is_called_for_many_texts_at_once(strategy: str) -> None:
    calls = 0

    def counting(texts: Sequence[str]) -> list[int]:
        nonlocal calls
        calls += 1
        return characters(texts)

    blocks = [b for n in range(200) for b in (heading(f"第{n}節", 2), Block("これは長い文です。" * 40))]
    chunk_document(assemble(blocks), counting, chunking=Chunking(strategy, max_tokens=100))
    assert calls < 16


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "name", ["niilc-qa__NIILC-ECQA2015_AnnotationDefinition.md", "docling__word_tables.docx"]
)
def test_public_documents_keep_the_rules_with_any_strategy(
    documents: Path, count_tokens: Count, name: str, strategy: str
) -> None:
    result = read_file(documents / name)
    assembled = assemble(result.blocks[:400], result.pages)
    chunking = Chunking(strategy, max_tokens=96, overlap_sentences=0)
    chunks = chunk_document(assembled, count_tokens, chunking=chunking, title=result.title or "")
    check(assembled, chunks, count_tokens, chunking, result.title or "")
