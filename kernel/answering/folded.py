"""Figures, dates and negations in one form, whatever script and spelling they are written in.

"1,240 ℃", "1240 °C" and "１２４０度" are one figure; "1 May 2024", "2024/5/1" and "令和6年5月1日" are one date; "ten
days" and "十日" are ten. Spans are offsets into the text as it was given.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from kernel.answering.claims.units import MONTHS, WORD_NUMBERS
from plugins.calendar_dates import YEARS_BEFORE
from retrieval.numerals import kanji_number

FigureKind = Literal["number", "date", "time"]

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
# "One" is too often no number, and "hundred" only a part of one.
_WORDS = {word: number for word, number in WORD_NUMBERS.items() if 1 < number < 100}
COUNTERS = (
    "年間|年|か月|ヶ月|カ月|ヵ月|箇月|ヶ月|月|日間|日|週間|週|時間|時|分間|分|秒|回|人|名|個|台|本|枚|件|部|歳|円|度|割|倍|"
    "条|項|階|号|番|つ|パーセント|種類|箇所|か所|ヶ所|名様|点|社|室|床"
)
_FIGURE = re.compile(
    r"(?P<iso>(?<![\d.])(?P<y>\d{4})\s?[-/.年]\s?(?P<m>\d{1,2})\s?[-/.月]\s?(?P<d>\d{1,2})(?:日|(?![\d.]\d)(?!\d)))"
    rf"|(?P<era>(?P<e>{'|'.join(YEARS_BEFORE)})\s?(?P<ey>\d{{1,2}}|元)年\s?(?P<em>\d{{1,2}})月\s?(?P<ed>\d{{1,2}})日)"
    rf"|(?P<dmy>(?<!\d)(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s+(?P<m1>{_MONTH})\.?,?\s+(?P<y1>\d{{4}})(?!\d))"
    rf"|(?P<mdy>\b(?P<m2>{_MONTH})\.?\s+(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y2>\d{{4}})(?!\d))"
    r"|(?P<clock>(?<![\d:.])(?P<h>[01]?\d|2[0-4])(?::(?P<mi>[0-5]\d)(?![\d:])|時(?!間)(?:(?P<mj>\d{1,2})分)?))"
    r"|(?P<number>(?<![\w.])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    rf"|(?P<kanji>[〇一二三四五六七八九十百千]+)(?={COUNTERS})"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\b"
)
_UNIT = re.compile(
    rf"\s?(?P<unit>°\s?[cf]|degrees?(?: celsius| c)?|%|percent|{COUNTERS}|[a-zµμ]+(?:/[a-zµμ]+|[²³])?)"
)
_SAME_UNIT = {
    "°c": "°c",
    "degree": "°c",
    "degree celsius": "°c",
    "degree c": "°c",
    "degrees celsius": "°c",
    "degrees c": "°c",
    "celsius": "°c",
    "摂氏": "°c",
    "度": "°c",
    "percent": "%",
    "パーセント": "%",
    "年間": "year",
    "年": "year",
    "日間": "day",
    "日": "day",
    "週間": "week",
    "週": "week",
    "時間": "hour",
    "h": "hour",
    "hr": "hour",
    "分": "minute",
    "分間": "minute",
    "min": "minute",
    "秒": "second",
    "sec": "second",
    "μg": "µg",
    "円": "yen",
} | dict.fromkeys(("か月", "ヶ月", "カ月", "ヵ月", "箇月"), "month")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|cannot|without|nor|neither|prohibited|forbidden)\b|n[’']t\b"
    r"|ない|なかった|ません|なく(?:て|、)|ずに|ざる|不可|禁止|禁ず|厳禁|以外"
)
_NO_NEGATION = re.compile(
    r"\bnot only\b|\bno\.\s?(?=\d)"
    r"|な(?:ければ|くては|いと)(?:なら|いけ|だめで)(?:ない|ません|なかった)|しか\w{0,4}?(?:ない|ません)|かもしれ(?:ない|ません)"
    r"|だけでなく|少ない|危ない"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a text. `value` is its one form, `unit` empty where it has none."""

    value: str
    unit: str
    kind: FigureKind
    start: int
    end: int


