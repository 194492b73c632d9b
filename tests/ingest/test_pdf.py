from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest

from ingest.blocks import Block, BlockKind, Outcome, ReadError
from ingest.readers.pdf import read
from ingest.readers.pdf_lines import clean, odd_share

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

PROSE = [
    "The ward keeps its medicines in a locked cupboard that only the nurse in charge may open, and the op-",
    "posite wall holds the register in which every dose is written down before it is given to a patient of",
    "the ward.",
]


def texts(blocks: list[Block]) -> list[str]:
    return [block.text for block in blocks]


def encrypted(data: bytes, *, user: str, owner: str) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user_password=user, owner_password=owner, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_wrapped_lines_become_a_paragraph_and_divided_words_are_whole(make_pdf: Make, place: Place) -> None:
    result = read(make_pdf([place(PROSE)], title="Ward rules"))
    assert texts(result.blocks) == [" ".join(PROSE).replace("op- posite", "opposite")]
    assert (result.title, result.pages, result.empty_pages, result.warnings) == ("Ward rules", 1, (), [])


def test_japanese_lines_are_joined_without_a_space(make_pdf: Make, place: Place) -> None:
    lines = ["医薬品は施錠された保管庫に保管し、責任者だけが開け", "ることができる。記録は毎日つける。"]
    assert texts(read(make_pdf([place(lines)])).blocks) == ["".join(lines)]


def test_headings_are_told_by_size_weight_or_number(make_pdf: Make, place: Place) -> None:
    page = [
        (72, 780, 20, "Medicine storage"),
        *place(PROSE, y=740),
        (72, 680, 11, "Keys", True),
        *place(PROSE, y=660),
        (72, 590, 11, "2.1 Records"),
        *place(PROSE, y=560),
    ]
    headings = [(b.text, b.level) for b in read(make_pdf([page])).blocks if b.kind is BlockKind.HEADING]
    assert headings == [("Medicine storage", 1), ("Keys", 2), ("2.1 Records", 2)]


def test_two_columns_drawn_across_the_gutter_are_read_one_after_the_other(make_pdf: Make) -> None:
    left = [f"left column line {number} of the text" for number in range(8)]
    right = [f"right column line {number} of the text" for number in range(8)]
    page: list[Any] = [(72, 780, 18, "A title across the page")]
    for number in range(8):
        page += [(72, 740 - 14 * number, 10, left[number]), (310, 740 - 14 * number, 10, right[number])]
    blocks = read(make_pdf([page])).blocks
    assert " ".join(texts(blocks)[1:]) == " ".join([*left, *right])


def test_rows_of_a_table_stay_rows(make_pdf: Make) -> None:
    rows = [("Drug", "Dose", "Route"), ("Aspirin", "100 mg", "oral"), ("Heparin", "5000 IU", "s.c.")]
    page = [
        (72 + 150 * column, 700 - 16 * line, 10, cell)
        for line, row in enumerate(rows)
        for column, cell in enumerate(row)
    ]
    (block,) = read(make_pdf([page])).blocks
    assert block.kind is BlockKind.TABLE
    assert block.text.split("\n") == [
        "| Drug | Dose | Route |",
        "| --- | --- | --- |",
        "| Aspirin | 100 mg | oral |",
        "| Heparin | 5000 IU | s.c. |",
    ]


def test_cells_of_several_lines_set_level_at_their_middle_make_one_row(make_pdf: Make) -> None:
    page = [
        *[(72 + 120 * column, 700, 9, name) for column, name in enumerate(("Drug", "Usual dose", "Time"))],
        (72, 674, 9, "Cefazolin"), (192, 680, 9, "2 g every 8"), (192, 668, 9, "hours"), (312, 674, 9, "3 h"),
        (72, 640, 9, "Aztreonam"), (192, 640, 9, "1 g daily"),
        (72, 600, 9, "A paragraph below the table, which is not a part of it any more."),
    ]  # fmt: skip
    table, after = read(make_pdf([page])).blocks
    assert table.text.split("\n")[2:] == [
        "| Cefazolin | 2 g every 8 hours | 3 h |",
        "| Aztreonam | 1 g daily |  |",
    ]
    assert after.kind is BlockKind.PARAGRAPH


