from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.assemble import Assembled, assemble
from ingest.blocks import Block, BlockKind
from ingest.chunking import chunk_document
from ingest.context import ContextFitter, embedding_texts, heading_context
from ingest.readers import read_file
from retrieval.records import Chunk

Count = Callable[[Sequence[str]], list[int]]


def characters(texts: Sequence[str]) -> list[int]:
    """Count each character that is no white space as a token, as for Japanese."""
    return [sum(not char.isspace() for char in text) for text in texts]


def greedy(texts: Sequence[str]) -> list[int]:
    """Count white space too, so that joined texts cost more than their parts."""
    return [len(text) for text in texts]


def heading(text: str, level: int = 1, page: int | None = None) -> Block:
    return Block(text, BlockKind.HEADING, level=level, page=page)


def check(assembled: Assembled, chunks: Sequence[Chunk], count: Count, cap: int, title: str = "") -> None:
    """Assert what holds for every document: exact spans, the cap, nothing lost, order."""
    for chunk in chunks:
        assert assembled.text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip("\n")
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)
    assert [c.end for c in chunks] == sorted(c.end for c in chunks)
    assert len({(c.start, c.end) for c in chunks}) == len(chunks)
    covered = bytearray(len(assembled.text))
    for chunk in chunks:
        covered[chunk.start : chunk.end] = b"\1" * (chunk.end - chunk.start)
    assert not "".join(char for char, seen in zip(assembled.text, covered, strict=True) if not seen).strip()
    if chunks:
        assert max(count(embedding_texts(chunks, title, count, cap))) <= cap


def test_a_short_document_is_one_chunk_with_its_heading() -> None:
    assembled = assemble([heading("安全"), Block("手袋を着ける。"), Block("記録する。")])
    (chunk,) = chunk_document(assembled, characters, max_tokens=60)
    assert chunk.text == "安全\n\n手袋を着ける。\n\n記録する。"
    assert chunk.headings == ("安全",)


def test_text_without_spaces_is_cut_at_sentences_and_never_over_the_cap() -> None:
    text = "これは十分に長い日本語の文です。" * 200
    assembled = assemble([Block(text)])
    chunks = chunk_document(assembled, characters, max_tokens=64)
    check(assembled, chunks, characters, 64)
    assert all(chunk.text.endswith("。") for chunk in chunks)


def test_a_sentence_longer_than_the_cap_is_cut_at_commas_or_anywhere() -> None:
    assembled = assemble([Block("あ" * 500), Block("いろは、" * 100)])
    chunks = chunk_document(assembled, characters, max_tokens=50)
    check(assembled, chunks, characters, 50)
    assert any(chunk.text.endswith("、") for chunk in chunks)


def test_chunks_are_cut_at_headings_and_never_end_with_one() -> None:
    blocks = []
    for number in range(6):
        blocks += [
            heading(f"第{number}章"),
            Block("本文がここにあります。" * 5),
            heading("細目", 2),
            Block("続きの文。" * 9),
        ]
    assembled = assemble(blocks)
    chunks = chunk_document(assembled, characters, max_tokens=70, overlap_sentences=0)
    check(assembled, chunks, characters, 70)
    assert all(chunk.text.endswith("。") for chunk in chunks)
    assert chunks[0].headings == ("第0章",)
    assert ("第5章", "細目") in [chunk.headings for chunk in chunks]


def test_a_heading_without_text_goes_with_the_section_below_it() -> None:
    assembled = assemble([heading("Part"), heading("Chapter", 2), Block("Text. " * 30)])
    first = chunk_document(assembled, characters, max_tokens=60)[0]
    assert first.text.startswith("Part\n\nChapter\n\nText.")
    assert first.headings == ("Part", "Chapter")


def test_tiny_sections_under_one_parent_are_put_together() -> None:
    blocks = [heading("FAQ"), Block("Some introduction of the page that is long enough to stand alone. " * 3)]
    for name in ("One", "Two", "Three"):
        blocks += [heading(name, 2), Block("Short.")]
    chunks = chunk_document(assemble(blocks), characters, max_tokens=240)
    assert chunks[-1].text == "One\n\nShort.\n\nTwo\n\nShort.\n\nThree\n\nShort."
    assert chunks[-1].headings == ("FAQ",)


