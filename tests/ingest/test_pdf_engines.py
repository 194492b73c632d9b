"""Two engines: how good a page's text is, which engine reads it, and what becomes of pages neither can read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.blocks import Block, BlockKind, ReadError, ReadOptions
from ingest.readers import pdf_pages
from ingest.readers.pdf import read
from ingest.readers.pdf_quality import GOOD, quality
from ingest.readers.pdf_second import SecondEngine

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

ENGLISH = (
    "The ward keeps its medicines in a locked cupboard that only the nurse in charge may open, and the "
    "opposite wall holds the register in which every dose is written down before it is given.\n"
) * 4
JAPANESE = (
    "医薬品は施錠された保管庫に保管し、責任者だけが開けることができる。記録は毎日つけ、月末に数える。\n" * 4
)


def whole(blocks: Sequence[Block]) -> str:
    return "\n".join(block.text for block in blocks)


@pytest.fixture
def only_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take pypdf's reading of every page away."""
    monkeypatch.setattr(pdf_pages, "_by_first", lambda page, number, second: pdf_pages._Attempt("pypdf", []))


@pytest.mark.parametrize("text", [ENGLISH, JAPANESE, ENGLISH + JAPANESE, "1234 5678\n" * 9, "NaCl 5 mM\n"])
def test_the_text_of_a_good_page_is_believed(text: str) -> None:
    assert quality(text).score > GOOD


@pytest.mark.parametrize(
    ("text", "spoil"),
    [
        (ENGLISH, lambda text: text.replace(" ", "")),
        (ENGLISH, lambda text: " ".join(text)),
        (ENGLISH, lambda text: "".join(char * 2 for char in text)),
        (JAPANESE, lambda text: "".join(char * 2 for char in text)),
        (ENGLISH, lambda text: "".join(chr(ord(char) - 29) for char in text if char != "\n")),
        (JAPANESE, lambda text: text.encode().decode("latin-1")),
        (JAPANESE, lambda text: "".join(chr(0xA490 + ord(char) % 50) for char in text)),
        (JAPANESE, lambda text: "".join(f"(cid:{ord(char)})" for char in text)),
        (ENGLISH, lambda text: re.sub("[aeiou]", "\ufffd", text)),
        (ENGLISH, lambda text: re.sub("[a-f]", "\ue012", text)),
        (ENGLISH, lambda text: text.translate(str.maketrans("aeiou", "bcdfg"))),
        (ENGLISH, lambda text: text.translate(str.maketrans("aeotn", "аеотп"))),
        (ENGLISH, lambda text: text[:40] + "n/emlow" * 40),
    ],
    ids="glued split doubled doubled-ja shifted utf8-as-latin1 yi cid fffd pua vowels mixed glyphs".split(),
)
def test_each_kind_of_misread_text_scores_low(text: str, spoil: Callable[[str], str]) -> None:
    assert quality(spoil(text)).score < 0.7


def test_a_page_without_text_has_no_quality_to_lose() -> None:
    assert quality("").odd == 0
    assert quality(" \n").score == 1


def test_the_public_files_score_high(documents: Path) -> None:
    for name in ("derived_ja_full.utf8.txt", "multicolumn.tex"):
        assert quality((documents / "expected" / name).read_text(encoding="utf-8")).score > 0.9


def test_the_engines_are_named_page_by_page(make_pdf: Make, place: Place) -> None:
    pages = [place([ENGLISH.split("\n")[0][:90]]), place(["縦に書いた文章を読む。"]), []]
    result = read(make_pdf(pages, vertical=[2]))
    assert result.engines == {"pypdf": (1,), "pypdfium2": (2,)}
    assert result.empty_pages == (3,)


def test_vertical_columns_are_read_from_top_to_bottom_and_from_right_to_left(make_pdf: Make) -> None:
    columns = ["医薬品は施錠された保管庫に保管", "し、責任者だけが開けることがで", "きる。記録は毎日つける。"]
    page = [(500 - 20 * number, 700, 12, text) for number, text in enumerate(columns)]
    (block,) = read(make_pdf([page], vertical=[1])).blocks
    assert block.text == "".join(columns)


