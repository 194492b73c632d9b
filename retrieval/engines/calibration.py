"""Texts that come with Tekio, English and Japanese, on which what is made of an embedder is calibrated."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).with_name("calibration.txt")


def calibration_text() -> str:
    """Return the texts as one."""
    return _FILE.read_text("utf-8")


def calibration_paragraphs() -> list[str]:
    """Return the texts by paragraph."""
    return [part.strip() for part in calibration_text().split("\n\n") if part.strip()]
