"""How answers are worded in training rows: with the markers, and the words of a refusal, that the prompts ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError

REFUSALS = {"en": "I don't know.", "ja": "わかりません。"}
_ENDS = " .。．、,;；:：・"
_DATA = Path(__file__).parent


def cited(answer: str, number: int, language: str) -> str:
    """Return an answer with its marker before the full stop, as the prompts show it."""
    said = answer.strip()
    while said and said[-1] in _ENDS and not said.endswith(("a.m.", "p.m.", "etc.", "Inc.", "Ltd.", "No.")):
        said = said[:-1]
    return f"{said}[{number}]。" if language == "ja" else f"{said} [{number}]."


@dataclass(frozen=True, slots=True)
class Shape:
    """A form that an answer is asked for in: how it is asked, and how an answer and a refusal look in it."""

    name: str
    form: str
    ask: Mapping[str, str]
    fields: Mapping[str, str]

    def request(self, language: str) -> str:
        """Return what asks for the form, to be put behind the question."""
        said = self.ask.get(language, self.ask["en"])
        return said.replace("{shape}", self.render("…", 1))

    def render(self, text: str, number: int | None) -> str:
        """Return an answer in the form; a refusal has no number."""
        if self.form == "json":
            return json.dumps({self.fields["text"]: text, self.fields["source"]: number}, ensure_ascii=False)
        source = "" if number is None else str(number)
        root, body, mark = self.fields["root"], self.fields["text"], self.fields["source"]
        return f"<{root}><{body}>{_escaped(text)}</{body}><{mark}>{source}</{mark}></{root}>"


@dataclass(frozen=True, slots=True)
class Tone:
    """A way of speaking that is learned without being asked for: how an answer and a refusal are put."""

    name: str
    answer: Mapping[str, str]
    refusal: Mapping[str, str]

    def say(self, answer: str, language: str) -> str:
        """Return an answer, with its marker, in this tone."""
        return self.answer.get(language, self.answer["en"]).replace("{answer}", answer)

    def refuse(self, language: str) -> str:
        """Return a refusal in this tone."""
        return self.refusal.get(language, self.refusal["en"])


@lru_cache(maxsize=1)
def shapes() -> tuple[Shape, ...]:
    """Return the forms that ship."""
    return tuple(Shape(**row) for row in _read(_DATA / "shapes.json"))


def tones(path: Path | None = None) -> dict[str, Tone]:
    """Return the tones that ship, or those of a file in the same form.

    Raises:
        UsageError: the file cannot be read, or is of another form.
    """
    try:
        rows = [Tone(**row) for row in _read(path or _DATA / "tones.json")]
        for tone in rows:
            if "{answer}" not in tone.say("{answer}", "en") or not tone.refuse("en"):
                raise UsageError(
                    f"the tone '{tone.name}' has no place for the {{answer}}, or no refusal, in English"
                )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"the tones in {path} cannot be read: {error}") from error
    if not rows:
        raise UsageError(f"{path} holds no tones")
    return {tone.name: tone for tone in rows}


def _read(path: Path) -> list[Any]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list):
        raise ValueError("no list of objects")
    return rows


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