def test_numbers_and_their_text_are_a_list_and_not_a_table(make_pdf: Make) -> None:
    page = [
        piece
        for number in range(1, 5)
        for piece in (
            (72, 740 - 20 * number, 10, f"{number}."),
            (100, 740 - 20 * number, 10, f"Step {number} is done with care."),
        )
    ]
    blocks = read(make_pdf([page])).blocks
    assert [block.kind for block in blocks] == [BlockKind.LIST_ITEM] * 4
    assert blocks[1].text == "2. Step 2 is done with care."


def test_letters_repeated_in_a_line_of_mixed_fonts_are_not_taken_for_a_double(make_pdf: Make) -> None:
    # Subset fonts draw on from where the pen is, and pypdf then repeats the place of the piece before.
    data = make_pdf([[(72, 700, 12, "SHI")]])
    hexed = "".join(f"<{text.encode('cp932').hex()}> Tj /F{font} 12 Tf " for text, font in
                    [("貸", 1), ("", 3), ("し", 3), ("出", 3), ("し", 3)])  # fmt: skip
    line = f"BT /F3 12 Tf 1 0 0 1 72 700 Tm {hexed} ET".encode()
    old = data[data.index(b"BT /F1") : data.index(b" ET") + 3]
    assert texts(read(data.replace(old, line)).blocks) == ["貸し出し"]


def test_running_heads_and_page_numbers_are_dropped_but_not_the_text(make_pdf: Make, place: Place) -> None:
    body = [*PROSE, *(f"Line {n} of a page that has enough of them to be a page." for n in range(6))]
    pages = [
        [(72, 820, 9, "Hospital handbook"), *place(body), (300, 30, 9, f"- {number} -")]
        for number in range(1, 5)
    ]
    whole = "\n".join(texts(read(make_pdf(pages)).blocks))
    assert "Hospital handbook" not in whole
    assert "- 2 -" not in whole
    assert whole.count("locked cupboard") == 4


def test_short_pages_that_differ_only_in_a_number_keep_their_text(make_pdf: Make) -> None:
    pages = [[(72, 700, 11, f"This is page {number} of the test.")] for number in range(1, 4)]
    assert texts(read(make_pdf(pages)).blocks) == [
        f"This is page {number} of the test." for number in range(1, 4)
    ]


def test_a_sentence_goes_on_over_the_page_break(make_pdf: Make, place: Place) -> None:
    first, second = read(make_pdf([place(PROSE[:2]), place(["the ward and of all the others."])])).blocks
    assert (first.page, first.continues) == (1, False)
    assert (second.page, second.continues) == (2, True)


def test_empty_pages_are_listed_and_the_rest_is_read(make_pdf: Make, place: Place) -> None:
    result = read(make_pdf([place(PROSE), [], [], [], [], place(PROSE)], pictures=[2, 3, 5]))
    assert (result.pages, result.empty_pages) == (6, (2, 3, 4, 5))
    assert result.warnings == ["pages 2-3, 5: pictures without text", "page 4: no text"]
    assert {block.page for block in result.blocks} == {1, 6}


def test_a_scan_has_no_text_layer_and_a_blank_file_is_empty(make_pdf: Make) -> None:
    with pytest.raises(ReadError) as scan:
        read(make_pdf([[], []], pictures=[1, 2]))
    assert scan.value.outcome is Outcome.NO_TEXT_LAYER
    with pytest.raises(ReadError) as blank:
        read(make_pdf([[], []]))
    assert blank.value.outcome is Outcome.EMPTY


def test_a_number_stamped_on_a_scan_is_not_taken_for_its_text(make_pdf: Make, place: Place) -> None:
    result = read(make_pdf([place(PROSE), [(500, 30, 8, "No. 0042")]], pictures=[1, 2]))
    assert result.warnings == ["page 2: pictures with hardly any text"]
    assert result.empty_pages == ()


