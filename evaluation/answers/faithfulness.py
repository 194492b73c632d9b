"""How much of an answer its passages support, and how far it answers what was asked; by local models.

After Es et al., "RAGAS: Automated Evaluation of Retrieval Augmented Generation", EACL 2024, where a large remote
model breaks an answer into claims and writes questions; here a claim is a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from evaluation.answers.texts import without_markers
from kernel.answer import Answer
from kernel.answering.claims.entailment import EntailmentReader
from kernel.answering.evidence import answer_sentences
from retrieval.embedding import Embedder

OWN_CHECK = "the program's own check of each sentence against the passages"
_ENTAILED = 0.5
_QUESTIONS = 3
_LABEL = re.compile(
    r"^\s*(?:[-*•・]|\(?\d{1,2}[.)．、:：]|(?:question|質問)\s*\d*\s*[:：])\s*", re.IGNORECASE
)

Write = Callable[[Sequence[dict[str, str]]], str]
"""Gives a language model's turn after messages of `role` and `content`."""


class Faithfulness(Protocol):
    """Says what share of an answer's claims is supported."""

    @property
    def method(self) -> str:
        """How it is told."""

    def __call__(self, answer: Answer) -> float | None:
        """Return the share, 0 to 1; None for a refusal."""


def claims(answer: Answer) -> list[str]:
    """Return the sentences of an answer, without markers."""
    text = without_markers(answer.answer, [citation.marker for citation in answer.citations])
    return [line for line in answer_sentences(text) if any(map(str.isalnum, line))]


class OwnCheck:
    """Faithfulness by what the answer says of itself: its list of sentences that no passage supports."""

    method = OWN_CHECK

    def __call__(self, answer: Answer) -> float | None:
        """Return the share of sentences that are supported; None for a refusal."""
        sentences = claims(answer)
        if answer.refused or not sentences:
            return None
        return 1 - min(1.0, len(answer.unsupported) / len(sentences))


class Entailment:
    """Faithfulness by a cross-encoder that was trained on entailment: premise a passage, hypothesis a sentence."""

    def __init__(self, folder: Path, *, model: str, revision: str) -> None:
        """Take a model's folder.

        Raises:
            UsageError: it has no class that is called entailment.
        """
        self._reader = EntailmentReader(folder, model=model)
        self.method = f"entailment by {model} ({revision})"

    def __call__(self, answer: Answer) -> float | None:
        """Return the share of sentences that a passage entails; None for a refusal."""
        sentences = claims(answer)
        texts = [passage.text for passage in answer.passages if passage.used] or [
            passage.text for passage in answer.passages
        ]
        if answer.refused or not sentences or not texts:
            return None
        says = [max(said for said, _ in self._reader(sentence, texts)) for sentence in sentences]
        return float(np.mean(np.array(says) >= _ENTAILED))


class Relevance:
    """Answer relevance: the cosine of the question with the answer, or with questions that are written from it.

    Cosines of an embedder are comparable with those of the same embedder only; E5's are seldom below 0.7.
    """

    def __init__(self, embedder: Embedder, *, write: Write | None = None, writer: str = "") -> None:
        """Take the embedder, and who writes questions from an answer; without one the answer itself is compared."""
        self._embedder = embedder
        self._write = write
        name = embedder.signature.model
        self.method = (
            f"cosine by {name} of the question and {_QUESTIONS} questions that {writer} writes from the answer"
            if write
            else f"cosine by {name} of the question and the answer"
        )

    def __call__(self, question: str, answer: Answer) -> float | None:
        """Return the mean cosine; None for a refusal."""
        sentences = claims(answer)
        if answer.refused or not sentences:
            return None
        (asked,) = self._embedder.embed_queries([question])
        written = self._questions(" ".join(sentences), answer.language)
        others = (
            self._embedder.embed_queries(written)
            if written
            else self._embedder.embed_passages([" ".join(sentences)])
        )
        return float((others @ asked).mean())

    def _questions(self, text: str, language: str) -> list[str]:
        if self._write is None:
            return []
        ask = {
            "ja": f"次の文が答えになる質問を{_QUESTIONS}つ、1行に1つずつ書いてください。質問だけを書いてください。",
            "en": f"Write {_QUESTIONS} questions that the following text answers, one a line, and nothing else.",
        }
        reply = self._write([{"role": "user", "content": f"{ask.get(language, ask['en'])}\n\n{text}"}])
        lines = [_LABEL.sub("", line).strip() for line in reply.splitlines()]
        return [line for line in lines if line][:_QUESTIONS]
