"""The second engine on its own: files that only it opens, and its characters put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pypdf
import pytest

from ingest.blocks import Outcome, ReadError
from ingest.readers import pdf_pages
from ingest.readers.pdf import read
from ingest.readers.pdf_second import SecondEngine
from ingest.readers.pdf_vertical import Glyph, fragments_of

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

PROSE = [
    "The ward keeps its medicines in a locked cupboard that only the nurse in charge may open, and the",
    "opposite wall holds the register in which every dose is written down before it is given to a patient.",
]


def test_a_page_that_the_first_engine_fails_on_reads_the_same_by_the_second(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [
        (x, 500 - 14 * line, 10, f"{side} column line {line} of the text")
        for line in range(8)
        for x, side in ((72, "left"), (310, "right"))
    ]
    japanese = place(["医薬品は施錠された保管庫に保管し、責任者だけが開け", "ることができる。"], y=300)
    page = [(72, 780, 20, "Medicine storage"), *place(PROSE, y=740), *columns, *japanese]
    data = make_pdf([page, page])
    expected = [(block.kind, block.text, block.page) for block in read(data).blocks]
    first = pdf_pages._by_first

    def fails_on_2(page: Any, number: int, second: Any) -> Any:
        return pdf_pages._Attempt("pypdf", [], error="broken") if number == 2 else first(page, number, second)

    monkeypatch.setattr(pdf_pages, "_by_first", fails_on_2)
    result = read(data)
    assert result.engines == {"pypdf": (1,), "pypdfium2": (2,)}
    assert [(block.kind, block.text, block.page) for block in result.blocks] == expected
    assert (result.warnings, result.empty_pages) == ([], ())


def test_where_the_library_is_missing_the_other_pages_are_still_read(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(engine: SecondEngine) -> Any:
        raise OSError("libpdfium.so: cannot open shared object file")

    monkeypatch.setattr(SecondEngine, "_opened", missing)
    result = read(make_pdf([place(PROSE), place(PROSE)], broken=[2]))
    assert result.engines == {"pypdf": (1,)}
    assert result.empty_pages == (2,)


def test_a_file_that_only_the_second_engine_can_open_is_read_by_it(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise pypdf.errors.PdfReadError("no trailer")

    data = make_pdf([place(PROSE), [], place(PROSE)])
    monkeypatch.setattr(pypdf, "PdfReader", broken)
    result = read(data)
    assert result.engines == {"pypdfium2": (1, 3)}
    assert (result.pages, result.empty_pages) == (3, (2,))
    with pytest.raises(ReadError) as error:
        read(b"%PDF-1.7\nnothing of the kind")
    assert error.value.outcome is Outcome.FAILED
    assert "no trailer" in str(error.value)


def test_a_document_can_be_closed_twice_and_used_again(make_pdf: Make, place: Place) -> None:
    second = SecondEngine(make_pdf([place(PROSE)]))
    assert second.count() == 1
    second.close()
    second.close()
    assert second._document is None
    assert second.fragments(1)
    second.close()


def test_a_picture_of_a_page_has_no_more_pixels_than_it_may(make_pdf: Make, place: Place) -> None:
    second = SecondEngine(make_pdf([place(PROSE)]))
    try:
        assert second.picture(1, 72, 10**9).size == (595, 842)
        width, height = second.picture(1, 7200, 100_000).size
        assert width * height < 102_000
    finally:
        second.close()


def column(text: str, x: float, top: float = 200, size: float = 10) -> list[Glyph]:
    return [Glyph(char, x, top - size * index, size, size, False) for index, char in enumerate(text)]


def test_columns_are_read_downwards_and_from_the_right() -> None:
    page = column("薬を数える", 60) + column("看護師が毎朝", 80) + column("記録は毎日", 40)
    ordered = sorted(fragments_of(page, 300, 300), key=lambda piece: -piece.y)
    assert [piece.text for piece in ordered] == ["看護師が毎朝", "薬を数える", "記録は毎日"]
    assert len({piece.x for piece in ordered}) == 1


def test_figures_side_by_side_stay_within_their_column() -> None:
    page = [*column("平成", 60), Glyph("2", 60, 180, 5, 10, False), Glyph("5", 65, 180, 5, 10, False)]
    page += column("年に始まる", 60, 170)
    assert [piece.text for piece in fragments_of(page, 300, 300)] == ["平成25年に始まる"]


def test_lines_of_equal_length_are_not_taken_for_columns() -> None:
    rows = [
        Glyph(char, 50 + 10 * at, 200 - 16 * row, 10, 10, False)
        for row in range(3)
        for at, char in enumerate("横に書いた文章です")
    ]
    assert [piece.text for piece in fragments_of(rows, 300, 300)] == ["横に書いた文章です"] * 3