def test_a_password_is_asked_for_only_when_it_is_needed_to_read(make_pdf: Make, place: Place) -> None:
    data = make_pdf([place(PROSE)])
    assert "locked cupboard" in texts(read(encrypted(data, user="", owner="secret")).blocks)[0]
    with pytest.raises(ReadError) as error:
        read(encrypted(data, user="secret", owner="secret"))
    assert error.value.outcome is Outcome.ENCRYPTED
    assert "password" in str(error.value)


def test_damaged_bytes_fail_with_one_line(make_pdf: Make, place: Place) -> None:
    with pytest.raises(ReadError) as error:
        read(b"%PDF-1.7\nnothing of the kind")
    assert error.value.outcome is Outcome.FAILED
    assert "\n" not in str(error.value)


def test_text_drawn_twice_for_a_bold_look_is_read_once(make_pdf: Make) -> None:
    page = [(72, 700, 12, "Important"), (72.3, 700, 12, "Important")]
    assert texts(read(make_pdf([page])).blocks) == ["Important"]


def test_ligatures_are_mapped_and_what_is_no_character_is_dropped() -> None:
    assert clean("e\ufb03cient \ufb01lter\x00\ue000") == "efficient filter"
    assert clean("ﾊﾝｶｸ①は残す") == "ﾊﾝｶｸ①は残す"


def test_the_share_of_odd_characters_is_measured() -> None:
    assert odd_share("ordinary text と日本語 café") == 0
    assert odd_share("\ua492\ua494\ua496") == 1
    assert odd_share("") == 0
    assert odd_share("e\u0301") == 0


def test_japanese_fonts_that_are_not_embedded_are_read(documents: Path) -> None:
    for name in ("pdfjs__noembed-eucjp.pdf", "pdfjs__noembed-sjis.pdf"):
        assert texts(read((documents / name).read_bytes()).blocks) == ["あいうえお"]
    assert texts(read((documents / "pdfjs__noembed-jis7.pdf").read_bytes()).blocks)[0] == "ABC あいうえお 123"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docling__amt_handbook_sample.pdf", "all-metal construction|the height increased to accommodate"),
        ("docling__invisible_text_layer.pdf", "Visible heading line|Invisible OCR text layer"),
        ("pdfjs__xref_command_missing.pdf", "Reduced test-case"),
        (
            "pdfplumber__federal-register-2020-17221.pdf",
            "This section of the FEDERAL REGISTER contains notices",
        ),
        ("pdfplumber__malformed-from-issue-932.pdf", "2021"),
        (
            "pypdf__Seige_of_Vicksburg_Sample_OCR.pdf",
            "too conspicuous and dangerous for use.|the inhabitants are",
        ),
        ("pypdf__multilang.pdf", "こんにちは世界|Привет, мир|你好世界"),
        ("pypdf__r6-user-password.pdf", "pdf encryption test"),
        ("sample-files__multicolumn.pdf", "two columns filled with Lorem|adipiscing elit"),
    ],
)
def test_the_awkward_public_files_are_read(documents: Path, name: str, expected: str) -> None:
    whole = "\n".join(texts(read((documents / name).read_bytes()).blocks))
    for part in expected.split("|"):
        assert part in whole


def test_a_bold_look_made_by_doubling_is_undone_in_public_files(documents: Path) -> None:
    whole = "\n".join(
        texts(read((documents / "pdfplumber__issue-71-duplicate-chars.pdf").read_bytes()).blocks)
    )
    assert whole.count("计算机科学与技术（应用技术）") == 1


@pytest.mark.parametrize(
    "name", ["sample-files__libreoffice-writer-password.pdf", "tika__testUnicodePassword.pdf"]
)
def test_public_files_with_a_password_are_named_as_encrypted(documents: Path, name: str) -> None:
    with pytest.raises(ReadError) as error:
        read((documents / name).read_bytes())
    assert error.value.outcome is Outcome.ENCRYPTED
