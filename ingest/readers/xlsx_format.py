"""Values of spreadsheet cells as people see them: dates as ISO, percentages, decimals, thousands, currencies."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

# Built-in formats of Japanese, Chinese and Korean editions, which files name by number only.
_EAST_ASIAN_DATES = frozenset({*range(27, 32), 36, *range(50, 55), 57, 58})
_EAST_ASIAN_TIMES = frozenset({32, 33, 34, 35})
_EAST_ASIAN_MONTHS = frozenset({55, 56})
_CURRENCY = re.compile(r"\[\$([^\]-]*)(?:-[^\]]*)?\]")
_CONDITION = re.compile(r"\[[<>=][^\]]*\]")
_BRACKETS = re.compile(r"\[[^\]]*\]")
_LITERALS = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_NUMBER = re.compile(r"[#0?][#0?,]*(?:\.[#0?]*)?|\.[#0?]+")
_DATE_LETTERS = re.compile(r"[ymdhsge年月日時分秒]", re.IGNORECASE)


def format_code(number: int, codes: dict[int, str]) -> str:
    """Return the code of a number format; `codes` are the file's own ones. "General" when there is none."""
    from openpyxl.styles.numbers import BUILTIN_FORMATS

    if number in codes:
        return codes[number]
    if number in _EAST_ASIAN_DATES | _EAST_ASIAN_MONTHS:
        return "yyyy-mm-dd"
    if number in _EAST_ASIAN_TIMES:
        return "hh:mm:ss"
    return str(BUILTIN_FORMATS.get(number, "General"))


def shown_number(text: str, code: str, *, since_1904: bool = False) -> str:
    """Return a number of a cell as its format shows it.

    Args:
        text: the number as the file stores it.
        code: the format's code, as in Excel's dialogue.
        since_1904: whether days are counted from 1904, as old Macintosh programs did.

    Dates come as ISO 8601 whatever the format, "2024-04-01" or "2024-04-01 09:30"; what cannot be
    formatted comes as it is.
    """
    try:
        value = float(text)
    except ValueError:
        return text
    if value != value or value in (float("inf"), float("-inf")):
        return text
    kind = _kind(code)
    if kind != "number":
        return _moment(value, kind, since_1904=since_1904) or _general(value)
    return _formatted(value, code) if code.lower() != "general" else _general(value)


@lru_cache(maxsize=1024)
def _kind(code: str) -> str:
    """Return `date`, `duration` or `number`."""
    from openpyxl.styles.numbers import is_date_format, is_timedelta_format

    if code.lower() == "general" or code == "@":
        return "number"
    if is_timedelta_format(code):
        return "duration"
    # "General" with literals, and colours like [Red], hold letters of dates without being any.
    bare = _BRACKETS.sub("", _LITERALS.sub("", code.split(";")[0]))
    return (
        "date"
        if is_date_format(code) and _DATE_LETTERS.search(bare) and "general" not in bare.lower()
        else "number"
    )


def _moment(value: float, kind: str, *, since_1904: bool) -> str | None:
    from openpyxl.utils.datetime import CALENDAR_MAC_1904, WINDOWS_EPOCH, from_excel

    epoch = CALENDAR_MAC_1904 if since_1904 else WINDOWS_EPOCH
    if kind == "duration":
        seconds = round(value * 86400)
        sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
        hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
        return f"{sign}{hours}:{minutes:02}" + (f":{rest:02}" if rest else "")
    try:
        moment = from_excel(value, epoch)
    except (OverflowError, ValueError):
        return None
    return shown_moment(moment)


def shown_moment(moment: object) -> str | None:
    """Return a date or a time of day as ISO 8601, without a midnight and without empty seconds."""
    if isinstance(moment, datetime):
        if moment.time() == time():
            return moment.date().isoformat()
        return moment.isoformat(sep=" ", timespec="seconds" if moment.second else "minutes")
    if isinstance(moment, time):
        return moment.isoformat(timespec="seconds" if moment.second else "minutes")
    return str(moment) if isinstance(moment, timedelta) else None


def _general(value: float) -> str:
    # 15 digits are what a spreadsheet computes with: 0.1 + 0.2 shows as 0.3.
    text = f"{value:.15g}"
    if "e" in text and abs(value) < 1e21:
        text = f"{Decimal(text):f}"
    return "0" if text == "-0" else text


@lru_cache(maxsize=1024)
def _pattern(section: str) -> tuple[str, str, int, int, bool, int] | None:
    """Return (before, after, least and most decimals, thousands, scale) of a section; None if too special."""
    section = _CURRENCY.sub(lambda match: '"' + match.group(1) + '"', section)
    bare = _BRACKETS.sub("", section)
    literals: list[str] = []

    def keep(match: re.Match[str]) -> str:
        literals.append(match.group(1) or match.group(2) or "")
        return "\x00"

    bare = _LITERALS.sub(keep, bare)
    found = _NUMBER.search(bare)
    rest = bare[: found.start()] + bare[found.end() :] if found else ""
    if found is None or _NUMBER.search(rest) or re.search(r"[Ee][+-]|/|general|@", rest, re.IGNORECASE):
        return None
    whole, _, decimals = found.group().partition(".")
    scale = len(whole) - len(whole.rstrip(","))
    stored = iter(literals)
    before, after = (
        "".join(next(stored) if char == "\x00" else char for char in part)
        for part in (bare[: found.start()], bare[found.end() :])
    )
    least = decimals.count("0")
    return before.lstrip(), after.rstrip(), least, len(decimals), "," in whole.rstrip(","), scale


def _formatted(value: float, code: str) -> str:
    if _CONDITION.search(code):
        return _general(value)
    sections = code.split(";")
    negative = value < 0
    section = sections[0]
    if negative and len(sections) > 1 and sections[1].strip():
        section, negative = sections[1], False
    elif value == 0 and len(sections) > 2 and sections[2].strip():
        section = sections[2]
    pattern = _pattern(section)
    if pattern is None:
        return _general(value)
    before, after, least, most, thousands, scale = pattern
    number = abs(Decimal(f"{value:.15g}")) / 1000**scale
    number *= 100 ** (before + after).count("%")
    if number >= 10**21:
        return _general(value)
    text = f"{number.quantize(Decimal(1).scaleb(-most), ROUND_HALF_UP):{',' if thousands else ''}f}"
    if most > least and "." in text:
        whole, _, decimals = text.partition(".")
        decimals = decimals[:least] + decimals[least:].rstrip("0")
        text = f"{whole}.{decimals}" if decimals else whole
    return f"{'-' if negative and number else ''}{before}{text}{after}".strip()
