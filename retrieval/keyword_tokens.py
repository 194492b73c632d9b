"""What the keyword index holds of a text, and what it is asked for: the words of `analysis`, and more of each.

- A compound such as ISO-9001:2015 stands whole, in parts, and without hyphens (IL-6 is IL6); a quantity in
  parts too (5mg is 5 mg).
- The article of a law stands whole with Arabic numbers: 第十二条 is 第12条, and another token than 第1条.
- A Japanese compound stands whole beside its words; a word that the dictionary does not know, in bigrams too.
- A Japanese word with Chinese characters is found by its reading where its own form stands nowhere.

What is searched and what is searched for go through the same code, whose version is in the index's signature.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.analysis import STOP_WORDS, analyze, japanese_runs, japanese_words, normalize, stem
from retrieval.numerals import kanji_number

KEYWORD_VERSION = "3"

_READING = "\u30fb"  # before a reading, so that it is no word
_JOINTS = re.compile(r"[-./:'’]")
_HYPHEN = re.compile(r"-(?!\d)|(?<!\d)-")
_FIGURE = re.compile(r"\d+(?:[.,]\d+)+")
_QUANTITY = re.compile(r"(\d+)([^\W\d_]+)")
_ARTICLE = re.compile(
    r"第([0-9〇零一二三四五六七八九十百千]+)(条|項|号|章|節|編|款|部|版|回)((?:の[0-9一二三四五六七八九十]+)*)"
)
_KANJI_NUMBER = re.compile("[〇零一二三四五六七八九十百千]+")
_KANJI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Term:
    """A token to look for. `otherwise` is looked for in its place where it stands nowhere."""

    text: str
    otherwise: str | None = None


def keyword_tokens(text: str) -> list[str]:
    """Return what the keyword index holds of a text; a token comes as often as it stands there."""
    tokens = [written for written, _ in _written(text)]
    for run in japanese_runs(normalize(text)):
        tokens += [
            _READING + word.reading
            for word in japanese_words(run)
            if word.reading and _KANJI.search(word.surface)
        ]
    return tokens


def keyword_terms(query: str) -> list[Term]:
    """Return what a query looks for, each once: without stop words, unless there is nothing else."""
    surfaces: dict[str, str | None] = {}
    for written, surface in _written(query):
        surfaces.setdefault(written, surface)
    chosen = [written for written in surfaces if written not in STOP_WORDS] or list(surfaces)
    return [Term(written, _reading(written, surfaces[written])) for written in chosen]


def _written(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield the tokens of a text, each with the word that it stands for, where it is one of its words."""
    normalised = normalize(text)
    for token in analyze(text):
        yield token.text, normalised[token.start : token.end]
        yield from ((other, None) for other in _more(token.text))
    for article in _ARTICLE.finditer(normalised):
        yield "第" + "".join(_arabic(part) for part in article.groups("")), None
    for run in japanese_runs(normalised):
        yield from ((compound, None) for compound in _compounds(run))


def _more(token: str) -> Iterator[str]:
    """Yield the other ways in which a token of letters and digits is written."""
    parts = [part for part in _JOINTS.split(token) if part]
    if len(parts) > 1 and not _FIGURE.fullmatch(token):
        for part in parts:
            yield stem(part)
        joined = _HYPHEN.sub("", token)
        if joined != token:
            yield joined
    elif quantity := _QUANTITY.fullmatch(token):
        yield from quantity.groups()


def _reading(token: str, surface: str | None) -> str | None:
    """Return what a word with Chinese characters is found by where its own form stands nowhere."""
    if surface is None:
        return None
    if not _KANJI.search(surface) and not _KANJI.search(token):
        return None
    readings = [word.reading for word in japanese_words(surface)]
    return _READING + "".join(readings) if all(readings) else None


def _compounds(run: str) -> Iterator[str]:
    """Yield the compounds of a Japanese run whole, and the bigrams of words that are in no dictionary."""
    for word in japanese_words(run, compounds=True):
        if word.parts > 1:
            yield word.normal
        if word.unknown and len(word.surface) > 2:
            for start in range(len(word.surface) - 1):
                yield word.surface[start : start + 2]


def _arabic(text: str) -> str:
    return _KANJI_NUMBER.sub(lambda found: str(kanji_number(found.group())), text)
