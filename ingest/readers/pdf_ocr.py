"""Optical character recognition of a rendered page by the program tesseract, where it is installed."""

from __future__ import annotations

import csv
import io
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ingest.lines import is_cjk
from ingest.readers.pdf_lines import Fragment, Line
from ingest.readers.pdf_rows import page_lines

DOTS = 300.0
"""The resolution, in dots an inch, that tesseract's models were made for."""

MOST_PIXELS = 30_000_000
"""Larger pages (A3 at 300 dots has 17 million) are rendered smaller."""

# Seconds that one page may take.
_SECONDS = 120.0
# The mean confidence, 0 to 100, below which a line is a picture read as text. Single words are kept:
# tesseract gives 0 to some that it reads right.
_CONFIDENT = 45.0
_WORD_LEVEL = "5"
_POINTS = 72 / DOTS


class OcrError(Exception):
    """Why a page cannot be recognised, in one line for a person."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    left: int
    top: int
    width: int
    height: int
    confidence: float


class Tesseract:
    """The installed program with the languages to read, checked once.

    Raises:
        OcrError: it is not installed, or lacks one of the languages; the message says what to install.
    """

    def __init__(self, languages: str) -> None:
        program = shutil.which("tesseract")
        if program is None:
            packages = " ".join(_package(name) for name in languages.split("+"))
            raise OcrError(
                f"tesseract is not installed: install it and its languages (apt-get install tesseract-ocr {packages})"
            )
        self._program, self._languages = program, languages
        self._environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
        present = self._run(["--list-langs"], b"").split()
        missing = [name for name in languages.split("+") if name not in present]
        if missing:
            packages = " ".join(_package(name) for name in missing)
            raise OcrError(
                f"tesseract lacks the language {' and '.join(missing)}: install it (apt-get install {packages})"
            )

    def lines(self, image: Any, number: int) -> list[Line]:
        """Recognise the picture of a page (PIL, grey, about 300 dots an inch) and return its lines.

        Raises:
            OcrError: tesseract failed, or took too long.
        """
        raw = io.BytesIO()
        image.save(raw, "PPM")
        table = self._run(["stdin", "stdout", "-l", self._languages, "--dpi", "300", "tsv"], raw.getvalue())
        return page_lines(list(_fragments(table, image.height)), number)

    def _run(self, arguments: Sequence[str], data: bytes) -> str:
        try:
            done = subprocess.run(  # noqa: S603 - the program that the person installed
                [self._program, *arguments],
                input=data,
                capture_output=True,
                timeout=_SECONDS,
                env=self._environment,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OcrError(f"took tesseract more than {_SECONDS:g} seconds") from error
        except OSError as error:
            raise OcrError(f"tesseract cannot be started: {error.strerror or error}") from error
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").split("\n")[0].strip()[:100]
            raise OcrError(f"tesseract failed: {said or f'exit status {done.returncode}'}")
        return done.stdout.decode("utf-8", "replace")


def is_blank(image: Any) -> bool:
    """Tell whether a picture shows nothing: next to no pixel differs from its brightest."""
    histogram = image.convert("L").histogram()
    total = sum(histogram)
    lightest = max(range(256), key=lambda level: sum(histogram[max(0, level - 8) : level + 9]))
    return bool(sum(histogram[max(0, lightest - 24) : lightest + 25]) > 0.99995 * total)


def _package(language: str) -> str:
    return f"tesseract-ocr-{language.replace('_', '-').lower()}"


def _fragments(table: str, height: int) -> Iterator[Fragment]:
    """Yield each line of tesseract's TSV as a piece, or several where its words stand far apart."""
    lines = [words for words in _word_lines(table) if _is_text(words)]
    if not lines:
        return
    # The height of a line varies with its letters; only what is clearly larger is a heading.
    heights = [statistics.median([word.height for word in words]) for words in lines]
    usual = statistics.median(heights)
    for words, tall in zip(lines, heights, strict=True):
        size = usual if tall < 1.35 * usual else tall
        foot = statistics.median([word.top + word.height for word in words])
        for group in _apart(words, size):
            left, right = group[0].left, max(word.left + word.width for word in group)
            yield Fragment(
                _joined(group),
                left * _POINTS,
                (height - foot) * _POINTS,
                size * _POINTS,
                False,
                extent=(right - left) * _POINTS,
            )


def _word_lines(table: str) -> Iterator[list[_Word]]:
    before, words = None, list[_Word]()
    for row in csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE):
        if row.get("level") != _WORD_LEVEL or not (row.get("text") or "").strip():
            continue
        line = (row["block_num"], row["par_num"], row["line_num"])
        if line != before and words:
            yield words
            words = []
        before = line
        left, top, width, height = (int(row[name]) for name in ("left", "top", "width", "height"))
        words.append(_Word(row["text"].strip(), left, top, width, height, float(row["conf"])))
    if words:
        yield words


def _is_text(words: Sequence[_Word]) -> bool:
    """Tell a line of text from a picture or a stain read as one."""
    weight = sum(len(word.text) for word in words)
    mean = sum(word.confidence * len(word.text) for word in words) / weight
    readable = sum(1 for word in words for char in word.text if char.isalnum())
    return mean >= _CONFIDENT and readable >= 0.3 * weight


def _apart(words: Sequence[_Word], size: float) -> Iterator[list[_Word]]:
    group = [words[0]]
    for before, word in pairwise(words):
        if word.left - before.left - before.width > 2.5 * size:
            yield group
            group = []
        group.append(word)
    yield group


def _joined(words: Sequence[_Word]) -> str:
    text = words[0].text
    for word in words[1:]:
        text += word.text if is_cjk(text[-1]) or is_cjk(word.text[0]) else f" {word.text}"
    return text
