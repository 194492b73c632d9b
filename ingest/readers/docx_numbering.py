"""The numbers that Word writes before paragraphs: they stand nowhere in the text, but people cite them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.readers.docx_parts import VAL, W

_KANJI = "〇一二三四五六七八九"
_AIUEO = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲン"
_IROHA = "イロハニホヘトチリヌルヲワカヨタレソツネナラムウヰノオクヤマケフコエテアサキユメミシヱヒモセスン"
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
          (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))  # fmt: skip


@dataclass(slots=True)
class _Level:
    style: str = ""
    format: str = "decimal"
    text: str = ""
    start: int = 1
    restarts: bool = True
    legal: bool = False
    suffix: str = " "


@dataclass(frozen=True, slots=True)
class Marker:
    """What stands before a paragraph. `bullet` tells a mark that says nothing of the order."""

    text: str
    level: int
    bullet: bool


class Numbering:
    """Counts the numbered paragraphs of a document in the order in which they are asked for."""

    def __init__(self, root: Any | None) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, str] = {}
        self._overrides: dict[str, dict[int, int]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._links: dict[str, str] = {}
        if root is not None:
            self._load(root)

    def marker(self, number: str, level: int | None, style: str | None = None) -> Marker | None:
        """Return the next marker of a list, or None where the definition gives none.

        `number` is the list (w:numId), `level` the depth from 0 (w:ilvl); without it the level is the one
        that belongs to the paragraph's style.
        """
        kind = self._lists.get(number)
        if kind is None or number == "0":
            return None
        levels = self._levels.get(self._links.get(kind, kind), {})
        if level is None:
            level = next((at for at, each in levels.items() if style and each.style == style), 0)
        own = levels.get(level)
        if own is None:
            return None
        if own.format == "bullet":
            return Marker("- ", level, bullet=True)
        counts = self._counts.setdefault(kind, {})
        override = self._overrides.get(number, {}).pop(level, None)
        if override is not None:
            counts[level] = override
        else:
            counts[level] = counts[level] + 1 if level in counts else own.start
        for deeper in [at for at in counts if at > level and levels.get(at, own).restarts]:
            del counts[deeper]

        def number_at(match: re.Match[str]) -> str:
            at = int(match.group(1)) - 1
            meant = levels.get(at, own)
            return in_format(counts.get(at, meant.start), "decimal" if own.legal else meant.format)

        text = re.sub(r"%([1-9])", number_at, own.text).strip()
        return Marker(text + own.suffix, level, bullet=False) if text else None

    def _load(self, root: Any) -> None:
        styles: dict[str, str] = {}
        for item in root.findall(f"{W}abstractNum"):
            kind = item.get(f"{W}abstractNumId", "")
            self._levels[kind] = dict(_levels(item))
            if (own := item.find(f"{W}styleLink")) is not None:
                styles[own.get(VAL, "")] = kind
        for item in root.findall(f"{W}abstractNum"):
            link = item.find(f"{W}numStyleLink")
            if link is not None and link.get(VAL) in styles:
                self._links[item.get(f"{W}abstractNumId", "")] = styles[link.get(VAL)]
        for item in root.findall(f"{W}num"):
            number, kind = item.get(f"{W}numId", ""), item.find(f"{W}abstractNumId")
            if kind is None:
                continue
            self._lists[number] = kind.get(VAL, "")
            overridden = dict(_overriding(item))
            if overridden:
                # A list that redefines a level counts by itself.
                below = f"{kind.get(VAL, '')} {number}"
                self._levels[below] = {**self._levels.get(kind.get(VAL, ""), {}), **overridden}
                self._lists[number] = below
            for each in item.findall(f"{W}lvlOverride"):
                start = each.find(f"{W}startOverride")
                if start is not None:
                    at = _number(each.get(f"{W}ilvl"), 0)
                    self._overrides.setdefault(number, {})[at] = _number(start.get(VAL), 1)


def _levels(item: Any) -> Iterator[tuple[int, _Level]]:
    for each in item.findall(f"{W}lvl"):

        def said(name: str, default: str = "", each: Any = each) -> str:
            found = each.find(f"{W}{name}")
            return default if found is None else str(found.get(VAL, default))

        level = _Level(
            said("pStyle"),
            said("numFmt", "decimal"),
            said("lvlText"),
            _number(said("start"), 1),
            said("lvlRestart") != "0",
            each.find(f"{W}isLgl") is not None and said("isLgl", "1") not in ("0", "false"),
            "" if said("suff") == "nothing" else " ",
        )
        yield _number(each.get(f"{W}ilvl"), 0), level


def _overriding(item: Any) -> Iterator[tuple[int, _Level]]:
    for each in item.findall(f"{W}lvlOverride"):
        yield from _levels(each)


def _number(value: str | None, default: int) -> int:
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 7 else default


def in_format(number: int, name: str) -> str:
    """Return a number in one of Word's number formats; unknown formats give decimal figures."""
    if name in ("none", "bullet"):
        return ""
    make = _FORMATS.get(name)
    return make(number) if make is not None and number > 0 else str(number)


def _letters(number: int) -> str:
    # Word goes on after z with aa, bb, cc.
    return chr(ord("a") + (number - 1) % 26) * (1 + (number - 1) // 26)


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        times, number = divmod(number, value)
        text += sign * min(times, 10)
    return text


def _counting(number: int) -> str:
    """Write a number as it is counted in Japanese: 十二, 百五."""
    if number >= 10000:
        return str(number)
    text = ""
    for value, sign in ((1000, "千"), (100, "百"), (10, "十")):
        times, number = divmod(number, value)
        if times:
            text += ("" if times == 1 else _KANJI[times]) + sign
    return text + (_KANJI[number] if number else "")


def _from(signs: str) -> Callable[[int], str]:
    return lambda number: signs[(number - 1) % len(signs)]


def _enclosed(first: str, count: int) -> Callable[[int], str]:
    return lambda number: chr(ord(first) + number - 1) if number <= count else str(number)


_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_FORMATS: dict[str, Callable[[int], str]] = {
    "decimalZero": lambda number: f"{number:02}",
    "lowerLetter": _letters,
    "upperLetter": lambda number: _letters(number).upper(),
    "lowerRoman": _roman,
    "upperRoman": lambda number: _roman(number).upper(),
    "decimalFullWidth": lambda number: str(number).translate(_WIDE),
    "decimalFullWidth2": lambda number: str(number).translate(_WIDE),
    "decimalEnclosedCircle": _enclosed("①", 20),
    "decimalEnclosedCircleChinese": _enclosed("①", 20),
    "decimalEnclosedParen": _enclosed("⑴", 20),
    "decimalEnclosedFullstop": _enclosed("⒈", 20),
    "ideographDigital": lambda number: "".join(_KANJI[int(digit)] for digit in str(number)),
    "japaneseDigitalTenThousand": lambda number: "".join(_KANJI[int(digit)] for digit in str(number)),
    "japaneseCounting": _counting,
    "chineseCounting": _counting,
    "chineseCountingThousand": _counting,
    "taiwaneseCounting": _counting,
    "taiwaneseCountingThousand": _counting,
    "ideographTraditional": _from(_STEMS),
    "ideographZodiac": _from(_BRANCHES),
    "aiueo": _from(_AIUEO),
    "aiueoFullWidth": _from(_AIUEO),
    "iroha": _from(_IROHA),
    "irohaFullWidth": _from(_IROHA),
}
