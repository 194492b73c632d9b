"""From the sources of a recipe to windows of tokens: collected, cleaned, counted, parted, tokenized.

Importing this imports tokenizers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from adaptation.lab.scratch.cleaning import Step, clean
from adaptation.lab.scratch.collecting import Text, collect
from adaptation.lab.scratch.counting import Counts, count
from adaptation.lab.scratch.recipe import PretrainRecipe, Words
from adaptation.lab.scratch.tokenizing import Fit, best, fits, tokenizer_of, train_tokenizer
from adaptation.lab.scratch.windows import Stream, Window, part, stream_of, windows_of
from retrieval.errors import TekioError, UsageError

_LEAST_STEPS = 10
"""Optimiser steps of an epoch, below which nothing worth a measure is learned."""
_LEAST_HELD = 2
"""Windows that are measured on, at least."""
_KINDS = ("bpe", "sentencepiece")
Say = Callable[[str], None]
Chosen = tuple[str, Any, list[Fit]]
"""The name of a tokenizer, the tokenizer, and how each that was tried fits."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A cleaned corpus, parted by texts.

    Attributes:
        learned: texts to learn from.
        held_out: texts to measure on.
        steps: what cleaning did.
        counts: of the cleaned texts, by language.
        digest: names the texts.
    """

    learned: list[Text]
    held_out: list[Text]
    steps: list[Step]
    counts: list[Counts]
    digest: str


@dataclass(frozen=True, slots=True)
class Tokenized:
    """A corpus in tokens of the tokenizer that was chosen.

    Attributes:
        name: of the tokenizer's kind.
        tokenizer: of the library tokenizers.
        fits: of each kind that was tried, on the held-out texts.
        learned: the tokens to learn from.
        held_out: the tokens to measure on.
    """

    name: str
    tokenizer: Any
    fits: list[Fit]
    learned: Stream
    held_out: Stream

    @property
    def vocabulary(self) -> int:
        """How many different tokens there are."""
        return int(self.tokenizer.get_vocab_size())


def prepare(recipe: PretrainRecipe, say: Say) -> Corpus:
    """Collect, clean, count and part the texts of a recipe.

    Raises:
        UsageError: there are none, or cleaning leaves too few.
    """
    if not recipe.data.sources:
        raise UsageError("the recipe names no texts: give --source, or data.sources in its file")
    seed = recipe.training.seed
    texts, steps = clean(collect(recipe.data.sources, say), recipe.data, seed=seed)
    if len(texts) < _LEAST_HELD:
        raise UsageError(
            f"cleaning left {len(texts)} of {steps[0].texts:,} texts, {_LEAST_HELD} are the least, one to learn from "
            f"and one to measure on: add texts, or change [data] (most went as: {_greatest(steps)})"
        )
    say(f"{len(texts):,} of {steps[0].texts:,} texts are left after cleaning")
    learned, held_out = part(texts, held_out=recipe.data.held_out, seed=seed)
    if not held_out:  # one text of each language
        held_out = [learned.pop()]
    return Corpus(learned, held_out, steps, count(texts), _digest_of(texts))


def tokenized(corpus: Corpus, words: Words, say: Say, *, kept: Path | None = None) -> Tokenized:
    """Train the tokenizers that a recipe wants on the learned texts, and take the one that fits best.

    Args:
        corpus: to learn from and to measure on.
        words: which tokenizers.
        say: is told how it goes.
        kept: file of what was taken. It is read where it is there, so that a training that goes on, or other processes
            of it, have the very same tokens; else it is written.

    Raises:
        UsageError: the vocabulary has no room for the characters.
        TekioError: the file cannot be written.
    """
    held = _read(kept)
    if held is None:
        held = _chosen(corpus, words, say)
        _write(kept, held)
    name, tokenizer, found = held
    return Tokenized(
        name, tokenizer, found, stream_of(tokenizer, corpus.learned), stream_of(tokenizer, corpus.held_out)
    )


def kept_tokenizer(folder: Path, corpus: Corpus, words: Words) -> Path:
    """Return the file in a folder in which the tokenizer of a corpus is kept, for `tokenized`.

    It is named by the texts that it learned from: parted otherwise, it would know some that are measured on.
    """
    told = hashlib.sha256(f"{_digest_of(corpus.learned)}:{words.model_dump_json()}".encode()).hexdigest()
    return folder / f"tokenizer-{told[:12]}.json"


def _digest_of(texts: Sequence[Text]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{text.text}\0".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _chosen(corpus: Corpus, words: Words, say: Say) -> Chosen:
    kinds = _KINDS if words.kind == "best" else (words.kind,)
    texts = [text.text for text in corpus.learned]
    made = {}
    for kind in kinds:
        say(f"a tokenizer is trained: {kind}, {words.size:,} tokens at most")
        made[kind] = train_tokenizer(kind, texts, words.size)
    found = fits(made, corpus.held_out)
    name = best(found)
    return name, made[name], found


def _read(kept: Path | None) -> Chosen | None:
    if kept is None or not kept.is_file():
        return None
    held = json.loads(kept.read_text(encoding="utf-8"))
    return held["name"], tokenizer_of(held["tokenizer"]), [Fit(**fit) for fit in held["fits"]]


def _write(kept: Path | None, chosen: Chosen) -> None:
    if kept is None:
        return
    name, tokenizer, found = chosen
    told = {"name": name, "tokenizer": tokenizer.to_str(), "fits": [fit.as_dict() for fit in found]}
    part = kept.with_suffix(".part")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(told), encoding="utf-8")
        part.replace(kept)
    except OSError as error:
        raise TekioError(f"{kept} cannot be written ({error.strerror or error}): free some space") from error


def windows(tokens: Tokenized, recipe: PretrainRecipe) -> tuple[list[Window], list[Window]]:
    """Return the windows that are learned, and those that are measured on.

    Raises:
        UsageError: there are too few tokens; it is said how many are needed.
    """
    size, batch = recipe.training.window, recipe.training.batch
    for stream, least, part_of in (
        (tokens.learned, _LEAST_STEPS * batch, "to learn from"),
        (tokens.held_out, _LEAST_HELD, "held out"),
    ):
        if len(stream.ids) < least * size:
            raise UsageError(
                f"the corpus is too small: {len(stream.ids):,} tokens {part_of}, where {least * size:,} are needed "
                f"({least:,} windows of {size:,}): add texts, or lower training.window or training.batch"
            )
    learned, held_out = windows_of(tokens.learned, size), windows_of(tokens.held_out, size)
    if recipe.model.retrieval:
        from adaptation.lab.scratch.neighbours import with_neighbours

        # The held-out ones first: they look for neighbours as they are learned, without any.
        held_out = with_neighbours(held_out, learned)
        learned = with_neighbours(learned, learned)
    return learned, held_out


def _greatest(steps: Sequence[Step]) -> str:
    lost = [(before.texts - after.texts, after.name) for before, after in pairwise(steps)]
    return max(lost)[1] if lost else "nothing"
