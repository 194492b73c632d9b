"""Questions made of texts, for a reading model that learns of another one and needs no right answers.

People's own questions are few, and a model that learns of the same few again and again comes near its teacher on these
alone. What a teacher sees in a text under a made-up question is as good to learn from as what it sees under a real one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from adaptation.span_reader.examples import Asked
from adaptation.training_sets.made_up import make_up
from ingest.language import text_language
from ingest.sentences import split_sentences

_STRETCH = {"en": (200, 900), "ja": (100, 400)}
"""Characters of the stretch of a text that is asked about, at least and at most: of a short text all of it."""
_PASSES = 4
"""How often the texts of a language are gone through, at most, for as many questions as are wanted."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    id: int
    text: str
    title: str = ""


class MadeUpQuestions:
    """Makes other questions of the same texts for each seed, of each language as many where they allow it."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Sort texts by their language.

        Args:
            texts: of any length; one that is there twice counts once.
        """
        self._texts: dict[str, list[str]] = {}
        for text in dict.fromkeys(texts):
            self._texts.setdefault(text_language(text), []).append(text)

    def draw(self, count: int, *, seed: int) -> list[Asked]:
        """Return questions with the stretch of a text that each asks about, `count` at most.

        Args:
            count: how many are wanted.
            seed: decides which.
        """
        drawn = random.Random(seed)  # noqa: S311 - no secret
        found: list[Asked] = []
        # The language with the fewest texts comes first: what it does not give, the others do.
        parts = sorted(self._texts.items(), key=lambda part: (len(part[1]), part[0]))
        for place, (language, texts) in enumerate(parts):
            wanted = (count - len(found)) // (len(self._texts) - place)
            found += _of_language(texts, language, wanted, drawn)
        return found


def _of_language(texts: Sequence[str], language: str, wanted: int, drawn: random.Random) -> list[Asked]:
    found: dict[tuple[str, str], Asked] = {}
    for _ in range(_PASSES):
        for text in drawn.sample(texts, len(texts)):
            if len(found) >= wanted:
                return list(found.values())
            stretch = _stretch_of(text, language, drawn)
            for each in make_up(_Stretch(0, stretch), "", language, most=1, seed=drawn.randrange(2**32)):
                asked = Asked(each.question, each.answers, stretch, language, group="")
                found.setdefault((each.question, stretch), asked)
    return list(found.values())


def _stretch_of(text: str, language: str, drawn: random.Random) -> str:
    """Return sentences of a text that follow one another, or all of a short one."""
    least, most = _STRETCH[language]
    if len(text) <= most:
        return text
    length = drawn.randint(least, most)
    start = drawn.randrange(len(text) - length)
    window = text[start : start + 2 * most]
    sentences = split_sentences(window)
    first = sentences[1][0] if start and len(sentences) > 1 else 0  # the first was cut into
    end = first
    for _, behind in sentences:
        if behind - first > length and end > first:
            break
        end = max(end, behind)
    return window[first:end].strip()