def test_vertical_columns_drawn_from_left_to_right_are_put_in_order(documents: Path) -> None:
    result = read((documents / "pdfjs__vertical.pdf").read_bytes())
    assert whole(result.blocks) == "あいうえお日本語"
    assert result.engines == {"pypdfium2": (1,)}
    assert result.empty_pages == (2, 3)


def test_tiers_of_vertical_text_are_read_the_upper_one_first(make_pdf: Make) -> None:
    upper = ["一段目の右の列には長い文が", "あって左の列に続いている。"]
    lower = ["二段目の右の列にも長い文が", "あって左の列に続いている。"]
    page = [
        (500 - 20 * number, top, 12, text)
        for top, tier in ((760, upper), (400, lower))
        for number, text in enumerate(tier)
    ]
    text = re.sub(r"\s", "", whole(read(make_pdf([page], vertical=[1])).blocks))
    assert text == "".join(upper + lower)


def test_text_in_forms_is_read_where_it_is_drawn(
    raw_pdf: Callable[[Sequence[bytes]], bytes], stream: Callable[..., bytes]
) -> None:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [4 0 R] /Count 1 >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources "
        b"<< /XObject << /A 6 0 R /B 7 0 R >> >> >>",
        stream(b"q 1 0 0 1 0 100 cm /B Do Q q 1 0 0 1 0 700 cm /A Do Q"),
        stream(b"BT /F1 12 Tf 72 10 Td (The first line of the page comes first,) Tj ET", form),
        stream(b"BT /F1 12 Tf 72 10 Td (and this one follows far below it.) Tj ET", form),
    ]
    result = read(raw_pdf(objects))
    assert result.engines == {"pypdfium2": (1,)}
    assert "first line" in whole(result.blocks)


@pytest.mark.usefixtures("only_second")
def test_the_second_engine_reads_layout_like_the_first(make_pdf: Make, place: Place) -> None:
    lines = ["The ward keeps its medicines in a locked cupboard that only the nurse in charge may open, and the op-",
             "posite wall holds the register in which every dose is written down before it is given.",
             ]  # fmt: skip
    rows = [("Drug", "Dose", "Route"), ("Aspirin", "100 mg", "oral"), ("Heparin", "5000 IU", "s.c.")]
    table = [
        (72 + 150 * column, 600 - 16 * line, 10, cell)
        for line, row in enumerate(rows)
        for column, cell in enumerate(row)
    ]
    page = [(72, 800, 20, "Medicine storage"), *place(lines), (72, 700, 11, "Keys", True), *table]
    result = read(make_pdf([page]))
    assert result.engines == {"pypdfium2": (1,)}
    heading, paragraph, keys, cells = result.blocks
    assert (heading.kind, heading.text) == (BlockKind.HEADING, "Medicine storage")
    assert paragraph.text == " ".join(lines).replace("op- posite", "opposite")
    assert (keys.kind, keys.text) == (BlockKind.HEADING, "Keys")
    assert cells.text.split("\n")[2:] == ["| Aspirin | 100 mg | oral |", "| Heparin | 5000 IU | s.c. |"]


@pytest.mark.usefixtures("only_second")
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("turned_back", [False, True])
def test_the_second_engine_keeps_the_order_on_turned_pages(
    make_pdf: Make, place: Place, angle: int, turned_back: bool, tmp_path: Path
) -> None:
    lines = [f"Line {number} of the page is here, and it is long enough." for number in range(5)]
    (tmp_path / "a.pdf").write_bytes(make_pdf([place(lines)]))
    writer = pypdf.PdfWriter(clone_from=tmp_path / "a.pdf")
    writer.pages[0].rotate(angle)
    if turned_back:
        writer.pages[0].transfer_rotation_to_content()
    writer.write(tmp_path / "b.pdf")
    found = re.findall(r"Line (\d)", whole(read((tmp_path / "b.pdf").read_bytes()).blocks))
    assert found == list("01234")


