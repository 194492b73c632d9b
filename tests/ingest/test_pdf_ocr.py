"""Scanned pages: what is said of them without OCR, and what tesseract reads of them."""

from __future__ import annotations

import difflib
import io
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pytest

from ingest.blocks import Outcome, ReadError, ReadOptions
from ingest.readers import pdf_ocr
from ingest.readers.pdf import read
from ingest.readers.pdf_ocr import OcrError, Tesseract, is_blank

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

OCR = ReadOptions(ocr=True)
PROSE = ["The ward keeps its medicines in a locked cupboard that only the nurse in charge may open."]
JAPANESE = [
    "医薬品は施錠された保管庫に保管し、責任者だけが開けることができる。",
    "記録は毎日つける。在庫は月末に数え、帳簿の数と合わないときは",
    "直ちに薬剤部へ報告する。注射薬は使用の前に名前と量と期限を二人で",
    "確かめる。期限を過ぎた薬は使わずに返却し、日と数を台帳に書く。",
]
ENGLISH = [
    "The ward keeps its medicines in a locked cupboard that only the nurse",
    "in charge may open, and the opposite wall holds the register in which",
    "every dose is written down before it is given to a patient. At the end",
    "of each month the stock is counted and the pharmacy is told at once.",
]


def fonts() -> list[Path]:
    return sorted(Path("/usr/share/fonts").rglob("NotoS*CJK*-Regular.*"))


@cache
def languages() -> frozenset[str]:
    if not shutil.which("tesseract"):
        return frozenset()
    listed = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    return frozenset(listed.stdout.split())


needs_tesseract = pytest.mark.skipif(
    not {"jpn", "eng"} <= languages(),
    reason="tesseract with jpn and eng is not installed (apt-get install tesseract-ocr tesseract-ocr-jpn)",
)
needs_font = pytest.mark.skipif(
    not fonts(), reason="no Japanese font to draw with (apt-get install fonts-noto-cjk)"
)


