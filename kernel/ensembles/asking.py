"""Members of an ensemble asked: each with its own time, none of them able to stop the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

from kernel.answer import STEPPED, Answer, AnswerEvent, PassagesEvent, TokenEvent, technique_of
from kernel.answering.asked import Asked
from kernel.composed.composition import AskMember
from kernel.ensembles.settings import MemberSettings
from kernel.ensembles.wording import tell
from retrieval.analysis import detect_language
from retrieval.errors import TekioError
from retrieval.stages import Step

_HEAD_START = 5.0


class NoAnswerError(TekioError):
    """A member took too long, or wrote nothing."""


@dataclass(slots=True)
class Heard:
    """What came of asking a member: its answer with the pieces in which it was written, or why there is none.

    `prompt` is what a language model was given for it, of `role` and `content`; empty where none wrote a single draft
    now, such as where the answer was stored.
    """

    place: int
    member: MemberSettings
    technique: str
    answer: Answer | None = None
    pieces: list[str] = field(default_factory=list)
    why: str = ""
    error: Exception | None = None
    ms: float = 0.0
    prompt: list[dict[str, str]] = field(default_factory=list)


def asked_of(member: MemberSettings, asked: Asked) -> Asked:
    """Return a question as it is put to a member.

    It was not the member that was asked for by name: for a language that it does not speak, `extractive` answers.
    """
    technique = asked.technique if member.technique is None else technique_of(member.technique)
    samples = asked.samples if member.samples is None else member.samples
    return replace(
        asked,
        variant=member.variant,
        chosen=False,
        technique=technique,
        temperature=member.temperature,
        samples=samples if technique in STEPPED else 1,
        step_votes=member.step_votes,
        step_voters=tuple(member.step_voters),
    )


async def hear(
    place: int,
    member: MemberSettings,
    asked: Asked,
    ask: AskMember,
    root: Step,
    seconds: float,
) -> AsyncGenerator[PassagesEvent | TokenEvent | Heard, None]:
    """Ask a member; the last that comes is what came of it. Whatever it raises is kept, not raised.

    Args:
        place: of the member.
        member: who is asked, and how.
        asked: the question as it was put to the ensemble.
        ask: asks.
        root: gets a step for the member.
        seconds: longest time of its answer.
    """
    put = asked_of(member, asked)
    heard = Heard(place, member, put.technique.value)
    language = asked.language or detect_language(asked.question)
    step, began = root.begin(f"member {member.name}"), time.perf_counter()
    left = seconds
    try:
        async with aclosing(ask(put, step)) as events:
            while True:
                # Not around the whole: what is yielded in between is not the member's time.
                started = time.perf_counter()
                async with asyncio.timeout(left):
                    event = await anext(events, None)
                left -= time.perf_counter() - started
                if event is None:
                    break
                if isinstance(event, AnswerEvent):
                    heard.answer = event.answer
                elif isinstance(event, TokenEvent):
                    heard.pieces.append(event.text)
                    yield event
                else:
                    yield event
    except TimeoutError:
        heard.answer = None
        heard.why = tell("late", language, seconds=seconds)
        heard.error = NoAnswerError(heard.why)
    except Exception as error:  # whatever it is, the other members can answer
        heard.answer, heard.error = None, error
        heard.why = str(error) if isinstance(error, TekioError) else type(error).__name__
    finally:
        step.end(heard.error)
    if heard.answer is not None and not any(character.isalnum() for character in heard.answer.answer):
        heard.answer, heard.why = None, tell("empty", language)
        heard.error = NoAnswerError(heard.why)
    prompts = [each.content["prompt"] for each in step.all() if each.content.get("prompt")]
    heard.prompt = prompts[-1] if len(prompts) == 1 else []
    heard.ms = round(1000 * (time.perf_counter() - began), 1)
    yield heard


async def hear_all(
    members: Sequence[tuple[int, MemberSettings]], asked: Asked, ask: AskMember, root: Step, seconds: float
) -> AsyncGenerator[PassagesEvent | list[Heard], None]:
    """Ask members side by side; the passages come first, once, and last what came of each, in their order.

    The others begin once the first has its passages, which are then found for all of them; after some seconds in any
    case, as its passages may hang on another machine.
    """
    told: asyncio.Queue[PassagesEvent | Heard] = asyncio.Queue()

    async def follow(place: int, member: MemberSettings) -> None:
        async with aclosing(hear(place, member, asked, ask, root, seconds)) as events:
            async for event in events:
                if not isinstance(event, TokenEvent):
                    told.put_nowait(event)

    tasks = [asyncio.create_task(follow(*members[0]))]
    found: list[Heard] = []
    shown = False
    try:
        while len(found) < len(members):
            event = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_HEAD_START if len(tasks) < len(members) else None):
                    event = await told.get()
            if len(tasks) == 1:
                tasks += [asyncio.create_task(follow(*each)) for each in members[1:]]
            if event is None:
                continue
            if isinstance(event, Heard):
                found.append(event)
            elif not shown:
                shown = True
                yield event
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
    yield sorted(found, key=lambda heard: heard.place)
