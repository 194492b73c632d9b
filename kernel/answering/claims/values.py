"""Figures with their units, dates, times of day, part numbers: found in a text, and compared by what they say.

"1,000 mg" and "1 g" are the same, "5 mg" and "5 g" are not, and "2024年3月1日", "1 March 2024", "2024-03-01" and
"令和6年3月1日" are one date. Offsets are into the text as `retrieval.analysis.normalize` gives it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from kernel.answering.claims.units import MONTHS, NUMBER_WORDS, UNIT_PATTERN, WORD_NUMBERS, unit_of
from plugins.calendar_dates import YEARS_BEFORE
from retrieval.analysis import normalize
from retrieval.numerals import kanji_number


@dataclass(frozen=True, slots=True)
class Value:
    """A figure of a text. `kind` is what is measured, such as `time`, `mass`, `date`, `code`; `number` without a unit.

    `amount` is in the base unit of the kind, `written` as it stands there; of a date, a time of day or a code `key`
    says what it is, and of money and of what is counted in what.
    """

    kind: str
    start: int
    end: int
    amount: Decimal | None = None
    key: str = ""
    written: Decimal | None = None

    def same(self, other: Value) -> bool:
        """Say whether two values say the same."""
        return (self.kind, self.amount, self.key) == (other.kind, other.amount, other.key)


_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_SIGN = r"(?:(?<![\w.])[-−–±+])?"
_KANJI = "〇一二三四五六七八九十百千万"
_NUMBER = (
    rf"(?P<digits>{_SIGN}{_DIGITS})(?P<myriad>[千万億]|百万)?|(?P<kanji>[{_KANJI}]+)|(?P<word>{NUMBER_WORDS})"
)
_QUANTITY = re.compile(
    rf"(?P<money>[¥$€£]|\b(?:jpy|usd|eur)\s?)?(?<![a-z\d])(?:{_NUMBER})(?:\s?-?\s?(?P<unit>{UNIT_PATTERN}))?",
)
_MONTH_NAMES = "|".join(MONTHS)
_DATES: tuple[re.Pattern[str], ...] = (
    re.compile(
        rf"(?:(?P<era>{'|'.join(YEARS_BEFORE)})(?P<ey>\d{{1,2}}|元)|(?<!\d)(?P<y>(?:1\d|20)\d\d))\s?年(?:度|\s?(?P<m>\d{{1,2}})月(?:\s?(?P<d>\d{{1,2}})日)?)?"
        r"(?!間|\d)"
    ),
    re.compile(
        r"(?<![\d-])(?P<y>(?:1\d|20)\d\d)[-/.](?P<m>0?[1-9]|1[0-2])[-/.](?P<d>[0-2]?\d|3[01])(?![\d-])"
    ),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})月(?P<d>\d{1,2})日"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s(?P<month>{_MONTH_NAMES})\b\.?(?:,?\s(?P<y>(?:1\d|20)\d\d)\b)?"
    ),
    re.compile(
        rf"\b(?P<month>{_MONTH_NAMES})\.?\s(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(?P<y>(?:1\d|20)\d\d))?|(?P<y2>(?:1\d|20)\d\d))\b"
    ),
)
_CLOCKS: tuple[re.Pattern[str], ...] = (
    re.compile(r"(?<![\d:])(?P<h>[01]?\d|2[0-4]):(?P<min>[0-5]\d)(?:\s?(?P<half>[ap])\.?m\b\.?)?(?![\d:])"),
    re.compile(
        r"(?<!\d)(?P<jhalf>午前|午後)?(?P<h>[01]?\d|2[0-4])時(?!間)(?:(?P<min>[0-5]?\d)分|(?P<thirty>半))?"
    ),
    re.compile(r"(?<![\d:])(?P<h>1?\d)\s?(?P<half>[ap])\.?m\b\.?"),
)
_PHONE = re.compile(r"(?<![\d-])(?:0\d{1,4}-\d{1,4}-\d{3,4}|\+\d{1,3}(?:[ -]\d{2,5}){2,4})(?![\d-])")
_CODE = re.compile(
    r"第\d+(?:条|項|号|版|章|節)(?:の\d+)?"
    r"|(?<![a-z\d])(?=[a-z\d./-]*\d)(?=[a-z\d./-]*[a-z])[a-z]+[a-z\d]*(?:[-/.]?[a-z\d]+)*"
    r"|(?<![a-z\d])\d+[a-z]+(?:[-/][a-z\d]+)+"
)
_YEAR = re.compile(r"(?<![\d.,:/-])(?:1\d|20)\d\d(?![\d.,:/-]*\d)")


def find_values(text: str) -> list[Value]:
    """Return the values of a text, in order of their places, none within another."""
    return list(_found(normalize(text)))


@lru_cache(maxsize=512)
def _found(text: str) -> tuple[Value, ...]:
    taken = bytearray(len(text))
    values: list[Value] = []
    for value in _in_order_of_trust(text):
        if not any(taken[value.start : value.end]):
            taken[value.start : value.end] = b"\1" * (value.end - value.start)
            values.append(value)
    return tuple(sorted(values, key=lambda value: value.start))


def _in_order_of_trust(text: str) -> Iterator[Value]:
    for match in _PHONE.finditer(text):
        yield Value("phone", *match.span(), key=re.sub(r"\D", "", match.group()))
    for pattern in _DATES:
        for match in pattern.finditer(text):
            yield Value("date", *match.span(), key=_date_key(match.groupdict()))
    for pattern in _CLOCKS:
        for match in pattern.finditer(text):
            yield Value("clock", *match.span(), key=_clock_key(match.groupdict()))
    quantities = [_quantity(match) for match in _QUANTITY.finditer(text)]
    yield from (value for value in quantities if value is not None and value.kind != "number")
    for match in _CODE.finditer(text):
        yield Value("code", *match.span(), key=re.sub(r"[-./]", "", match.group()))
    for match in _YEAR.finditer(text):
        yield Value("date", *match.span(), key=match.group())
    yield from (value for value in quantities if value is not None)


def _date_key(found: dict[str, str | None]) -> str:
    year = found.get("y") or found.get("y2")
    if era := found.get("era"):
        number = found["ey"] or ""
        year = str(YEARS_BEFORE[era] + (1 if number == "元" else int(number)))
    named = found.get("month")
    month = found.get("m") or (str(MONTHS[named]) if named else None)
    day = found.get("d")
    return "-".join(
        [year or "", f"{int(month):02d}" if month else "", f"{int(day):02d}" if day else ""]
    ).rstrip("-")


def _clock_key(found: dict[str, str | None]) -> str:
    hour, minute = int(found["h"] or 0), int(found.get("min") or (30 if found.get("thirty") else 0))
    half = found.get("half") or {"午前": "a", "午後": "p"}.get(found.get("jhalf") or "")
    if half == "p" and hour < 12:
        hour += 12
    if half == "a" and hour == 12:
        hour = 0
    return f"{hour:02d}:{minute:02d}"


def _quantity(match: re.Match[str]) -> Value | None:
    name, money = match["unit"], match["money"]
    if match["digits"]:
        amount = Decimal(match["digits"].replace(",", "").replace("−", "-").replace("–", "-").lstrip("±+"))
        amount *= {"千": 1000, "万": 10**4, "百万": 10**6, "億": 10**8}.get(match["myriad"] or "", 1)
    elif name is None:  # words such as "one" are numbers only before a unit
        return None
    else:
        amount = Decimal(kanji_number(match["kanji"]) if match["kanji"] else WORD_NUMBERS[match["word"]])
    if money:
        currency = {"¥": "円", "jpy": "円", "$": "$", "usd": "$", "€": "€", "eur": "€", "£": "£"}[
            money.strip()
        ]
        return Value("money", *match.span(), amount=amount, key=currency, written=amount)
    if name is None:
        return Value("number", *match.span(), amount=amount, written=amount)
    unit = unit_of(name)
    return Value(unit.kind, *match.span(), amount=amount * unit.factor, key=unit.key, written=amount)


def is_among(value: Value, others: Sequence[Value]) -> bool:
    """Say whether a value of a claim stands among those of its evidence.

    A number that the claim gives without its unit is found with any; one that the evidence gives without, as cells of a
    table do, supports the claim's with. A date is supported by one that is as exact or more.
    """
    for other in others:
        if value.same(other):
            return True
        if value.kind == "date" == other.kind and _is_of(value.key, other.key):
            return True
        if (
            "number" in (value.kind, other.kind)
            and value.written is not None
            and value.written == other.written
        ):
            return True
    return False


def _is_of(claimed: str, held: str) -> bool:
    """Say whether a date lies within what is claimed: 2024-03-01 is of 2024, and of 03-01."""
    ours, theirs = (claimed + "--").split("-")[:3], (held + "--").split("-")[:3]
    return all(not our or our == their for our, their in zip(ours, theirs, strict=True))
