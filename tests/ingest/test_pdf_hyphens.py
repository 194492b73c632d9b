"""Words that a line end divides in a PDF."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest.readers.pdf import read
from ingest.readers.pdf_hyphens import DividedWords
from ingest.readers.pdf_lines import Line

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]


def known(*pages: Sequence[str]) -> DividedWords:
    """Return what a document of these lines, page by page, tells about its hyphens."""
    return DividedWords(
        [
            [Line(text, 72.0, 700.0, 10.0, False, number) for text in lines]
            for number, lines in enumerate(pages)
        ]
    )


def test_a_word_that_is_written_whole_elsewhere_is_made_whole_whatever_it_begins_with() -> None:
    lines = ["materials that are ex-", "empted in bulk"]
    assert known(lines).joined(lines) == "materials that are ex-empted in bulk"
    assert known(lines, ["Exempted materials"]).joined(lines) == "materials that are exempted in bulk"


def test_a_word_that_is_written_with_a_hyphen_elsewhere_keeps_it() -> None:
    lines = ["the follow-", "up of the patient"]
    assert known(lines).joined(lines) == "the followup of the patient"
    assert known(lines, ["A follow-up is due."]).joined(lines) == "the follow-up of the patient"
    both = known(lines, ["A follow-up is due."], ["One followup."])
    assert both.joined(lines) == "the follow-up of the patient"


def test_lines_that_stay_lines_share_no_word() -> None:
    lines = ["Unless specifi-", "cally excepted", "(1) Acetorphine 9319", "2-", "Methyl"]
    assert known(lines).kept_apart(lines) == "Unless specifically excepted\n(1) Acetorphine 9319\n2-\nMethyl"
    assert known().kept_apart([]) == ""


def test_a_line_with_one_wide_gap_is_a_line_of_its_paragraph(make_pdf: Make, place: Place) -> None:
    page = [
        (92, 700, 10, "(c) Opium derivatives."),
        (240, 700, 10, "Unless specifi-"),
        *place(["cally excepted or unless listed in another schedule, any of the following derivatives is a",
                "controlled substance of the first schedule."], y=688, size=10),
    ]  # fmt: skip
    (block,) = read(make_pdf([page])).blocks
    assert block.text.startswith("(c) Opium derivatives. Unless specifically excepted or unless listed")


def test_no_word_of_a_public_file_is_left_divided_before_small_letters(documents: Path) -> None:
    blocks = read((documents / "tika__testPDF_bad_page_303226.pdf").read_bytes()).blocks
    text = "\n".join(block.text for block in blocks)
    assert "For materials exempted in bulk quantities" in text
    assert "specifi-" not in text
