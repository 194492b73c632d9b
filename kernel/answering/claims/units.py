"""Units of measurement and counting words, as documents write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sept", "sep"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
WORD_NUMBERS = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
} | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "hundred": 100,
}
NUMBER_WORDS = r"\b(?:" + "|".join(sorted(WORD_NUMBERS, key=len, reverse=True)) + r")\b"


@dataclass(frozen=True, slots=True)
class Unit:
    """What is measured, the factor to its base unit, and what else must be the same (a currency, what is counted)."""

    kind: str
    factor: Decimal
    key: str = ""


_MEASURES: dict[str, dict[str, str]] = {
    "time": {
        "0.001": "ms msec ミリ秒",
        "1": "s sec secs second seconds 秒 秒間",
        "60": "min mins minute minutes 分 分間",
        "3600": "h hr hrs hour hours 時間",
        "86400": "day days 日 日間 営業日 泊",
        "604800": "week weeks 週 週間",
    },
    "span": {  # of no fixed number of days
        "1": "month months か月 ヶ月 カ月 ヵ月 箇月 か月間 ヶ月間 カ月間",
        "12": "year years yr yrs 年 年間",
    },
    "temperature": {"1": "°c 度 degc degrees °"},
    "percent": {"1": "% percent パーセント", "10": "割"},
    "mass": {
        "0.000001": "μg mcg ug マイクログラム",
        "0.001": "mg ミリグラム",
        "1": "g gram grams グラム",
        "1000": "kg kilogram kilograms キロ キログラム",
        "1000000": "t ton tons tonne tonnes トン",
    },
    "length": {
        "0.000000001": "nm",
        "0.000001": "μm um マイクロメートル ミクロン",
        "0.001": "mm ミリ ミリメートル",
        "0.01": "cm センチ センチメートル",
        "1": "m meter meters metre metres メートル",
        "1000": "km キロメートル",
        "0.0254": "inch inches インチ",
    },
    "area": {"1": "m2 平方メートル", "0.0001": "cm2", "0.000001": "mm2"},
    "volume": {
        "0.000001": "μl ul",
        "0.001": "ml cc ミリリットル",
        "0.1": "dl",
        "1": "l liter liters litre litres リットル",
        "1000": "m3 立方メートル",
    },
    "pressure": {"1": "pa", "1000": "kpa", "1000000": "mpa", "100000": "bar", "133.322": "mmhg"},
    "rotation": {"1": "rpm min-1 r/min 回転"},
    "torque": {"1": "n·m n・m nm n-m nm2"},
    "force": {"1": "n newton newtons", "1000": "kn"},
    "voltage": {"0.001": "mv", "1": "v volt volts ボルト", "1000": "kv"},
    "current": {"0.001": "ma", "1": "a ampere amperes アンペア"},
    "power": {"1": "w watt watts ワット", "1000": "kw"},
    "sound": {"1": "db デシベル"},
    "dose": {"1": "iu unit units 単位", "1000": "meq"},
    "age": {"1": "歳 才"},
    "multiple": {"1": "倍"},
}
_MONEY = {
    "円": {"1": "円 yen jpy"},
    "$": {"1": "dollar dollars usd ドル"},
    "€": {"1": "euro euros eur ユーロ"},
}
_COUNTED = {
    "件": "件 cases",
    "人": "人 名 persons people employees",
    "回": "回 times",
    "個": "個 pieces pcs",
    "台": "台",
    "枚": "枚 sheets",
    "本": "本",
    "点": "点 points",
    "社": "社 companies",
    "部": "部 copies",
    "箱": "箱 boxes",
    "錠": "錠 tablets",
    "滴": "滴 drops",
    "ページ": "ページ 頁 pages",
    "階": "階",
    "床": "床 beds",
}


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    for kind, factors in _MEASURES.items():
        for factor, names in factors.items():
            table |= {name: Unit(kind, Decimal(factor)) for name in names.split(" ")}
    for key, factors in _MONEY.items():
        for factor, names in factors.items():
            table |= {name: Unit("money", Decimal(factor), key) for name in names.split(" ")}
    for key, names in _COUNTED.items():
        table |= {name: Unit("count", Decimal(1), key) for name in names.split(" ")}
    return table


_UNITS = _table()
KINDS = frozenset(unit.kind for unit in _UNITS.values())


def _pattern() -> str:
    """Return what matches a unit, the longest first; one in Latin letters ends where its word does."""
    names = sorted(_UNITS, key=len, reverse=True)
    latin = "|".join(re.escape(name) for name in names if name[-1].isascii() and name[-1].isalnum())
    others = "|".join(re.escape(name) for name in names if not (name[-1].isascii() and name[-1].isalnum()))
    return rf"(?:{latin})(?![a-z\d])|(?:{others})"


UNIT_PATTERN = _pattern()


def unit_of(name: str) -> Unit:
    """Return the unit of a name that `UNIT_PATTERN` matched."""
    return _UNITS[name]
