"""What a call rests on, and what its result supports.

A model that is asked for arguments makes some up. An argument is grounded when its figures, dates and words stand in
what it may rest on: for a function of another program that is the question alone, so that no document can have its
text sent anywhere; for the calculator and the dates, which do nothing but compute, the passages as well.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from plugins.calendar_dates import find_dates, parse_date
from retrieval.errors import UsageError

_FIGURE = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\W\d_]+")
_SPELLED = {
    word: str(number)
    for number, words in enumerate(
        (
            "zero",
            "one 一",
            "two twice double 二",
            "three 三",
            "four 四",
            "five 五",
            "six 六",
            "seven 七",
            "eight 八",
            "nine 九",
            "ten 十",
            "eleven",
            "twelve dozen",
        )
    )
    for word in words.split()
}
_KNOWN = frozenset(("1", "7", "12", "24", "60", "100", "365", "1000"))
"""What anyone may put into a calculation: a whole, days, months, hours, minutes, per cent, thousands."""
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def figures(text: str) -> set[str]:
    """Return the figures in a text, without thousands separators and needless zeros; small ones in words as well."""
    plain = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text))
    found = {_canonical(figure) for figure in _FIGURE.findall(plain)}
    lower = plain.lower()
    return found | {
        number
        for word, number in _SPELLED.items()
        if (word in lower if _JAPANESE.match(word) else re.search(rf"\b{word}\b", lower))
    }


def is_grounded(
    arguments: Mapping[str, Any],
    schema: Mapping[str, Any],
    rests_on: Sequence[str],
    today: Callable[[], date],
    *,
    is_own: bool,
) -> bool:
    """Say whether every argument stands in some texts.

    What the schema lists by itself, a choice or its default, needs no ground, nor does a truth value.

    Args:
        arguments: of the call.
        schema: of the arguments.
        rests_on: the texts that it may rest on.
        today: tells the day.
        is_own: the function is of this program; figures that everyone knows, and words such as `sqrt`, are free then.
    """
    text = "\n".join(rests_on)
    held, words, days = figures(text), _plain(text), find_dates(text) | {today()}
    known = held | _KNOWN if is_own else held
    for value, its_schema in _leaves(arguments, schema):
        if isinstance(value, bool) or value is None or value == "" or _is_listed(value, its_schema):
            continue
        if isinstance(value, str) and (day := _day(value, today)) is not None:
            if day not in days:
                return False
        elif not figures(str(value)) <= known or (not is_own and not _stands(str(value), words)):
            return False
    return True


def _leaves(value: Any, schema: Any) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    schema = schema if isinstance(schema, Mapping) else {}
    if isinstance(value, Mapping):
        fields = schema.get("properties", {})
        for name, each in value.items():
            if isinstance(fields, Mapping) and name in fields:
                yield from _leaves(each, fields[name])
            else:
                yield name, {}  # a name that the model chose
                yield from _leaves(each, {})
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each, schema.get("items", {}))
    else:
        yield value, schema


def _is_listed(value: Any, schema: Mapping[str, Any]) -> bool:
    listed = schema.get("enum", [])
    return value in listed or ("default" in schema and value == schema["default"])


def _stands(value: str, words: str) -> bool:
    """Say whether every word of a text stands in another, whole."""
    for word in _WORD.findall(_plain(value)):
        if _JAPANESE.search(word):
            if word not in words:
                return False
        elif not re.search(rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])", words):
            return False
    return True


def _day(value: str, today: Callable[[], date]) -> date | None:
    try:
        return parse_date(value, today)
    except UsageError:
        return None


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _canonical(figure: str) -> str:
    whole, point, rest = figure.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + rest if rest else "")