def fold(text: str) -> tuple[str, list[int]]:
    """Return a text in one width and case, and for each character of that, and its end, where it stands in the text."""
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for each in unicodedata.normalize("NFKC", character).lower():
            folded.append(each)
            places.append(place)
    places.append(len(text))
    return "".join(folded), places


def figures(text: str) -> list[Figure]:
    """Return the figures of a text in order."""
    folded, places = fold(text)
    return list(_figures(folded, places))


def figure_values(text: str) -> frozenset[str]:
    """Return what the figures of a text say, each with its unit."""
    return frozenset(f"{figure.value} {figure.unit}".strip() for figure in figures(text))


def unit_of(word: str) -> str:
    """Return the one form of a word that is a unit; empty for other words."""
    folded = fold(word)[0]
    found = _one_unit(folded)
    return found if found in _UNITS and folded not in _NO_UNIT_ALONE else ""


def denials(text: str) -> int:
    """Return how often a text denies; what only looks like a negation, as 「なければならない」, is left out."""
    return len(_NEGATION.findall(_NO_NEGATION.sub(" ", fold(text)[0])))


def _figures(folded: str, places: list[int]) -> Iterator[Figure]:
    for found in _FIGURE.finditer(folded):
        start, end = places[found.start()], places[found.end() - 1] + 1
        kind = str(found.lastgroup and next(name for name in _KINDS if found[name]))
        if kind in ("iso", "era", "dmy", "mdy"):
            day = _date(found, kind)
            if day is not None:
                yield Figure(day.isoformat(), "", "date", start, end)
            continue
        if kind == "clock":
            minute = int(found["mi"] or found["mj"] or 0)
            yield Figure(f"{int(found['h']):02}:{minute:02}", "", "time", start, end)
            continue
        value = _number(found, kind)
        unit = _UNIT.match(folded, found.end())
        name = "" if unit is None else " ".join(unit["unit"].replace("° ", "°").split())
        yield Figure(value, _one_unit(name), "number", start, end)


_KINDS = ("iso", "era", "dmy", "mdy", "clock", "number", "kanji", "word")


def _date(found: re.Match[str], kind: str) -> date | None:
    if kind == "iso":
        year, month, day = int(found["y"]), int(found["m"]), int(found["d"])
    elif kind == "era":
        years = 1 if found["ey"] == "元" else int(found["ey"])
        year, month, day = YEARS_BEFORE[found["e"]] + years, int(found["em"]), int(found["ed"])
    elif kind == "dmy":
        year, month, day = int(found["y1"]), MONTHS[found["m1"]], int(found["d1"])
    else:
        year, month, day = int(found["y2"]), MONTHS[found["m2"]], int(found["d2"])
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _number(found: re.Match[str], kind: str) -> str:
    if kind == "word":
        return str(_WORDS[found["word"]])
    if kind == "kanji":
        return str(kanji_number(found["kanji"]))
    text = found["number"].replace(",", "").replace("−", "-")
    whole, point, rest = text.partition(".")
    rest = rest.rstrip("0")
    whole = ("-" if whole.startswith("-") else "") + (whole.lstrip("-").lstrip("0") or "0")
    return f"{whole}.{rest}" if point and rest else whole


def _one_unit(name: str) -> str:
    if name in _SAME_UNIT:
        return _SAME_UNIT[name]
    if name in _NO_UNITS or (len(name) > 12 and name.isascii()):
        return ""
    single = name[:-1] if len(name) > 3 and name.endswith("s") else name
    return _SAME_UNIT.get(single, single)


_NO_UNITS = frozenset(
    "a an and are as at be before by for from if in into is it of on or per than that the then this to until was were "
    "when where which while who will with after but can may must shall should not no".split()
)
_UNITS = frozenset(
    "°c °f % mg g kg µg t ml l dl mm cm m km kpa mpa pa bar hz khz v w kw kwh ma rpm year month week day hour minute "
    "second yen usd eur mmhg mmol/l mg/dl mg/kg ppm °".split()
) | frozenset(_SAME_UNIT.values())
_NO_UNIT_ALONE = frozenset(
    ("min", "second", "sec", "番", "号", "階")
)  # "min_temperature", "the second document"
