"""Classification: a language model is held to the labels, and how likely each was is its score; or by meaning alone.

Each label is written within a grammar that allows nothing else, over one reading of the prompt, and its probability is
that which the model itself gave the label and its end; shares of these are the scores. So the choice is exact, where
decoding token by token could be led astray by how a label begins. `extractive` has no language model: there a text is
as near to each label, or to the examples of it, as their embeddings are.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from kernel.pipelines.pieces import Piece, pieces_of
from kernel.pipelines.steps.reading import examined
from kernel.pipelines.values import Made
from kernel.pipelines.work import Work, each, fenced, prompt_language
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import CLASSIFY
from retrieval.analysis import detect_language
from retrieval.errors import TekioError

_LABEL_TOKENS = 64
_SHARPNESS = 50.0
"""How far apart labels are by a difference of cosines: those of the default embedder lie between 0.7 and 0.9."""
_PIECE_BY_MEANING = 200
_NOT_A_WORD = re.compile(r"[\W_]+")

Scores = dict[str, float]


async def classify(work: Work) -> Made:
    """Choose one of the labels of the step for its input, a text that is longer than a prompt piece by piece."""
    text = "\n".join(passage.text for passage in (await examined(work)).passages)
    by_meaning = work.variant.name == EXTRACTIVE
    if by_meaning:
        pieces = await asyncio.to_thread(pieces_of, text, _characters, 4 * _PIECE_BY_MEANING)
        found = await asyncio.to_thread(_nearest, work, [piece.text for piece in pieces])
    else:
        language = detect_language(text)
        work.check_language(language)
        pieces = await _pieces(work, text, language)
        found = await each(pieces, lambda piece: _of_model(work, piece.text, language))
    if len(pieces) > 1:
        work.notice("pieces", work.language, count=len(pieces))
    weights = [len(piece.text) / sum(len(other.text) for other in pieces) for piece in pieces]
    together = {
        label: sum(weight * scores[label] for weight, scores in zip(weights, found, strict=True))
        for label in work.step.labels
    }
    if by_meaning or _is_held(work):
        work.scores = {label: round(score, 4) for label, score in together.items()}
    return Made("label", max(work.step.labels, key=lambda label: together[label]))


async def _pieces(work: Work, text: str, language: str) -> list[Piece]:
    """Cut a text into pieces each of which fits one prompt with the labels."""
    quoted, _ = fenced("")
    around = await asyncio.to_thread(work.count, quoted + _shown(work, language))
    return await work.pieces(text, max(32, work.room(_LABEL_TOKENS) - around - 160))


async def _of_model(work: Work, text: str, language: str) -> Scores:
    quoted, _ = fenced(text)
    if not _is_held(work):
        written, _ = await work.write(
            CLASSIFY, prompt_language(language), _LABEL_TOKENS, labels=_shown(work, language), text=quoted
        )
        chosen = label_in(written, work.step.labels)
        return {label: float(label == chosen) for label in work.step.labels}

    async def likelihood(label: str) -> float:
        written, told = await work.write(
            CLASSIFY,
            prompt_language(language),
            _LABEL_TOKENS,
            grammar=_grammar(label),
            labels=_shown(work, language),
            text=quoted,
        )
        if written.strip() != label.strip() or "log_probability" not in told:
            raise TekioError(f"the label '{label}' could not be weighed: it is too long for the model")
        return float(told["log_probability"])

    # The first reads the prompt, which the others then have in the engine's cache.
    labels = work.step.labels
    nats = [await likelihood(labels[0]), *await each(labels[1:], likelihood)]
    most = max(nats)
    shares = [math.exp(value - most) for value in nats]
    return {label: share / sum(shares) for label, share in zip(labels, shares, strict=True)}


def _is_held(work: Work) -> bool:
    """Say whether the variant can be held to a grammar: one on a server cannot."""
    return work.means.engine.variants.keeps_grammars(work.variant.name)


def _nearest(work: Work, texts: Sequence[str]) -> list[Scores]:
    """Return how near each text is to the labels, or to their examples, as shares of one. Blocks."""
    labels, searching = work.step.labels, work.means.engine.searching
    rows = [work.step.examples.get(label) or [label] for label in labels]
    flat = searching.embed_alike([text for row in rows for text in row])
    places = np.cumsum([0, *(len(row) for row in rows)])
    centres = np.stack([flat[first:last].mean(axis=0) for first, last in pairwise(places)])
    cosines = searching.embed_alike(texts) @ centres.T
    spread = np.exp(_SHARPNESS * (cosines - cosines.max(axis=1, keepdims=True)))
    shares = spread / spread.sum(axis=1, keepdims=True)
    return [dict(zip(labels, map(float, row), strict=True)) for row in shares]


def label_in(written: str, labels: Sequence[str]) -> str:
    """Return the label that a model wrote that could not be held to them.

    Raises:
        TekioError: it wrote none, or several.
    """
    said = _folded(written)
    ways = (
        [label for label in labels if said == _folded(label)],
        [label for label in labels if said.startswith(_folded(label))],
        [label for label in labels if _folded(label) in said],
    )
    for found in ways:
        if found:
            longest = max(found, key=len)
            if all(_folded(label) in _folded(longest) for label in found):
                return longest
            break
    shown = " ".join(written.split())[:60]
    raise TekioError(
        f"the model wrote none of the labels, but '{shown}': name another variant, or plainer labels"
    )


def _folded(text: str) -> str:
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def _shown(work: Work, language: str) -> str:
    return ("、" if prompt_language(language) == "ja" else ", ").join(work.step.labels)


def _grammar(label: str) -> str:
    from llguidance import LLMatcher

    lark = f"start: {json.dumps(label, ensure_ascii=False)}"
    return str(LLMatcher.grammar_from_lark(lark))


def _characters(text: str) -> int:
    return len(text)
