"""Rows over numbered passages: answers with markers, refusals, forms and tones.

Each prompt is the very one that an answer would be made from: found by the index's own search, shown as the flow shows
it. What varies from row to row is what varies in use: how many passages there are, how much of each is shown, and at
which number the right one stands. A refusal is right where the evidence was taken away, so that near misses of the
search remain, or where the question was changed to ask for something that its passage does not say.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from adaptation.changed_questions import QuestionChanger
from adaptation.training_sets.facts import (
    KnownQuestion,
    holds_answer,
    mentions,
    might_hold_answer,
    sentence_with,
)
from adaptation.training_sets.rows import ChatRow, Kind, Message
from adaptation.training_sets.wording import REFUSALS, Shape, Tone, cited
from plugins.prompt_functions import unmarked
from retrieval.records import Passage

AnswerStyle = Literal["sentence", "short"]
_SEARCHED = 12
"""Passages that are looked for, of which the near misses are taken."""
_MOST_SHOWN = 5
_VIEWS = (0, 1, 3, 6)
"""How many sentences are shown in all; 0 shows whole passages."""
_WHOLE_UP_TO = 3
"""Passages that are shown whole at most, since a small model's window is small."""
_LEFT_OUT = " …"
"""What stands in a prompt where sentences are left out."""
_AS_RANKED = 0.5
"""The share of prompts whose passages stand as they were found; the others are shuffled."""


class Shown(Protocol):
    """A passage in a prompt."""

    @property
    def number(self) -> int: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


class Prompt(Protocol):
    """What a model is sent."""

    @property
    def messages(self) -> list[dict[str, str]]: ...  # noqa: D102
    @property
    def passages(self) -> Sequence[Shown]: ...  # noqa: D102


class Asking(Protocol):
    """Searches an index and shows its prompts; a `Tekio` does."""

    async def search(
        self, query: str, *, top_k: int | None = None, where: Sequence[str] = ()
    ) -> list[Passage]:
        """Return the best passages for a query."""

    async def prompt(
        self, question: str, passages: Sequence[Passage], *, language: str, technique: str, sentences: int
    ) -> Prompt:
        """Return what a model would be sent."""


@dataclass(frozen=True)
class Mix:
    """What is made of each question, as shares between 0 and 1.

    `kinds` are those of the rows that are made at all; `removed` and `changed` are the shares of answerable questions
    that are asked without their evidence, or changed; `formats` is the share of rows that are asked for in a
    form as well, and `tone` what every row of that kind is put in.
    """

    answers: AnswerStyle = "sentence"
    technique: str = "zero_shot"
    removed: float = 0.35
    changed: float = 0.25
    formats: float = 0.25
    shapes: Sequence[Shape] = ()
    tone: Tone | None = None
    views: Sequence[int] = _VIEWS
    kinds: Collection[Kind] = ("grounded", "refusal", "format")


@dataclass(frozen=True, slots=True)
class _Prompted:
    """A question with its prompt; `number` is the evidence's, None where a refusal is right."""

    known: KnownQuestion
    question: str
    prompt: Prompt
    number: int | None
    answer: str
    detail: str
    group: str