def test_later_pieces_of_a_table_carry_its_header() -> None:
    rows = "\n".join(f"| drug {number} | {number} mg |" for number in range(40))
    assembled = assemble(
        [heading("Doses"), Block(f"| Name | Dose |\n| --- | --- |\n{rows}", BlockKind.TABLE)]
    )
    chunks = chunk_document(assembled, characters, max_tokens=90)
    check(assembled, chunks, characters, 90)
    assert chunks[0].headings == ("Doses",)
    assert all(chunk.headings == ("Doses", "| Name | Dose |") for chunk in chunks[1:])
    assert all(chunk.text.startswith("| drug") and chunk.text.endswith("|") for chunk in chunks[1:])
    assert embedding_texts(chunks, "", characters, 90)[1].startswith("Doses > | Name | Dose |\n| drug")


def test_code_is_kept_whole_when_it_fits_and_cut_at_lines_when_not() -> None:
    fits = "```\n" + "print(1)\n" * 5 + "```"
    long = "```\n" + "    value = compute(1)\n" * 30 + "```"
    assembled = assemble(
        [Block("Words before. " * 4), Block(fits, BlockKind.CODE), Block(long, BlockKind.CODE)]
    )
    chunks = chunk_document(assembled, characters, max_tokens=80)
    check(assembled, chunks, characters, 80)
    assert any(fits in chunk.text for chunk in chunks)
    assert all(line in ("```", "    value = compute(1)") for c in chunks[2:] for line in c.text.split("\n"))


def test_a_sentence_is_repeated_where_a_paragraph_was_cut_and_only_there() -> None:
    sentences = [f"Sentence number {number} is here." for number in range(12)]
    assembled = assemble([Block(" ".join(sentences)), Block("Another paragraph that is on its own. " * 2)])
    with_overlap = chunk_document(assembled, characters, max_tokens=120, overlap_sentences=1)
    check(assembled, with_overlap, characters, 120)
    first, second = with_overlap[0], with_overlap[1]
    assert second.start < first.end
    assert assembled.text[second.start : first.end] in sentences
    without = chunk_document(assembled, characters, max_tokens=120, overlap_sentences=0)
    assert all(before.end <= after.start for before, after in pairwise(without))


def test_a_chunk_stays_on_its_page_unless_a_sentence_does_not() -> None:
    blocks = [
        Block("First page. It ends in the middle of", page=1),
        Block("a sentence. The second page goes on.", page=2, continues=True),
        heading("At the foot", page=2),
        Block("Text of the third page.", page=3),
    ]
    chunks = chunk_document(assemble(blocks), characters, max_tokens=200)
    assert [(chunk.page, chunk.text) for chunk in chunks] == [
        (1, "First page. It ends in the middle of a sentence."),
        (2, "The second page goes on."),
        (2, "At the foot\n\nText of the third page."),
    ]


def test_long_and_deep_headings_take_no_more_than_a_third_of_the_cap() -> None:
    blocks = [heading(f"Level {level} " + "long " * 12, level) for level in range(1, 6)]
    assembled = assemble([*blocks, Block("The text. " * 40)])
    title = "A very long title " * 10
    chunks = chunk_document(assembled, characters, max_tokens=90, title=title)
    check(assembled, chunks, characters, 90, title)
    for chunk in chunks:
        assert characters([heading_context("", chunk.headings)])[0] <= 30


def test_the_context_leaves_out_what_the_text_says_itself() -> None:
    assert heading_context("Guide", ("Guide", "Storage"), "Body") == "Guide > Storage"
    assert heading_context("Guide", ("Storage", "Keys"), "Storage\n\nKeys\n\nBody") == "Guide"
    assert heading_context("", (), "Body") == ""