def scan(*pages: Sequence[str], size: int = 46, dots: int = 300, noise: float = 0.0) -> bytes:
    """Draw lines as pictures of A4 pages and return a PDF of nothing else."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    font = ImageFont.truetype(str(fonts()[0]), size)
    pictures = []
    for lines in pages:
        picture = Image.new("L", (2480, 3508), 255)
        draw = ImageDraw.Draw(picture)
        for number, line in enumerate(lines):
            draw.text((250, 300 + 1.7 * size * number), line, font=font, fill=0)
        if noise:
            grain = Image.effect_noise(picture.size, noise).point(lambda level: level + 127 - 255)
            picture = Image.blend(picture.filter(ImageFilter.GaussianBlur(1)), grain, 0.2).rotate(
                0.4, fillcolor=200
            )
        pictures.append(picture)
    out = io.BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=pictures[1:], resolution=dots)
    return out.getvalue()


def similarity(expected: Sequence[str], got: str) -> float:
    a, b = ("".join(unicodedata.normalize("NFKC", text).split()) for text in ("".join(expected), got))
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def test_without_ocr_a_scan_says_how_it_can_be_read(make_pdf: Make) -> None:
    with pytest.raises(ReadError) as error:
        read(make_pdf([[], [], []], pictures=[1, 3]))
    assert error.value.outcome is Outcome.NO_TEXT_LAYER
    assert str(error.value) == "pictures without text on 2 of 3 pages: read them with --ocr"


def test_where_tesseract_is_not_installed_the_message_says_what_to_install(
    make_pdf: Make, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = (
        "tesseract is not installed: install it and its languages "
        "(apt-get install tesseract-ocr tesseract-ocr-jpn tesseract-ocr-eng)"
    )
    with pytest.raises(ReadError) as error:
        read(make_pdf([[]], pictures=[1]), OCR)
    assert error.value.outcome is Outcome.NO_TEXT_LAYER
    assert str(error.value) == f"pictures without text on 1 of 1 pages: {told}"
    result = read(make_pdf([place(PROSE), [], []], pictures=[2, 3]), OCR)
    assert result.warnings == ["pages 2-3: pictures without text", f"no OCR: {told}"]
    assert result.empty_pages == (2, 3)


def fake_tesseract(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of this name before all others; it knows English only."""
    program = folder / "tesseract"
    known = 'if [ "$1" = --list-langs ]; then echo eng; exit 0; fi'
    program.write_text(f"#!/bin/sh\n{known}\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_language_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tesseract(tmp_path, "exit 1", monkeypatch)
    with pytest.raises(OcrError) as error:
        Tesseract("jpn+chi_sim+eng")
    assert str(error.value) == (
        "tesseract lacks the language jpn and chi_sim: install it "
        "(apt-get install tesseract-ocr-jpn tesseract-ocr-chi-sim)"
    )


def test_a_page_on_which_tesseract_fails_or_hangs_costs_no_other(
    make_pdf: Make, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = ReadOptions(ocr=True, ocr_languages="eng")
    data = make_pdf([place(PROSE), []], pictures=[2])
    fake_tesseract(tmp_path, "cat > /dev/null; echo 'Image too small' >&2; exit 1", monkeypatch)
    result = read(data, english)
    assert result.engines == {"pypdf": (1,)}
    assert "page 2: tesseract failed: Image too small" in result.warnings
    fake_tesseract(tmp_path, "exec sleep 30", monkeypatch)
    monkeypatch.setattr(pdf_ocr, "_SECONDS", 0.5)
    assert any("more than 0.5 seconds" in warning for warning in read(data, english).warnings)


HEAD = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext"


def table(*words: tuple[int, int, str, float]) -> str:
    """Return tesseract's table for words given as line, left edge, text, confidence."""
    rows = [
        f"5\t1\t1\t1\t{line}\t{at}\t{left}\t{100 * line}\t{40 * len(text)}\t40\t{sure}\t{text}"
        for at, (line, left, text, sure) in enumerate(words)
    ]
    return "\n".join([HEAD, *rows])


def recognised(text: str) -> list[str]:
    return [piece.text for piece in pdf_ocr._fragments(text, 3508)]


def test_japanese_words_are_joined_without_spaces_and_english_ones_with() -> None:
    words = table((1, 100, "医薬品", 90), (1, 230, "を", 91), (2, 100, "locked", 95), (2, 350, "box", 96))
    assert recognised(words) == ["医薬品を", "locked box"]


def test_what_tesseract_is_not_sure_of_is_no_text() -> None:
    words = table((1, 100, "Dose", 95), (2, 100, "~|;", 12), (2, 250, "Ww", 20), (3, 100, "—…—", 80))
    assert recognised(words) == ["Dose"]


def test_words_far_apart_are_pieces_of_their_own() -> None:
    words = table((1, 100, "Aspirin", 95), (1, 900, '"100', 95), (1, 1080, 'mg"', 95))
    assert recognised(words) == ["Aspirin", '"100 mg"']


def test_a_picture_of_nothing_is_known() -> None:
    from PIL import Image, ImageDraw

    picture = Image.new("L", (800, 1100), 250)
    assert is_blank(picture)
    ImageDraw.Draw(picture).text((100, 100), "Not blank at all: some words", fill=0)
    assert not is_blank(picture)


@needs_tesseract
@needs_font
@pytest.mark.parametrize(
    ("lines", "at_least"), [(ENGLISH, 0.99), (JAPANESE, 0.97), (JAPANESE + ENGLISH, 0.97)]
)
def test_a_scan_is_read(lines: list[str], at_least: float) -> None:
    result = read(scan(lines), OCR)
    assert result.engines == {"tesseract": (1,)}
    assert (result.warnings, result.empty_pages) == ([], ())
    assert similarity(lines, "\n".join(block.text for block in result.blocks)) >= at_least
    assert not any(re.search(r"[ぁ-龠。、] +[ぁ-龠]", block.text) for block in result.blocks)


@needs_tesseract
@needs_font
def test_a_poor_scan_is_read_in_the_most_part() -> None:
    result = read(scan(JAPANESE + ENGLISH, noise=60), OCR)
    got = "\n".join(block.text for block in result.blocks)
    assert similarity(JAPANESE + ENGLISH, got) >= 0.9


@needs_tesseract
@needs_font
def test_only_pages_without_text_are_recognised(make_pdf: Make, place: Place) -> None:
    writer = pypdf.PdfWriter()
    for data in (make_pdf([place(PROSE)]), scan(ENGLISH), make_pdf([[]])):
        writer.append(io.BytesIO(data))
    out = io.BytesIO()
    writer.write(out)
    result = read(out.getvalue(), OCR)
    assert result.engines == {"pypdf": (1,), "tesseract": (2,)}
    assert (result.empty_pages, result.warnings) == ((3,), ["page 3: no text"])
    assert [block.page for block in result.blocks] == [1, 2]


@needs_tesseract
@needs_font
def test_a_stamp_on_a_scan_gives_way_to_the_text_of_the_scan(make_pdf: Make) -> None:
    page = pypdf.PdfReader(io.BytesIO(scan(ENGLISH))).pages[0]
    stamp = pypdf.PdfReader(io.BytesIO(make_pdf([[(500, 30, 8, "No. 0042")]]))).pages[0]
    writer = pypdf.PdfWriter()
    writer.add_page(page).merge_page(stamp)
    out = io.BytesIO()
    writer.write(out)
    data = out.getvalue()
    assert read(data).warnings == ["page 1: pictures with hardly any text"]
    result = read(data, OCR)
    assert (result.engines, result.warnings) == ({"tesseract": (1,)}, [])
    assert "register in which" in result.blocks[0].text


@needs_tesseract
def test_a_scan_of_nothing_stays_a_page_without_text(make_pdf: Make) -> None:
    with pytest.raises(ReadError) as error:
        read(make_pdf([[]], pictures=[1]), OCR)
    assert error.value.outcome is Outcome.NO_TEXT_LAYER
    assert str(error.value) == "pictures without text on 1 of 1 pages: OCR found no text on them"
