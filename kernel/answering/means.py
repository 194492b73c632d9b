"""What answering is done with: models, plugins and limits, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from semantic_kernel import Kernel

from kernel.answering.answerability import AnswerabilityModel
from kernel.answering.claims.windows import Likeness, Reader
from kernel.answering.evidence import InverseFrequencies
from kernel.answering.examples import Examples
from kernel.answering.ranking import SentenceRanker
from kernel.answering.reading import SpanReader
from kernel.answering.run import Variant
from kernel.conversation.listening import Listener
from kernel.functions.choosing import FunctionCaller
from retrieval.remembered import Remembered

PartsKept = Remembered[tuple[str, ...], tuple[str, ...]]
"""The parts of questions that were found last, by the question and who found them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds an answer."""

    focus_sentences: int
    threshold: float
    example_tokens: int = 800
    sample_temperature: float = 0.7
    sample_seed: int = 0


@dataclass(frozen=True, slots=True)
class Means:
    """What every question is answered with. Holds no state between questions but caches.

    Attributes:
        kernel: has the services, the prompt functions, the search and the memory.
        ranker: ranks sentences.
        inverse_frequencies: weights of tokens in the index.
        answerability: estimates whether the passages hold the answer.
        limits: bound an answer.
        extractive: answers where no language model can.
        listener: makes a question stand alone, recalls and remembers.
        examples: choose worked examples.
        parts_kept: remembers the parts of questions.
        likeness: of words by their meaning.
        entailment: reads whether a passage says what a sentence claims.
        spans: reads passages for the words that answer.
        functions: lets a model call functions.
    """

    kernel: Kernel
    ranker: SentenceRanker
    inverse_frequencies: InverseFrequencies
    answerability: AnswerabilityModel
    limits: Limits
    extractive: Variant
    listener: Listener
    examples: Examples
    parts_kept: PartsKept | None = None
    likeness: Likeness | None = None
    entailment: Reader | None = None
    spans: SpanReader | None = None
    functions: FunctionCaller | None = None