def test_the_counter_is_called_in_batches_not_once_a_sentence() -> None:
    calls = 0

    def counting(texts: Sequence[str]) -> list[int]:
        nonlocal calls
        calls += 1
        return characters(texts)

    blocks = [b for n in range(200) for b in (heading(f"第{n}節", 2), Block("文です。" * 40))]
    chunk_document(assemble(blocks), counting, max_tokens=100)
    assert calls < 12


def test_wrong_arguments_are_refused_and_an_empty_document_has_no_chunks() -> None:
    assert chunk_document(assemble([]), characters, max_tokens=50) == []
    with pytest.raises(ValueError):
        chunk_document(assemble([Block("x")]), characters, max_tokens=3)
    with pytest.raises(ValueError):
        chunk_document(assemble([Block("x")]), characters, max_tokens=50, overlap_sentences=-1)


def test_a_long_section_is_shared_out_evenly_and_leaves_no_remainder() -> None:
    assembled = assemble([Block("これは二十文字ほどの長さの文であります。") for _ in range(11)])
    sizes = [characters([c.text])[0] for c in chunk_document(assembled, characters, max_tokens=200)]
    assert len(sizes) == 2
    assert max(sizes) - min(sizes) <= 40


def test_the_cap_holds_for_a_real_tokenizer() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    sample = [
        "The nurse records each dose.",
        "記録は毎日つける。医薬品は保管庫に置く。",
        "| a | b |\n| --- | --- |",
    ]
    tokenizer.train_from_iterator(sample * 20, trainers.BpeTrainer(vocab_size=400, show_progress=False))

    def count(batch: Sequence[str]) -> list[int]:
        return [
            len(encoding.ids) for encoding in tokenizer.encode_batch(list(batch), add_special_tokens=False)
        ]

    rows = "| name | dose |\n| --- | --- |\n" + "| アスピリン | 5 mg |\n" * 30
    blocks = [
        heading("手順"),
        Block("記録は毎日つける。" * 60),
        heading("Doses", 2),
        Block(rows, BlockKind.TABLE),
    ]
    assembled = assemble([*blocks, Block("The nurse records each dose. " * 40)])
    chunks = chunk_document(assembled, count, max_tokens=64, title="Ward rules")
    check(assembled, chunks, count, 64, "Ward rules")


texts = st.text(st.sampled_from("ab 。、.Xあ漢\n|`1 "), min_size=1, max_size=120)
block_lists = st.lists(
    st.builds(Block, text=texts, kind=st.sampled_from(BlockKind), level=st.integers(1, 4)), max_size=12
)


@settings(deadline=None, max_examples=150)
@given(block_lists, st.integers(8, 60), st.integers(0, 2), st.sampled_from([characters, greedy]), texts)
def test_any_document_keeps_the_rules(
    blocks: list[Block], cap: int, overlap: int, count: Count, title: str
) -> None:
    assembled = assemble(blocks)
    chunks = chunk_document(assembled, count, max_tokens=cap, title=title, overlap_sentences=overlap)
    check(assembled, chunks, count, cap, title)


@given(st.lists(texts, max_size=5), texts, st.integers(8, 60))
def test_fitting_a_context_always_ends_within_its_share(headings: list[str], title: str, cap: int) -> None:
    short, kept, tokens = ContextFitter(greedy, cap).fit(title, tuple(headings))
    assert tokens <= cap // 3
    assert len(heading_context(short, kept)) == tokens


@pytest.mark.parametrize("cap", [48, 240])
@pytest.mark.parametrize(
    "name",
    [
        "pypdf__CHANGELOG.md",
        "niilc-qa__NIILC-ECQA2015_AnnotationDefinition.md",
        "pdfplumber__federal-register-2020-17221.pdf",
        "derived_ja_cp932.txt",
        "docling__wiki_duck.html",
        "docling__word_tables.docx",
    ],
)
def test_public_documents_keep_the_rules(documents: Path, count_tokens: Count, name: str, cap: int) -> None:
    result = read_file(documents / name)
    assembled = assemble(result.blocks, result.pages)
    chunks = chunk_document(assembled, count_tokens, max_tokens=cap, title=result.title or "")
    check(assembled, chunks, count_tokens, cap, result.title or "")