class GroundedRows:
    """Makes the rows of questions over one part of an index."""

    def __init__(
        self, asking: Asking, mix: Mix, changer: QuestionChanger, groups: dict[int, str], *, seed: int
    ) -> None:
        """Put it together.

        Args:
            asking: searches the index.
            mix: what is made.
            changer: changes questions.
            groups: of the documents, by the ids of those that prompts may show; no other is shown.
            seed: decides all that is drawn.
        """
        self._asking = asking
        self._mix = mix
        self._changer = changer
        self._groups = groups
        self._seed = seed

    async def of(self, known: KnownQuestion, source: str) -> list[ChatRow]:
        """Return the rows of a question; none where its evidence is not found, or is not of this part."""
        drawn = random.Random(f"{self._seed}:{known.id}:{known.question}")  # noqa: S311 - no secret
        found = await self._found(known)
        if not found:
            return []
        made = [row async for row in self._prompted(known, found, drawn)]
        rows = []
        for each in made:
            rows += self._rows(each, source, drawn)
        return rows

    async def _found(self, known: KnownQuestion) -> list[Passage]:
        """Return the best passages of this part; the evidence among them, if the index has it."""
        passages = await self._asking.search(known.question, top_k=4 * _SEARCHED, where=list(known.where))
        own = [passage for passage in passages if passage.document_id in self._groups]
        evidence = next((passage for passage in own if holds_answer(known, passage)), None)
        if evidence is None and known.answerable:
            for document, _ in known.places:
                within = await self._asking.search(
                    known.question, top_k=4 * _SEARCHED, where=[*known.where, f"document={document}"]
                )
                evidence = next(
                    (
                        passage
                        for passage in within
                        if passage.document_id in self._groups and holds_answer(known, passage)
                    ),
                    None,
                )
                if evidence is not None:
                    own.append(evidence)
                    break
        best = own[:_SEARCHED]
        return best if evidence is None or evidence in best else [*best[:-1], evidence]

    async def _prompted(
        self, known: KnownQuestion, found: Sequence[Passage], drawn: random.Random
    ) -> AsyncIterator[_Prompted]:
        evidence = next((passage for passage in found if holds_answer(known, passage)), None)
        misses = [passage for passage in found if not might_hold_answer(known, passage)]
        if not known.answerable:
            row = await self._refused(known, known.question, found, "labelled", drawn)
            if row is not None:
                yield row
            return
        if evidence is None:
            return
        answered = await self._answered(known, evidence, misses, drawn)
        if answered is None:
            return
        yield answered
        if misses and drawn.random() < self._mix.removed:
            row = await self._refused(known, known.question, misses, "removed", drawn)
            if row is not None:
                yield row
        if drawn.random() < self._mix.changed:
            changed = self._changer.change(known.question, known.language, evidence.text, drawn)
            if changed is not None:
                # What was put in stands in none of what is shown, so none of it can answer.
                others = [passage for passage in misses if changed.word not in passage.text]
                row = await self._refused(known, changed.question, [evidence, *others], "changed", drawn)
                if row is not None:
                    yield row

    async def _answered(
        self, known: KnownQuestion, evidence: Passage, misses: Sequence[Passage], drawn: random.Random
    ) -> _Prompted | None:
        count = drawn.randint(1, max(1, min(_MOST_SHOWN, 1 + len(misses))))
        others = list(misses[: count - 1])
        place = min(drawn.randint(0, 2) if drawn.random() < _AS_RANKED else drawn.randint(0, 4), len(others))
        order = [*others[:place], evidence, *others[place:]]
        prompt = await self._prompt(known.question, order, known.language, drawn)
        shown = next((item for item in prompt.passages if item.number == place + 1), None)
        if shown is None or not mentions(shown.text, known.answers):
            if len(order) > _WHOLE_UP_TO:
                order = [evidence]
                place = 0
            prompt = await self._whole(known.question, order, known.language)
            shown = next(item for item in prompt.passages if item.number == place + 1)
        said = self._answer(known, shown.text)
        if said is None:
            return None
        return _Prompted(
            known, known.question, prompt, place + 1, said, "", self._groups[evidence.document_id]
        )

    def _answer(self, known: KnownQuestion, text: str) -> str | None:
        held = next((answer for answer in known.answers if mentions(text, [answer])), None)
        if held is None:
            return None
        if self._mix.answers == "short":
            return " ".join(held.split())
        # As the prompt shows it: a number in brackets there is no marker, and what is left out is no word of it.
        sentence = sentence_with(unmarked(text), [held])
        return None if sentence is None else sentence.strip(_LEFT_OUT)

    async def _refused(
        self,
        known: KnownQuestion,
        question: str,
        passages: Sequence[Passage],
        detail: str,
        drawn: random.Random,
    ) -> _Prompted | None:
        count = drawn.randint(1, min(_MOST_SHOWN, len(passages)))
        order = list(passages[:count])
        if drawn.random() >= _AS_RANKED:
            drawn.shuffle(order)
        prompt = await self._prompt(question, order, known.language, drawn)
        if not prompt.passages:
            return None
        return _Prompted(known, question, prompt, None, "", detail, self._groups[passages[0].document_id])

    async def _prompt(
        self, question: str, passages: Sequence[Passage], language: str, drawn: random.Random
    ) -> Prompt:
        sentences = drawn.choice(
            [view for view in self._mix.views if view or len(passages) <= _WHOLE_UP_TO] or [0]
        )
        return await self._asking.prompt(
            question, passages, language=language, technique=self._mix.technique, sentences=sentences
        )

    async def _whole(self, question: str, passages: Sequence[Passage], language: str) -> Prompt:
        return await self._asking.prompt(
            question, passages, language=language, technique=self._mix.technique, sentences=0
        )

    def _rows(self, made: _Prompted, source: str, drawn: random.Random) -> list[ChatRow]:
        """Return the rows of a prompt: plain, in a form, in a tone, as the mix has them."""
        language, mix = made.known.language, self._mix
        plain: Kind = "refusal" if made.number is None else "grounded"
        answer = (
            REFUSALS.get(language, REFUSALS["en"])
            if made.number is None
            else cited(made.answer, made.number, language)
        )
        rows = []
        in_form = mix.shapes and "format" in mix.kinds and drawn.random() < mix.formats
        if in_form:
            shape = drawn.choice(list(mix.shapes))
            said = REFUSALS.get(language, REFUSALS["en"]) if made.number is None else made.answer
            rows.append(
                self._row(
                    made,
                    "format",
                    shape.render(said, made.number),
                    source,
                    shape.name,
                    shape.request(language),
                )
            )
        if mix.tone is not None and "tone" in mix.kinds:
            toned = mix.tone.refuse(language) if made.number is None else mix.tone.say(answer, language)
            rows.append(self._row(made, "tone", toned, source, mix.tone.name))
        elif plain in mix.kinds:
            rows.append(self._row(made, plain, answer, source, made.detail))
        return rows

    def _row(
        self, made: _Prompted, kind: Kind, answer: str, source: str, detail: str, request: str = ""
    ) -> ChatRow:
        messages = [Message.model_validate(message) for message in made.prompt.messages]
        if request:
            last = messages[-1]
            messages[-1] = Message(role=last.role, content=f"{last.content}\n\n{request}")
        return ChatRow(
            id=f"{made.known.id}:{kind}" + (f":{detail}" if detail else ""),
            kind=kind,
            language=made.known.language,
            group=made.group,
            source=source,
            detail=detail,
            expected=() if made.number is None else made.known.answers,
            number=made.number,
            messages=(*messages, Message(role="assistant", content=answer)),
        )
