"""Dates as people write them, in English and Japanese, the eras of Japan among them."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import date, timedelta

from retrieval.errors import UsageError

# First days by the calendar of today, which Japan has used since 1873.
ERAS = (
    ("令和", "R", date(2019, 5, 1)),
    ("平成", "H", date(1989, 1, 8)),
    ("昭和", "S", date(1926, 12, 25)),
    ("大正", "T", date(1912, 7, 30)),
    ("明治", "M", date(1868, 1, 25)),
)
YEARS_BEFORE = {name: first.year - 1 for name, _, first in ERAS}
"""The year of the calendar before the first of each era."""
FIRST_ERA_DAY = date(1873, 1, 1)
WEEKDAYS = (
    ("Monday", "月曜日"),
    ("Tuesday", "火曜日"),
    ("Wednesday", "水曜日"),
    ("Thursday", "木曜日"),
    ("Friday", "金曜日"),
    ("Saturday", "土曜日"),
    ("Sunday", "日曜日"),
)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_NEAR = {"today": 0, "今日": 0, "本日": 0, "tomorrow": 1, "明日": 1, "yesterday": -1, "昨日": -1}
_COUNT = "[0-9〇一二三四五六七八九十]{1,3}"
_NAMES = "|".join(name for name, _, _ in ERAS)
_ERA_YEAR = rf"(?P<era>{_NAMES}|(?<![A-Za-z])[RHSTM](?=\.?\s?\d))\.?\s*(?P<year>元|{_COUNT})"
_MONTH_NAME = "(?P<month>" + "|".join(f"{name[:3]}(?:{name[3:]})?" for name in _MONTHS) + r")\.?"
_FORMS = (
    re.compile(rf"{_ERA_YEAR}\s*[年./-]\s*(?P<month>{_COUNT})\s*[月./-]\s*(?P<day>{_COUNT})(?:\s*日|(?!\d))"),
    re.compile(
        r"(?<!\d)(?P<year>\d{4})\s*[年./-]\s*(?P<month>\d{1,2})\s*[月./-]\s*(?P<day>\d{1,2})(?:\s*日|(?!\d))"
    ),
    re.compile(
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH_NAME},?\s+(?P<year>\d{{4}})(?!\d)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b{_MONTH_NAME}\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?!\d)", re.IGNORECASE
    ),
)
_COMPACT = re.compile(r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})")
_YEAR_ALONE = re.compile(rf"(?:{_ERA_YEAR})\s*年?")
_WEEKDAY = re.compile(r"\s*\([月火水木金土日](?:曜日?)?\)$")
_HOW = "write it as 2026-05-01, 1 May 2026 or 令和8年5月1日"


def parse_date(text: str, today: Callable[[], date]) -> date:
    """Return the day that a text names.

    An era that had ended goes on: 平成32年3月31日 is 2020-03-31, as documents written before its end have it.

    Raises:
        UsageError: it names none, one that is not in the calendar, or one before its era began.
    """
    plain = _WEEKDAY.sub("", _normal(text))
    if plain.lower() in _NEAR:
        return today() + timedelta(days=_NEAR[plain.lower()])
    for form in (*_FORMS, _COMPACT):
        if found := form.fullmatch(plain):
            return _date_of(found, text)
    raise UsageError(f"'{text.strip()[:40]}' is no date; {_HOW}")


def find_dates(text: str) -> set[date]:
    """Return the days that are named somewhere in a text."""
    return set(_found(_normal(text)))


def era_year(text: str) -> int | None:
    """Return the year of the calendar for a year of an era alone, such as 令和8年; None for anything else."""
    found = _YEAR_ALONE.fullmatch(_normal(text))
    return _first_year(found["era"]) + _count(found["year"]) - 1 if found else None


def in_era(day: date) -> str:
    """Return a day as Japan writes it; as it is in the common era before 1873."""
    if day < FIRST_ERA_DAY:
        return f"{day.year}年{day.month}月{day.day}日"
    name, _, first = next(era for era in ERAS if day >= era[2])
    year = day.year - first.year + 1
    return f"{name}{'元' if year == 1 else year}年{day.month}月{day.day}日"


def _found(plain: str) -> Iterator[date]:
    for form in _FORMS:
        for match in form.finditer(plain):
            try:
                yield _date_of(match, match[0])
            except UsageError:
                continue


def _date_of(found: re.Match[str], text: str) -> date:
    parts = found.groupdict()
    month, year = _month(parts["month"]), _count(parts["year"])
    era = parts.get("era")
    if era:
        year += _first_year(era) - 1
    try:
        day = date(year, month, _count(parts["day"]))
    except ValueError:
        raise UsageError(f"'{text.strip()[:40]}' is not in the calendar; {_HOW}") from None
    if era:
        first = max(_era(era)[2], FIRST_ERA_DAY)
        if day < first:
            raise UsageError(
                f"{_era(era)[0]} is reckoned from {first.isoformat()} on; {day.isoformat()} is {in_era(day)}"
            )
    return day


def _era(mark: str) -> tuple[str, str, date]:
    return next(era for era in ERAS if mark in era[:2])


def _first_year(mark: str) -> int:
    return _era(mark)[2].year


def _month(text: str) -> int:
    for number, name in enumerate(_MONTHS, start=1):
        if text.lower().startswith(name[:3]):
            return number
    return _count(text)


def _count(text: str) -> int:
    """Return a whole number in figures or in the figures of Japan, up to ninety-nine."""
    if text == "元":
        return 1
    if text.isdecimal():
        return int(text)
    tens, found, ones = text.rpartition("十")
    digits = {figure: value for value, figure in enumerate("〇一二三四五六七八九")}
    if any(figure not in digits for figure in tens + ones):
        return 0
    if not found:
        return int("".join(str(digits[figure]) for figure in ones))
    return (digits[tens] if tens else 1) * 10 + (digits[ones] if ones else 0) if len(tens + ones) <= 2 else 0


def _normal(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())
