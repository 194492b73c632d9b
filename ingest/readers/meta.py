"""What documents say of themselves, brought into one form: dates, key words, languages."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.utils import parsedate_to_datetime

_PLAIN_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
_LANGUAGES = {"japanese": "ja", "日本語": "ja", "english": "en", "英語": "en", "jp": "ja"}


def iso_date(value: object) -> str | None:
    """Return a date or a time in ISO 8601, from a date, an ISO text, `2024/3/5`, `2024年3月5日` or the form of HTTP.

    What is no date gives None: a wrong date is worse than none.
    """
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = str(value or "").strip()
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text).isoformat()
        if re.match(r"\d{4}-\d{2}-\d{2}[T ]", text):
            return datetime.fromisoformat(text).isoformat(timespec="seconds")
        if match := _PLAIN_DATE.fullmatch(text):
            return date(*(int(part) for part in match.groups())).isoformat()
        return parsedate_to_datetime(text).isoformat(timespec="seconds")
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def key_words(value: str) -> tuple[str, ...]:
    """Return the words of a list written in one line: `a, b`, `a; b`, `甲、乙`; each once."""
    parts = (" ".join(part.split()) for part in re.split(r"[,;、，；]", value))
    return tuple(dict.fromkeys(part for part in parts if part))


def language_code(value: object) -> str | None:
    """Return the two letters of a language from `ja`, `en-GB`, `ja_JP`, `Japanese` or `日本語`; else None."""
    text = str(value or "").strip().lower()
    if text in _LANGUAGES:
        return _LANGUAGES[text]
    match = re.fullmatch(r"([a-z]{2})(?:[-_][a-z0-9]+)*", text)
    return match.group(1) if match else None
