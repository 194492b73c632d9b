from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.assemble import assemble
from ingest.blocks import Block, BlockKind
from retrieval.records import page_at


def test_lists_stay_together_and_other_blocks_stand_apart() -> None:
    blocks = [
        Block("Title", BlockKind.HEADING, level=1),
        Block("- a", BlockKind.LIST_ITEM),
        Block("  - b", BlockKind.LIST_ITEM),
        Block("After."),
        Block("   "),
    ]
    assert assemble(blocks).text == "Title\n\n- a\n  - b\n\nAfter."


def test_pages_begin_where_their_first_block_does_and_empty_ones_where_the_next_does() -> None:
    blocks = [Block("one", page=1), Block("four", page=4)]
    assembled = assemble(blocks, 6)
    assert assembled.text == "one\n\nfour"
    assert assembled.page_starts == (0, 5, 5, 5, 9, 9)
    assert page_at(assembled.page_starts, 5) == 4
    assert page_at(assembled.page_starts, 2) == 1


def test_a_sentence_over_a_page_break_is_joined_and_the_page_still_known() -> None:
    english = assemble([Block("it goes", page=1), Block("on here.", page=2, continues=True)])
    assert english.text == "it goes on here."
    assert english.page_starts == (0, 8)
    japanese = assemble([Block("文が", page=1), Block("続く。", page=2, continues=True)])
    assert japanese.text == "文が続く。"


def test_formats_without_pages_have_no_page_starts() -> None:
    assert assemble([Block("text")]).page_starts == ()
    assert assemble([]).text == ""


@given(
    st.lists(
        st.tuples(st.text("ab \n", max_size=8), st.sampled_from(BlockKind), st.integers(0, 2), st.booleans()),
        max_size=12,
    ),
    st.integers(0, 3),
)
def test_spans_are_exact_and_pages_never_go_back(
    rows: list[tuple[str, BlockKind, int, bool]], extra: int
) -> None:
    page = 1
    blocks: list[Block] = []
    for text, kind, step, continues in rows:
        page += step
        blocks.append(Block(text, kind, page=page, continues=continues and bool(blocks)))
    pages = page + extra
    assembled = assemble(blocks, pages)
    assert len(assembled.page_starts) == pages
    assert list(assembled.page_starts) == sorted(assembled.page_starts)
    assert len(assembled.spans) == len(assembled.blocks)
    for block, (start, end) in zip(assembled.blocks, assembled.spans, strict=True):
        assert assembled.text[start:end] == block.text
        assert block.page == page_at(assembled.page_starts, start)
