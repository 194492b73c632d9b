"""An answer in the making: what is known of it so far, and the answer that is made of it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from kernel.answer import (
    Answer,
    AnswerPassage,
    Citation,
    Claim,
    Contradiction,
    EnsembleReport,
    FinishReason,
    FoundBy,
    FunctionCall,
    Samples,
    ShortAnswer,
    Usage,
)
from kernel.answering.ranking import Ranking
from kernel.conversation.heard import Heard
from kernel.techniques import NamedTechnique, Technique
from plugins.prompt_functions import PromptPassage
from retrieval.records import Passage, document_key
from retrieval.stages import Step

if TYPE_CHECKING:
    from kernel.composed.composition import Composition


class PromptCounter(Protocol):
    """Counts the tokens of a chat as the model will see it."""

    def count(self, messages: Sequence[dict[str, str]]) -> int:
        """Return the exact number of tokens of the prompt."""


@dataclass(frozen=True, slots=True)
class Variant:
    """Who generates: a service of the kernel, with what it can do. `counter` is None without a tokenizer;
    `revision` changes with the weights of the model and of the adapter; `calls_functions` says that it was made to,
    or that the settings say so. `window` is the most tokens of a prompt and its answer, where the variant itself would
    not say that a prompt is too long before it is sent; 0: it does. `goes_on` says that it writes on from the beginning
    of an answer. `price_in` and `price_out` are what a million tokens of prompts, and of answers, cost; 0: nothing.
    """

    name: str
    languages: frozenset[str] | None = None
    model: str = ""
    counter: PromptCounter | None = None
    revision: str = ""
    calls_functions: bool = False
    window: int = 0
    goes_on: bool = False
    composition: Composition | None = None
    price_in: float = 0.0
    price_out: float = 0.0

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Return what so many tokens cost; None where the variant has no price, or there are none."""
        if not (self.price_in or self.price_out) or not (prompt_tokens or completion_tokens):
            return None
        return round((prompt_tokens * self.price_in + completion_tokens * self.price_out) / 1e6, 9)

    def prompt_room(self, wanted: int, max_new_tokens: int) -> int:
        """Return the most tokens of a prompt: as many as wanted, where the window has room for them and an answer."""
        return min(wanted, max(1, self.window - max_new_tokens)) if self.window else wanted

    def speaks(self, *languages: str) -> bool:
        """Say whether the variant speaks all of several languages; None speaks any."""
        return self.languages is None or self.languages.issuperset(languages)


class Clock:
    """The steps of a question, and the time of each stage, in milliseconds."""

    def __init__(self, root: Step | None = None) -> None:
        self.root = root or Step("question")

    def __call__(self, stage: str) -> Step:
        """Time a stage, as a context: what is called in there makes its steps within it."""
        return self.root.begin(stage)

    def timings(self) -> dict[str, float]:
        """Return the stages and the total so far, in milliseconds."""
        seconds: dict[str, float] = {}
        for step in self.root.within:
            seconds[step.name] = seconds.get(step.name, 0.0) + step.seconds
        return {
            name: round(1000 * value, 1) for name, value in (*seconds.items(), ("total", self.root.seconds))
        }

    def tokens(self, name: str) -> int:
        """Return the tokens that a model took in all steps, `prompt_tokens` or `completion_tokens`."""
        counts = [step.notes.get(name) for step in self.root.all()]
        return sum(count for count in counts if isinstance(count, int))


@dataclass(slots=True)
class Run:
    """What is known of an answer so far."""

    question: str
    language: str
    technique: Technique | NamedTechnique
    variant: Variant
    passages: list[Passage]
    ranking: Ranking
    confidence: float
    notices: list[str]
    clock: Clock
    max_new_tokens: int
    max_prompt_tokens: int
    parts: int = 0
    """Sentences at the head of the ranking that are the answer: one for each part of the question, or the one that the
    reading model and the ranking agree on; 0 where it is not told."""
    short: ShortAnswer | None = None
    """The words within the first of them that answer."""
    strict: bool = False
    threshold: float = 0.0
    contradictions: list[Contradiction] = field(default_factory=list)
    evidence: Sequence[Passage] = ()
    """The passages as answers are made of them: what is addressed to a model in them is blanked out."""
    fence: str = ""
    """The line that stands around each passage in a prompt."""
    used: frozenset[int] = frozenset()
    pieces: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    temperature: float = 0.0
    heard: Heard = field(default_factory=lambda: Heard(""))
    examples: str = ""
    prompt: str = ""  # another than the technique's
    kept: list[PromptPassage] = field(default_factory=list)
    samples: Samples | None = None
    wrote: Variant | None = None
    """Who wrote the draft, where another answers in its place."""
    ensemble: EnsembleReport | None = None
    functions: list[FunctionCall] = field(default_factory=list)
    """Functions that were called; their results are shown to the model beside the passages."""
    computed: list[FunctionCall] = field(default_factory=list)
    """Those of them whose arguments were not made up: what they gave supports sentences, as passages do."""
    results: str = ""
    """The results as the prompt shows them."""

    def answer(
        self,
        *,
        text: str,
        finish_reason: FinishReason,
        reasoning: str | None,
        refused: bool = False,
        citations: Sequence[Citation] = (),
        unsupported: Sequence[str] = (),
        claims: Sequence[Claim] = (),
        short_answer: ShortAnswer | None = None,
    ) -> Answer:
        """Return the answer with a text and its citations."""
        read, written = (self.clock.tokens(name) for name in ("prompt_tokens", "completion_tokens"))
        return Answer(
            question=self.said or self.question,
            asked=self.question,
            answer=text,
            refused=refused,
            confidence=round(self.confidence, 4),
            threshold=round(self.threshold, 4),
            citations=list(citations),
            unsupported=list(unsupported),
            claims=list(claims),
            contradictions=[] if refused else list(self.contradictions),
            short_answer=short_answer,
            variant=self.variant.name,
            technique=self.technique.value,
            language=self.language,
            reasoning=reasoning,
            samples=self.samples,
            notices=list(self.notices),
            memories=self.heard.shown(),
            conversation=self.heard.conversation,
            functions=list(self.functions),
            ensemble=self.ensemble,
            passages=shown_passages(self.passages, self.used),
            usage=Usage(
                prompt_tokens=read,
                completion_tokens=written,
                passages_used=len(self.used),
                passages_omitted=len(self.passages) - len(self.used),
                cost=(self.wrote or self.variant).cost(read, written),
            ),
            finish_reason=finish_reason,
            log_probability=self._log_probability(),
            timings_ms=self.clock.timings(),
        )

    def _log_probability(self) -> float | None:
        told = self.metadata.get("mean_log_probability")
        return None if told is None else round(told, 4)


def shown_passages(passages: Sequence[Passage], used: frozenset[int]) -> list[AnswerPassage]:
    """Return passages as an answer shows them; `used` are the indexes of those in the prompt."""
    return [
        AnswerPassage(
            id=passage.id,
            document_id=document_key(passage.path),
            document=passage.document,
            title=passage.title,
            page=passage.page,
            text=passage.text,
            score=round(passage.score, 6),
            headings=list(passage.headings),
            start=passage.start,
            end=passage.end,
            used=number in used,
            also_in=list(passage.also_in),
            date=passage.date,
            found_by={
                name: FoundBy(rank=leg.rank, score=round(leg.score, 6), weight=round(leg.weight, 6))
                for name, leg in passage.legs.items()
            },
        )
        for number, passage in enumerate(passages)
    ]