def test_rows_of_a_table_drawn_from_the_last_cell_to_the_first_are_in_order(documents: Path) -> None:
    text = whole(read((documents / "pdfplumber__senate-expenditures.pdf").read_bytes()).blocks)
    assert "| BAIN, J MATTHEW |  |  | DISTRICT DIRECTOR | 37,499.96 |" in text
    row = "| DHAW20190001 | 05/03/2019 | CITIBANK - TRAVEL CBA CARD | 03/04/2019 | 03/06/2019 |"
    assert f"{row} STAFF TRANSPORTATION | 920.68 |" in text
    for word in ("START END", "POSTED", "DATES"):
        assert word in text


def test_heads_that_were_recognised_a_little_differently_are_dropped_all_the_same(documents: Path) -> None:
    text = whole(read((documents / "pypdf__Seige_of_Vicksburg_Sample_OCR.pdf").read_bytes()).blocks)
    assert "THE SIEGE O" not in text
    assert text.startswith("however, did not last long; it became too conspicuous and dangerous for use.")


def test_columns_of_public_files_are_read_one_after_the_other(documents: Path) -> None:
    text = whole(read((documents / "sample-files__multicolumn.pdf").read_bytes()).blocks)
    starts = (
        "Lorem ipsum dolor|Nam dui ligula|Nulla malesuada|Quisque ullamcorper|Fusce mauris. Vestibulum|"
        "Suspendisse vel felis|Sed commodo posuere|Pellentesque habitant morbi tristique senectus et netus "
        "et malesuada fames ac turpis egestas. Donec|Morbi luctus, wisi|Suspendisse vitae elit"
    ).split("|")
    places = [text.find(start) for start in starts]
    assert places == sorted(places)
    assert places[0] > 0
    text = whole(read((documents / "pdfplumber__federal-register-2020-17221.pdf").read_bytes()).blocks)
    assert "VerDate Sep" not in text
    assert 54_000 < len(text) < 57_000


def test_what_was_read_before_a_page_failed_is_kept_and_reported(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract = pypdf.PageObject.extract_text

    def fails_at_its_end(page: Any, **arguments: Any) -> str:
        extract(page, **arguments)
        raise pypdf.errors.PdfReadError("cut off")

    def no_second(engine: SecondEngine, number: int) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(pypdf.PageObject, "extract_text", fails_at_its_end)
    monkeypatch.setattr(SecondEngine, "fragments", no_second)
    result = read(make_pdf([place(["The first half of the page."])]))
    assert whole(result.blocks) == "The first half of the page."
    assert result.warnings == ["page 1 cannot be read to its end: PdfReadError: cut off"]


def test_a_page_that_neither_engine_can_read_is_empty_and_explained(make_pdf: Make, place: Place) -> None:
    result = read(make_pdf([place([ENGLISH[:80]]), []], broken=[2]))
    assert result.empty_pages == (2,)
    assert len(result.warnings) == 1
    assert re.match("page 2", result.warnings[0])


def test_the_second_engine_stays_away_while_it_is_not_needed(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(engine: SecondEngine) -> None:
        raise AssertionError("opened")

    monkeypatch.setattr(SecondEngine, "_opened", opened)
    assert read(make_pdf([place([ENGLISH[:80]])])).engines == {"pypdf": (1,)}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(
        ["pdfjs__vertical.pdf", "pypdf__r6-user-password.pdf", "pdfjs__noembed-jis7.pdf", "pypdf__multilang.pdf",
         "sample-files__libreoffice-writer-password.pdf", "markitdown__SPARSE-2024-INV-1234_borderless_table.pdf"]
    ),
    cut=st.floats(0.02, 1.0),
    flips=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=12),
)  # fmt: skip
def test_a_damaged_file_is_read_or_refused_in_one_line(
    documents: Path, name: str, cut: float, flips: list[tuple[float, int]]
) -> None:
    data = bytearray((documents / name).read_bytes())
    data = data[: max(1, int(cut * len(data)))]
    for place, value in flips:
        data[int(place * len(data))] = value
    messages: list[str] = []
    try:
        result = read(bytes(data), ReadOptions(passwords=("openpassword",)))
        messages = result.warnings
    except ReadError as error:
        messages = [str(error)]
    assert not any("\n" in message for message in messages)
