"""What one answer of a model is worth, by what its row expects."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass

from adaptation.training_sets.facts import mentions
from adaptation.training_sets.rows import ChatRow
from adaptation.training_sets.wording import Shape, shapes
from evaluation.answers.texts import token_f1
from kernel.answering.texts import admits_ignorance

_MARKER = re.compile(r"\[(\d{1,3})\]")
_MOST_XML = 4000
"""Characters of what is parsed as XML."""

Scores = dict[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a row: its label, and whether more is better."""

    label: str
    better: int = 1


FIGURES: Mapping[str, Figure] = {
    "marker": Figure("answerable: a marker given"),
    "right_marker": Figure("answerable: the right marker and no other"),
    "contains": Figure("answerable: the answer is in it"),
    "f1": Figure("answerable: token F1"),
    "wrongly_refused": Figure("answerable: refused", -1),
    "refused": Figure("unanswerable: refused"),
    "refused_removed": Figure("… evidence removed"),
    "refused_changed": Figure("… question changed"),
    "format": Figure("required form followed"),
    "xml": Figure("… XML"),
    "json": Figure("… JSON"),
    "label_right": Figure("class named rightly"),
    "instruction": Figure("general instructions followed"),
}


def judge(row: ChatRow, text: str) -> Scores:
    """Return the figures of an answer to a row, by their names; each between 0 and 1."""
    if row.kind == "format":
        return _form(row, text)
    if row.kind == "refusal":
        refused = float(admits_ignorance(text))
        return {"refused": refused} | (
            {f"refused_{row.detail}": refused} if row.detail in ("removed", "changed") else {}
        )
    if row.kind == "grounded":
        numbers = [int(number) for number in _MARKER.findall(text)]
        plain = _MARKER.sub("", text).strip()
        return {
            "marker": float(bool(numbers)),
            "right_marker": float(bool(numbers) and set(numbers) == {row.number}),
            "contains": float(mentions(plain, row.expected)),
            "f1": token_f1(plain, row.expected, row.language),
            "wrongly_refused": float(admits_ignorance(text)),
        }
    if row.kind == "qa" and row.detail == "class":
        said = re.findall(r"\w+", text.lower())
        return {"label_right": float(said[:1] == [row.answer.lower()])}
    if row.kind == "qa":
        return {
            "f1": token_f1(text, [row.answer], row.language),
            "contains": float(mentions(text, [row.answer])),
        }
    return {}


def _form(row: ChatRow, text: str) -> Scores:
    shape = next((each for each in shapes() if each.name == row.detail), None)
    if shape is None:
        return {}
    read = read_form(shape, text)
    return {"format": float(read is not None), shape.form: float(read is not None)}


def read_form(shape: Shape, text: str) -> tuple[str, int | None] | None:
    """Return the answer and its number out of a text in a form; None where the text is not in it, and nothing else."""
    said = text.strip()
    try:
        if shape.form == "json":
            held = json.loads(said)
            if not isinstance(held, dict) or set(held) != {shape.fields["text"], shape.fields["source"]}:
                return None
            number = held[shape.fields["source"]]
            body = held[shape.fields["text"]]
            if not isinstance(body, str) or not (number is None or isinstance(number, int)):
                return None
            return body, number
        if len(said) > _MOST_XML or "<!" in said:  # no entities
            return None
        root = ElementTree.fromstring(said)  # noqa: S314 - short, and without declarations
    except (ValueError, ElementTree.ParseError):
        return None
    if root.tag != shape.fields["root"] or [child.tag for child in root] != [
        shape.fields["text"],
        shape.fields["source"],
    ]:
        return None
    number_text = (root[1].text or "").strip()
    if number_text and not number_text.isdigit():
        return None
    return (root[0].text or "").strip(), int(number_text) if number_text else None
