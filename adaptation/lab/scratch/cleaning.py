"""Texts made fit to learn from, step by step, each with what it took out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from adaptation.lab.scratch.collecting import Text
from adaptation.lab.scratch.duplicates import without_near_duplicates
from adaptation.lab.scratch.mending import mend
from adaptation.lab.scratch.recipe import Data
from retrieval.personal import without_contacts

_LEAST_SHARING = 3
"""Texts that share a line, at least, before it is boilerplate."""
_LONGEST_LINE = 200
_SHORT_LINE = 20
"""Below it a shared line is a heading such as Results, unless it has a sign or a digit in it."""
_DIGITS = re.compile(r"\d+")
_LINK = re.compile(r"(?:https?://|www\.|doi:)\S+", re.IGNORECASE)
_SIGN = re.compile(r"[\d:|/©®@]")


@dataclass(frozen=True, slots=True)
class Step:
    """What was there after a step: texts and characters, and how often something was changed in it."""

    name: str
    texts: int
    characters: int
    changed: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def clean(texts: Sequence[Text], data: Data, *, seed: int = 0) -> tuple[list[Text], list[Step]]:
    """Return cleaned texts, and what each step did."""
    found = list(texts)
    steps = [_step("read", found, 0)]
    work: list[tuple[str, Callable[[list[Text]], tuple[list[Text], int]]]] = [
        ("spelling noise", lambda each: _changed_each(each, mend)),
        ("boilerplate", lambda each: without_boilerplate(each, share=data.boilerplate)),
        ("language", lambda each: _kept(each, lambda text: text.language in data.languages)),
        ("personal data", lambda each: _changed_each(each, without_contacts) if data.personal else (each, 0)),
        ("too short", lambda each: _kept(each, lambda text: len(text.text) >= data.shortest)),
        ("near-duplicates", lambda each: _without_copies(each, data.alike, seed)),
    ]
    for name, do in work:
        found, changed = do(found)
        steps.append(_step(name, found, changed))
    return found, steps


def without_boilerplate(texts: Sequence[Text], *, share: float) -> tuple[list[Text], int]:
    """Return texts without the lines that many of them share, and without lines that are a link; and how many went.

    Lines that differ in their numbers only, as those of pages, are the same. Short ones without a sign stay: many
    papers have a line `Results`.
    """
    holders: Counter[str] = Counter()
    for text in texts:
        holders.update({_form(line) for line in text.text.split("\n") if line.strip()})
    least = max(_LEAST_SHARING, share * len(texts))
    found: list[Text] = []
    dropped = 0
    for text in texts:
        lines = text.text.split("\n")
        kept = [line for line in lines if not _is_boilerplate(line, holders[_form(line)], least)]
        dropped += len(lines) - len(kept)
        found.append(replace(text, text="\n".join(kept).strip()))
    return found, dropped


def _is_boilerplate(line: str, holders: int, least: float) -> bool:
    line = line.strip()
    if not line or len(line) > _LONGEST_LINE:
        return False
    if _LINK.fullmatch(line):
        return True
    return holders >= least and (len(line) >= _SHORT_LINE or _SIGN.search(line) is not None)


def _form(line: str) -> str:
    return _DIGITS.sub("0", line.strip().casefold())


def _changed_each(texts: Sequence[Text], change: Callable[[str], tuple[str, int]]) -> tuple[list[Text], int]:
    found = []
    total = 0
    for text in texts:
        changed, count = change(text.text)
        total += count
        found.append(replace(text, text=changed))
    return found, total


def _kept(texts: Sequence[Text], keep: Callable[[Text], bool]) -> tuple[list[Text], int]:
    found = [text for text in texts if keep(text)]
    return found, len(texts) - len(found)


def _without_copies(texts: Sequence[Text], alike: float, seed: int) -> tuple[list[Text], int]:
    found = without_near_duplicates(texts, alike=alike, seed=seed)
    return found, len(texts) - len(found)


def _step(name: str, texts: Sequence[Text], changed: int) -> Step:
    return Step(name, len(texts), sum(len(text.text) for text in texts), changed)
