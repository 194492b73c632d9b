"""PDFs made to take all the time or memory there is, and PDFs that are only long."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ingest.blocks import Outcome, ReadError
from ingest.readers.pdf import read
from ingest.readers.pdf_second import SecondEngine

Build = Callable[[Sequence[bytes]], bytes]
Stream = Callable[..., bytes]

CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
TEXT = b"BT /F1 12 Tf 72 700 Td (The ward keeps its medicines in a locked cupboard.) Tj ET"


def page(contents: int, more: bytes = b"") -> bytes:
    return (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
        b"/Resources << /Font << /F1 3 0 R >> %s >> >>" % (contents, more)
    )


def pages_of(*numbers: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % number for number in numbers)
    return b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(numbers))


def zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(megabytes)) + packer.flush()


def test_a_page_that_unpacks_to_half_a_gigabyte_is_left_out_and_the_next_is_read(
    raw_pdf: Build, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = stream(zeros(500), b"/Filter /FlateDecode")
    data = raw_pdf([CATALOG, pages_of(6, 7), FONT, bomb, stream(TEXT), page(4), page(5)])

    def asked(engine: SecondEngine, number: int) -> None:
        raise AssertionError("PDFium would unpack it all")

    monkeypatch.setattr(SecondEngine, "fragments", asked)
    tracemalloc.start()
    result = read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400e6
    assert result.empty_pages == (1,)
    assert result.warnings[0].startswith("page 1 cannot be read: LimitReachedError")
    assert result.blocks[0].text == "The ward keeps its medicines in a locked cupboard."


def test_a_tree_of_pages_that_loops_is_refused(raw_pdf: Build) -> None:
    loop = b"<< /Type /Pages /Kids [2 0 R 4 0 R] /Count 1000000000 >>"
    inner = b"<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 4 0 R] /Count 3 >>"
    with pytest.raises(ReadError) as error:
        read(raw_pdf([CATALOG, loop, FONT, inner]))
    assert error.value.outcome is Outcome.FAILED
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("itself", [True, False])
def test_forms_that_draw_each_other_without_end_never_reach_the_second_engine(
    raw_pdf: Build, stream: Stream, monkeypatch: pytest.MonkeyPatch, itself: bool
) -> None:
    # Each form draws the next one twice: 2 ** 20 drawings, or, where one draws itself, no end of them.
    def form(number: int) -> bytes:
        after = 6 if itself or number == 25 else number + 1
        drawn = b"/XObject << /X %d 0 R >>" % after if itself or number < 25 else b""
        entries = (
            b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> %s >>"
        )
        return stream(b"/X Do " + TEXT + b" /X Do", entries % drawn)

    def asked(engine: SecondEngine, number: int) -> None:
        raise AssertionError("PDFium would follow them all")

    monkeypatch.setattr(SecondEngine, "fragments", asked)
    objects = [CATALOG, pages_of(5), FONT, stream(b"/X Do"), page(4, b"/XObject << /X 6 0 R >>")]
    try:
        read(raw_pdf([*objects, *(form(number) for number in range(6, 26))]))
    except ReadError as error:
        refused: Any = error
        assert "\n" not in str(refused)


def test_a_hundred_thousand_objects_beside_the_page_cost_little(raw_pdf: Build, stream: Stream) -> None:
    objects = [CATALOG, pages_of(5), FONT, stream(TEXT), page(4)]
    assert len(read(raw_pdf([*objects, *[b"<< /A 1 >>"] * 100_000])).blocks) == 1


def test_memory_does_not_grow_with_the_pages_but_for_their_text(
    make_pdf: Callable[..., bytes], place: Callable[..., list[Any]]
) -> None:
    lines = [
        f"Line {number} of a page that tells how the medicines of the ward are kept." for number in range(40)
    ]
    peaks = []
    for count in (32, 96):
        data = make_pdf([place(lines) for _ in range(count)])
        tracemalloc.start()
        result = read(data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(result.engines["pypdf"]) == count
        del result
    # 25 lines with their places take up some 15 kB; pypdf's objects of a page, 200 kB.
    assert (peaks[1] - peaks[0]) / 64 < 50_000
