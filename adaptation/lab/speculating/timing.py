"""How fast a model writes with a draft beside it, or alone, by the engine that answers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adaptation.lab.speculating.plan import SpeculatePlan
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling
from kernel.chat.paged.scheduler import SchedulerState
from kernel.chat.paged.serving import Serving
from kernel.chat.quantised import form_of
from retrieval.engines.cpu import has_gpu

_CACHE_MB = 128
_WARM = 8
"""Tokens that are written before the time is taken."""

_READ, _STEPS = 256, 15
"""Tokens before a step that is timed, and how many of them."""

Chat = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Timing:
    """What was written behind all prompts, one after the other; seconds are those of writing, not of reading prompts.

    Attributes:
        tokens: that were written but for the first of each answer.
        seconds: that took.
        alone_tokens: that the model wrote without guesses behind the same prompts, in turns with the others.
        alone_seconds: that took.
        drafted: tokens that were guessed.
        accepted: of those, that held.
        steps: of the model, but for those that read prompts.
        texts: the answers.
        alone_texts: those without guesses.
    """

    tokens: int
    seconds: float
    alone_tokens: int
    alone_seconds: float
    drafted: int
    accepted: int
    steps: int
    texts: tuple[str, ...]
    alone_texts: tuple[str, ...]

    @property
    def tokens_a_second(self) -> float:
        """How fast it writes."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def alone_tokens_a_second(self) -> float:
        """How fast the model writes without guesses."""
        return self.alone_tokens / self.alone_seconds if self.alone_seconds > 0 else 0.0

    @property
    def holding(self) -> float:
        """The share of guesses that held; those behind one that did not are lost with it."""
        return self.accepted / self.drafted if self.drafted else 0.0


class Writer:
    """A model that writes behind prompts, one at a time, by the engine that answers; with guesses or without."""

    def __init__(
        self,
        model: Path,
        draft: Path | None,
        plan: SpeculatePlan,
        *,
        guessed: int = 0,
        draft_precision: str = "auto",
        draft_words: int = 0,
    ) -> None:
        """Load it.

        Args:
            model: folder of the model that is answered by.
            draft: folder of the model that guesses; None looks guesses up in the text, if any are wanted.
            plan: how it is sampled.
            guessed: tokens that are guessed ahead, each time as many.
            draft_precision: of the draft's weights; `auto` is that of the model.
            draft_words: of its commonest words that it guesses among; 0: among all.

        Raises:
            UnknownArchitectureError: the engine does not compute such a model.
            UsageError: the draft has other words than the model, or does not tell its commonest.
            TekioError: a model cannot be loaded.
        """
        from kernel.chat.paged.generator import BatchedGenerator

        serving = Serving(
            engine="torch" if has_gpu() else "openvino",
            precision=held_in(model, plan.precision),
            threads=plan.threads,
            slots=1,
            cache_mb=_CACHE_MB,
            guessed=guessed,
            draft=draft,
            draft_precision="" if draft is None else held_in(draft, draft_precision, otherwise=""),
            draft_words=draft_words,
            from_text=plan.from_text,
            sampled_guesses=True,
            steady=True,
        )
        self._plan = plan
        self._generator = BatchedGenerator(model.name, model, serving, ChatTokenizer(model))
        self._generator.load()

    def write(self, chat: Chat, number: int, new_tokens: int = 0) -> Generation:
        """Write behind a prompt.

        Args:
            chat: the prompt.
            number: of the prompt, by which its draws differ from those of the others.
            new_tokens: at most, in place of the plan's.

        Raises:
            TekioError: the prompt does not fit its window.
        """
        plan = self._plan
        sampling = Sampling(
            max_new_tokens=new_tokens or plan.new_tokens,
            temperature=plan.temperature,
            top_p=plan.top_p,
            seed=plan.seed + number,
        )
        return self._generator.start(chat, sampling).result()

    def state(self) -> SchedulerState:
        """Return what was done so far."""
        return self._generator.state()

    def close(self) -> None:
        """Let go of it."""
        self._generator.close()


def timed(alone: Writer, guessing: Writer, chats: Sequence[Chat]) -> Timing:
    """Have a model write behind prompts with guesses and without, in turns, so that both meet the machine as it is.

    Raises:
        TekioError: a prompt does not fit its window.
    """
    for writer in (alone, guessing):
        writer.write(chats[0], 0, _WARM)
    before = guessing.state()
    made = [[writer.write(chat, number) for writer in (alone, guessing)] for number, chat in enumerate(chats)]
    after = guessing.state()
    plain, guessed = zip(*made, strict=True)
    return Timing(
        sum(map(_behind_the_first, guessed)),
        sum(map(_seconds, guessed)),
        sum(map(_behind_the_first, plain)),
        sum(map(_seconds, plain)),
        after.drafted_tokens - before.drafted_tokens,
        after.accepted_tokens - before.accepted_tokens,
        after.steps - before.steps - len(chats),
        tuple(each.text for each in guessed),
        tuple(each.text for each in plain),
    )


def _behind_the_first(made: Generation) -> int:
    return max(0, made.completion_tokens - 1)


def _seconds(made: Generation) -> float:
    return made.seconds - made.seconds_to_first_token


def step_seconds(folder: Path, plan: SpeculatePlan, *, precision: str = "", words: int = 0) -> float:
    """Return how long a model takes for a step of one token, the median of several.

    Args:
        folder: of the model.
        plan: how it is computed.
        precision: of its weights, in place of the plan's.
        words: of its commonest words whose logits are computed; 0: of all.

    Raises:
        UsageError: it does not tell its commonest words.
        TekioError: it cannot be loaded.
    """
    from kernel.chat.paged.generator import load_step_model
    from kernel.chat.paged.shortlist import common_words
    from kernel.chat.paged.step import BLOCK, Row

    serving = Serving(
        engine="torch" if has_gpu() else "openvino",
        precision=held_in(folder, precision or plan.precision),
        threads=plan.threads,
        cache_mb=_CACHE_MB,
    )
    model = load_step_model(folder, serving, common_words(folder, words) if words else None)
    blocks = list(range(-(-(_READ + 1) // BLOCK)))
    model.run([Row([1] * _READ, 0, blocks)])
    seconds = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        model.run([Row([1], _READ, blocks, written=True)])
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def held_in(folder: Path, precision: str, *, otherwise: str | None = None) -> str:
    """Return how a model's weights are held where nothing is said of it: as its folder has them, else as usual.

    Args:
        folder: of the model.
        precision: what is said.
        otherwise: of a folder that has floats; None takes what the engine does that answers.
    """
    if precision != "auto":
        return precision
    form = form_of(folder)
    if form is not None:
        return form.precision
    if otherwise is not None:
        return otherwise
    return "auto" if has_gpu() else "int8"
