"""A variant whose answer is elected among those of its members."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from kernel.answer import (
    Answer,
    AnswerEvent,
    AskEvent,
    EnsembleReport,
    MemberAnswer,
    PassagesEvent,
    TokenEvent,
    Usage,
    total_cost,
)
from kernel.answering.asked import Asked
from kernel.answering.run import Clock
from kernel.composed.composition import AskMember
from kernel.ensembles.asking import Heard, NoAnswerError, hear, hear_all
from kernel.ensembles.clusters import Embed
from kernel.ensembles.election import Elected, Elector
from kernel.ensembles.fitted import Fitted
from kernel.ensembles.judging import Likelihoods, judged
from kernel.ensembles.ranked import RANKED
from kernel.ensembles.settings import EnsembleSettings, MemberSettings
from kernel.ensembles.voices import Voice, support_of
from kernel.ensembles.wording import explained, tell
from plugins.memory.rules import fact_to_remember
from retrieval.analysis import detect_language
from retrieval.errors import TekioError
from retrieval.stages import Step

_PLACES = 4
_SETTLED_BY_OWN = 2
"""Different answers that a member has ranked when it has put its own first."""


class AnswerEnsemble:
    """An ensemble by a rule over whole answers. Holds nothing of a question.

    Args:
        name: of the variant.
        told: what the settings say of it.
        embed: gives vectors of texts.
        fitted: what was fitted for it.
        is_random: whether a member is composed itself, such that it may answer otherwise the next time.
        likelihoods: tells how likely a member finds others' answers.
    """

    def __init__(
        self,
        name: str,
        told: EnsembleSettings,
        *,
        embed: Embed,
        fitted: Fitted | None,
        is_random: bool = False,
        likelihoods: Likelihoods | None = None,
    ) -> None:
        self.name = name
        self._told, self._has_random = told, is_random
        self._likelihoods = likelihoods
        self._elector = Elector(told, embed, fitted)
        parts = [told.model_dump_json(exclude={"fitted"}), fitted.model_dump_json() if fitted else ""]
        self._revision = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def members(self) -> Sequence[str]:
        """The variants that may be asked."""
        return self._told.asks

    @property
    def revision(self) -> str:
        """What changes with the rule and its figures."""
        return f"ensemble:{self._revision}"

    @property
    def is_random(self) -> bool:
        """Whether a member writes freely, or votes on drafts, so that the same question may get another answer."""
        return self._has_random or any(
            member.temperature > 0 or (member.samples or 1) > 1 for member in self._told.members
        )

    async def stream(self, asked: Asked, ask: AskMember, root: Step) -> AsyncGenerator[AskEvent, None]:
        """Answer a question: the passages, the pieces of the answer that was elected, and that answer.

        Where members are asked one by one, the pieces are those of the first as they are written.

        Raises:
            TekioError: no member answered.
        """
        members = list(enumerate(self._told.members))
        if fact_to_remember(asked.question) is not None:
            # It is remembered once, not by each member.
            source = self._one_by_one(members[:1], asked, ask, root)
        elif self._told.if_below is not None:
            source = self._one_by_one(members, asked, ask, root)
        else:
            source = self._side_by_side(asked, ask, root)
        async with aclosing(source) as events:
            async for event in events:
                if isinstance(event, PassagesEvent):
                    yield event.model_copy(update={"variant": self.name, "technique": asked.technique.value})
                elif isinstance(event, TokenEvent):
                    yield event
                else:
                    heard, elected = event
                    yield AnswerEvent(answer=self._answer(asked, heard, elected, root))

    async def _side_by_side(
        self, asked: Asked, ask: AskMember, root: Step
    ) -> AsyncGenerator[PassagesEvent | TokenEvent | tuple[list[Heard], Elected], None]:
        heard: list[Heard] = []
        members = list(enumerate(self._told.members))
        async with aclosing(hear_all(members, asked, ask, root, self._told.seconds)) as events:
            async for event in events:
                if isinstance(event, PassagesEvent):
                    yield event
                else:
                    heard = event
        elected = await self._elect(heard, asked, root)
        for piece in _pieces(heard, elected):
            yield TokenEvent(text=piece)
        yield heard, elected

    async def _one_by_one(
        self, members: Sequence[tuple[int, MemberSettings]], asked: Asked, ask: AskMember, root: Step
    ) -> AsyncGenerator[PassagesEvent | TokenEvent | tuple[list[Heard], Elected], None]:
        heard: list[Heard] = []
        elected: Elected | None = None
        shown, live = False, False
        for place, member in members:
            async with aclosing(hear(place, member, asked, ask, root, self._told.seconds)) as events:
                async for event in events:
                    if isinstance(event, Heard):
                        heard.append(event)
                    elif isinstance(event, PassagesEvent):
                        if not shown:
                            yield event
                        shown = True
                    elif place == members[0][0]:
                        live = True
                        yield event
            if any(each.answer is not None for each in heard):
                elected = await self._elect(heard, asked, root)
                if self._elector.is_enough(elected):
                    break
        if elected is None:
            elected = await self._elect(heard, asked, root)
        if not live:
            for piece in _pieces(heard, elected):
                yield TokenEvent(text=piece)
        yield heard, elected

    async def _elect(self, heard: Sequence[Heard], asked: Asked, root: Step) -> Elected:
        voices = _voices(heard)
        if not voices:
            raise self._silence(heard[0], asked) from heard[0].error
        with root.begin("elect") as step:
            groups = await asyncio.to_thread(self._elector.groups, voices, asked.question)
            likely: dict[int, list[float]] = {}
            if self._told.rule in RANKED and len(set(groups)) > _SETTLED_BY_OWN:
                spoke = [each for each in heard if each.answer is not None]
                likely = await judged(spoke, asked.question, self._likelihoods, self._told.seconds)
                step.note(judges=len(likely))
            elected = await asyncio.to_thread(self._elector.elect, voices, asked.question, groups, likely)
            step.note(rule=self._told.rule, answers=len(voices), groups=len(set(elected.groups)))
        return elected

    def _silence(self, first: Heard, asked: Asked) -> TekioError:
        if isinstance(first.error, TekioError) and not isinstance(first.error, NoAnswerError):
            return first.error
        language = asked.language or detect_language(asked.question)
        return TekioError(tell("none", language, name=self.name, why=first.why))

    def _answer(self, asked: Asked, heard: Sequence[Heard], elected: Elected, root: Step) -> Answer:
        voices = _voices(heard)
        taken = elected.answer
        answers = [voice.answer for voice in voices]
        notices = [
            tell("failed", taken.language, member=each.member.name, why=each.why)
            for each in heard
            if each.why
        ]
        return taken.model_copy(
            update={
                "variant": self.name,
                "notices": [*taken.notices, *notices],
                "usage": Usage(
                    prompt_tokens=sum(answer.usage.prompt_tokens for answer in answers),
                    completion_tokens=sum(answer.usage.completion_tokens for answer in answers),
                    cached_tokens=sum(answer.usage.cached_tokens for answer in answers),
                    passages_used=taken.usage.passages_used,
                    passages_omitted=taken.usage.passages_omitted,
                    cost=total_cost(answer.usage.cost for answer in answers),
                ),
                "timings_ms": Clock(root).timings(),
                "ensemble": self._report(asked, heard, voices, elected),
                "cache": None,
                "trace": None,
            }
        )

    def _report(
        self, asked: Asked, heard: Sequence[Heard], voices: Sequence[Voice], elected: Elected
    ) -> EnsembleReport:
        places = {voice.member: place for place, voice in enumerate(voices)}
        chosen = None if elected.place is None else self._elector.members[voices[elected.place].member]
        language = elected.answer.language
        asked_of = {each.place for each in heard}
        not_asked = [member.name for place, member in enumerate(self._told.members) if place not in asked_of]
        weights = elected.weights or [1.0] * len(voices)
        counted = [group for group, weight in zip(elected.groups, weights, strict=True) if weight]
        same = 0 if elected.place is None else counted.count(elected.groups[elected.place])
        quoting = [
            self._elector.members[voice.member]
            for voice, weight in zip(voices, weights, strict=True)
            if not (weight or voice.is_own)
        ]
        if fact_to_remember(asked.question) is not None:
            said = tell("only_first", language, chosen=chosen)
        elif not_asked and len(voices) == 1 and self._told.if_below is not None:
            said = tell(
                "alone", language, chosen=chosen, sureness=elected.sureness, below=self._told.if_below
            )
        else:
            said = explained(
                self._told.rule,
                language,
                chosen=chosen,
                same=same,
                heard=len(counted),
                tie=elected.tie,
                uncounted=quoting,
            )
        return EnsembleReport(
            rule=self._told.rule,
            members=[_member(each, places.get(each.place), elected) for each in heard],
            not_asked=not_asked,
            tie=[voices[place].answer.answer for place in elected.tie],
            explanation=said,
        )


def _voices(heard: Sequence[Heard]) -> list[Voice]:
    return [Voice(each.place, each.member.variant, each.answer) for each in heard if each.answer is not None]


def _pieces(heard: Sequence[Heard], elected: Elected) -> list[str]:
    """Return the pieces in which the answer that was elected was written; none of a stored one."""
    if elected.place is None:
        return []
    return [each for each in heard if each.answer is not None][elected.place].pieces


def _member(heard: Heard, place: int | None, elected: Elected) -> MemberAnswer:
    if heard.answer is None or place is None:
        return MemberAnswer(
            variant=heard.member.variant, technique=heard.technique, error=heard.why, ms=heard.ms
        )
    answer = heard.answer
    return MemberAnswer(
        variant=heard.member.variant,
        technique=answer.technique,
        answer=answer.answer,
        refused=answer.refused,
        confidence=answer.confidence,
        support=round(support_of(answer), _PLACES),
        log_probability=answer.log_probability,
        answered_by=answer.variant,
        weight=None if elected.weights is None else round(elected.weights[place], _PLACES),
        score=round(elected.scores[place], _PLACES),
        group=elected.groups[place],
        chosen=place == elected.place,
        cached=answer.cache is not None,
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        ms=heard.ms,
    )
