"""A value of a kind, found in a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from kernel.answering.evidence import Sentence
from kernel.answering.folded import Figure, denials, figures, fold, unit_of
from kernel.documents.schema import Field
from kernel.documents.sentences import bare
from retrieval.analysis import analyze
from retrieval.records import Passage

_LABELLED = re.compile(r"^\s*(?:[-*•・]\s*)?(?P<label>[^:：|.。]{1,40})(?:：|:(?!\d))\s*(?P<value>\S.*)$")
_CODE = re.compile(r"[\w-]*\d[\w-]*")
_LIST = re.compile(r"\s*[,;、；]\s*|\s+(?:and|or)\s+")
_LONGEST = 500


def value_in(field: Field, sentence: Sentence) -> Any | None:
    """Return the value of a field that a sentence gives; None where it gives none.

    A number has the unit that the field's words name, where they name one; a figure that stands in those words is none.
    """
    if field.kind in ("number", "integer"):
        return _number(field, sentence.text)
    if field.kind == "date":
        return next((figure.value for figure in figures(sentence.text) if figure.kind == "date"), None)
    if field.kind == "enum":
        return _choice(field.choices, sentence.text)
    if field.kind == "boolean":
        return denials(sentence.text) % 2 == 0
    text = _labelled(field, sentence.text) or _named(field, sentence) or bare(sentence.text).rstrip("。.")
    return text if len(text) <= _LONGEST else None


def values_in(field: Field, sentence: Sentence) -> list[Any]:
    """Return the values of a field of many that a sentence gives."""
    if field.kind in ("number", "integer"):
        return [
            value
            for figure in _figures(field, sentence.text)
            if (value := _as(field.kind, figure)) is not None
        ]
    if field.kind == "string" and (listed := _labelled(field, sentence.text)):
        return [part for part in _LIST.split(listed.rstrip("。.")) if part]
    value = value_in(field, sentence)
    return [] if value is None else [value]


def holds(value: Any, passages: Sequence[Passage]) -> tuple[int, int, int] | None:
    """Return where passages hold a value word for word: the passage's place, and the span in its text.

    A number is held by a figure of the same value, a text by the same text in any width, case and spacing, or by the
    same date. None for what cannot be held so: true, false and null.
    """
    if isinstance(value, bool) or value is None:
        return None
    for place, passage in enumerate(passages):
        span = (
            _held_number(value, passage.text)
            if isinstance(value, int | float)
            else _held(str(value), passage.text)
        )
        if span is not None:
            return place, *span
    return None


def _held_number(value: float, text: str) -> tuple[int, int] | None:
    for figure in figures(text):
        if figure.kind == "number" and float(figure.value) == value:
            return figure.start, figure.end
    return None


def _held(value: str, text: str) -> tuple[int, int] | None:
    wanted = "".join(fold(value)[0].split()).rstrip("。.")
    if not wanted:
        return None
    for figure in figures(text):
        if figure.kind == "date" and figure.value == wanted:
            return figure.start, figure.end
    folded, places = fold(text)
    kept = [place for place, character in enumerate(folded) if not character.isspace()]
    start = "".join(folded[place] for place in kept).find(wanted)
    if start < 0:
        return None
    first, last = kept[start], kept[start + len(wanted) - 1]
    return places[first], places[last] + 1


def _number(field: Field, text: str) -> int | float | None:
    found = _figures(field, text)
    return next((value for figure in found if (value := _as(field.kind, figure)) is not None), None)


def _figures(field: Field, text: str) -> list[Figure]:
    asked = {figure.value for figure in figures(field.query)}
    units = {unit for token in re.findall(r"[^\s(),、。]+", field.query) if (unit := unit_of(token))}
    found = [figure for figure in figures(text) if figure.kind == "number" and figure.value not in asked]
    return [figure for figure in found if figure.unit in units] if units else found


def _as(kind: str, figure: Figure) -> int | float | None:
    number = float(figure.value)
    if kind == "integer" or number.is_integer():
        return int(number) if number.is_integer() else None
    return number


def _choice(choices: Sequence[str], text: str) -> str | None:
    folded = fold(text)[0]
    words = {token.text for token in analyze(text)}
    held = [
        choice
        for choice in choices
        if (fold(choice)[0] in folded if not choice.isascii() else {t.text for t in analyze(choice)} <= words)
        and choice.strip()
    ]
    return max(held, key=len, default=None)


def _named(field: Field, sentence: Sentence) -> str:
    """Return a number or code that stands right behind the last of the field's words: "extension 7238"."""
    words = {token.text for token in analyze(field.query) if token.is_content and not token.has_digit}
    tokens = sentence.tokens
    folded, places = fold(sentence.text)
    for before, token in pairwise(tokens):
        between = folded[before.end : token.start] if token.start <= len(folded) else "x"
        if before.text in words and token.has_digit and not between.strip():
            found = _CODE.match(folded, token.start)
            if found and found.end() < len(places):
                return sentence.text[places[found.start()] : places[found.end() - 1] + 1]
    return ""


def _labelled(field: Field, text: str) -> str:
    """Return what stands behind a label that is in the field's words; empty where none is."""
    words = {token.text for token in analyze(field.query)}
    cells = (
        [cell.strip() for cell in text.strip().strip("|").split("|")] if text.lstrip().startswith("|") else []
    )
    if len(cells) == 2:
        label, value = cells
    elif match := _LABELLED.match(text):
        label, value = match["label"], match["value"]
    else:
        return ""
    named = {token.text for token in analyze(label) if token.is_content}
    return value.strip() if named & words else ""
