"""Questions that passages answer, made of the passages themselves.

A sentence is taken out of a passage and asked for it (the inverse cloze task: Lee, Chang and Toutanova, "Latent
Retrieval for Weakly Supervised Open Domain Question Answering", ACL 2019), as it is or as some of its words, so that
words alone do not settle it; and its title, or the heading that it stands under, where no other document bears it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from adaptation.corpus import Corpus, Material, Part, plain_words
from ingest.sentences import split_sentences
from retrieval.analysis import analyze, normalize

_SHORTEST = 12  # characters without space
_LONGEST = 400
_LEAST_WORDS = 3
_KEPT = 0.6
"""The share of words that a question of words keeps."""


class Kind(StrEnum):
    """What a question was made of."""

    SENTENCE = "sentence"
    WORDS = "words"
    TITLE = "title"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class PseudoQuestion:
    """A question and the passage that answers it; `rest` is what the passage says without the question's words."""

    text: str
    passage: Material
    kind: Kind
    rest: str


def make_questions(
    corpus: Corpus, parts: Mapping[int, Part], part: Part, *, seed: int, each: int, most: int
) -> list[PseudoQuestion]:
    """Return questions on the passages of a part, in random order.

    Args:
        corpus: the passages.
        parts: what each group is used for.
        part: which of them are asked about.
        seed: decides which sentences and words, and the order.
        each: most questions a passage.
        most: most questions in all.
    """
    unique = _unique_names(corpus)
    found: list[PseudoQuestion] = []
    for passage in corpus.passages.values():
        if parts[passage.group] == part:
            chance = random.Random(f"{seed}:{passage.id}")  # noqa: S311 - no secret
            made = list(_questions(passage, unique, chance))
            chance.shuffle(made)
            found += made[:each]
    random.Random(seed).shuffle(found)  # noqa: S311 - no secret
    return found[:most]


def _unique_names(corpus: Corpus) -> set[str]:
    """Return the titles and headings that one passage alone stands under: others do not tell what is asked for."""
    names = Counter(
        name for passage in corpus.passages.values() for name in {passage.title, *passage.headings}
    )
    return {name for name, times in names.items() if times == 1}


def _questions(passage: Material, unique: set[str], chance: random.Random) -> Iterator[PseudoQuestion]:
    for name, kind in ((passage.title, Kind.TITLE), *((each, Kind.HEADING) for each in passage.headings)):
        if name in unique and _is_long_enough(name) and len(_content_words(name)) >= _LEAST_WORDS:
            yield PseudoQuestion(name, passage, kind, passage.text)
    spans = split_sentences(passage.text)
    for start, end in spans if len(spans) > 1 else []:
        sentence = passage.text[start:end]
        if not _is_long_enough(sentence):
            continue
        rest = f"{passage.text[:start].rstrip()} {passage.text[end:].lstrip()}".strip()
        rest = f"{passage.context}\n{rest}" if passage.context else rest
        if chance.random() < 0.5:
            words = [word for word in _content_words(sentence) if chance.random() < _KEPT]
            if len(words) >= _LEAST_WORDS:
                yield PseudoQuestion(" ".join(words), passage, Kind.WORDS, rest)
        else:
            yield PseudoQuestion(sentence, passage, Kind.SENTENCE, rest)


def _is_long_enough(text: str) -> bool:
    return len("".join(text.split())) >= _SHORTEST and len(text) <= _LONGEST


def _content_words(text: str) -> Sequence[str]:
    normalised = normalize(text)
    return [normalised[token.start : token.end] for token in analyze(normalised) if token.is_content]


def holds(passage_text: str, question: PseudoQuestion) -> bool:
    """Tell whether a passage holds the very words of a question, so that it is no wrong answer to it."""
    return question.kind is not Kind.WORDS and plain_words(question.text) in plain_words(passage_text)
