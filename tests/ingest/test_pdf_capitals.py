"""Small capitals whose first letter is set apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.readers.pdf import read
from ingest.readers.pdf_capitals import join_small_capitals
from ingest.readers.pdf_lines import Line


def joined(*texts: str) -> list[str]:
    """Return lines, each on a page of its own, as they are after the joining."""
    pages = [[Line(text, 72.0, 700.0, 10.0, False, number)] for number, text in enumerate(texts)]
    join_small_capitals(pages)
    return [lines[0].text for lines in pages]


def test_a_word_that_is_written_whole_elsewhere_is_put_together() -> None:
    assert joined("in the F EDERAL REGISTER of", "The Federal office") == [
        "in the FEDERAL REGISTER of",
        "The Federal office",
    ]
    assert joined("the F ED ERAL court", "federal") == ["the FEDERAL court", "federal"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("PLAN B TEAM", "The team met."),
        ("GRADE B RAIN", "The brain and the RAIN"),
        ("VITAMIN C LEAN", "Keep it clean, on LEAN days"),
        ("A LONE WOLF", "It was alone"),
        ("F EDERAL", "no such word"),
        ("SECTION F", "EDERAL federal"),
    ],
)
def test_letters_that_stand_on_their_own_stay(text: str, other: str) -> None:
    assert joined(text, other) == [text, other]


def test_cells_of_a_table_are_treated_like_the_line_they_make() -> None:
    row = Line("F EDERAL  5", 72.0, 700.0, 10.0, False, 1, ("F EDERAL", "5"))
    join_small_capitals([[row], [Line("federal", 72.0, 700.0, 10.0, False, 2)]])
    assert (row.text, row.cells) == ("FEDERAL  5", ("FEDERAL", "5"))


def test_a_public_file_names_the_federal_register(documents: Path) -> None:
    blocks = read((documents / "tika__testPDF_bad_page_303226.pdf").read_bytes()).blocks
    text = "\n".join(block.text for block in blocks)
    assert "F EDERAL" not in text
    assert text.count("FEDERAL REGISTER") > 5
