"""One request to the engine: its tokens, its blocks, and what becomes of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernel.answer import FinishReason
from kernel.chat.generation import Generation, Sampling, how_it_ended
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.guessing import Lookup, Pace
from kernel.chat.paged.mixing import MixRule, Mixture, Numbers, mixed
from kernel.chat.paged.rejection import Guess
from kernel.chat.paged.text_stream import TextStream
from kernel.chat.repetition import TAIL, repeated
from retrieval.errors import TekioError, first_line


@dataclass(slots=True, eq=False)
class Reader:
    """Who reads a request: the base or an adapter, and what it has read. A mixture has several.

    Attributes:
        adapter: its place in the model, None for the base.
        weight: in the mixture.
        computed: tokens whose keys and values are in the blocks.
        blocks: that are held.
        names: of the blocks that are full.
        named: how many of the blocks are known by their names.
        reused: tokens of the prompt that were in the cache.
        logits: behind the last tokens, of the step that came to the end of the text; shape (tokens, vocabulary).
        has_failed: it gave no numbers, and is not asked any more.
    """

    adapter: int | None = None
    weight: float = 1.0
    computed: int = 0
    blocks: list[int] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)
    named: int = 0
    reused: int = 0
    logits: Any = None
    has_failed: bool = False


@dataclass(slots=True, eq=False)
class Request:
    """What is asked, and how far it is. Times are those of `time.perf_counter`.

    Attributes:
        ids: of the prompt, and what was written behind it.
        prompt: how many of them are the prompt's.
        sampling: how tokens are chosen.
        stop_ids: that end the turn.
        decode: ids to text.
        chooser: of the tokens.
        readers: the base or an adapter, or several whose mixture writes.
        rule: of the mixture.
        user: whose it is.
        stream: what the text is handed to.
        stop: ends it early.
        seconds: longest time from when it was asked; 0 is without limit.
        most_guessed: tokens that are guessed ahead; 0 guesses none.
        steady: as many are guessed each time, whether they hold or not.
        on_first: is called when the first token is there, and so the prompt is read.
        future: what comes of it.
    """

    ids: list[int]
    prompt: int
    sampling: Sampling
    stop_ids: Sequence[int]
    decode: Callable[[Sequence[int]], str]
    chooser: Chooser
    readers: list[Reader] = field(default_factory=lambda: [Reader()])
    rule: MixRule = "linear"
    user: str = ""
    stream: TextStream | None = None
    stop: threading.Event | None = None
    seconds: float = 0.0
    most_guessed: int = 0
    steady: bool = False
    on_first: Callable[[], None] | None = None
    future: Future[Generation] = field(default_factory=Future)
    asked: float = field(default_factory=time.perf_counter)
    first: float | None = None
    drafted: int = 0
    accepted: int = 0
    lookup: Lookup | None = None
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.most_guessed, steady=self.steady)

    @property
    def written(self) -> int:
        """How many tokens were written."""
        return len(self.ids) - self.prompt

    @property
    def longest(self) -> int:
        """How many tokens it can come to, with the one that is guessed beyond its end."""
        return self.prompt + self.sampling.max_new_tokens + 1

    @property
    def is_writing(self) -> bool:
        """Whether only the last token is not read yet, so that the next is what a step gives."""
        return all(len(self.ids) - reader.computed == 1 for reader in self.reading)

    @property
    def reading(self) -> list[Reader]:
        """The readers that are asked."""
        return [reader for reader in self.readers if not reader.has_failed]

    @property
    def is_mixed(self) -> bool:
        """Whether several readers write it together."""
        return len(self.readers) > 1

    @property
    def reused(self) -> int:
        """Tokens of the prompt that were in the cache, of several readers the mean."""
        return sum(reader.reused for reader in self.readers) // len(self.readers)

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return bool(self.seconds) and time.perf_counter() - self.asked > self.seconds

    @property
    def is_stopped(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.stop is not None and self.stop.is_set()

    def room_for_guesses(self, most: int) -> int:
        """Return how many tokens should be guessed, at most so many."""
        return max(0, min(most, self.pace.now, self.sampling.max_new_tokens - self.written - 1))

    def guesses(self, most: int, least: int = 1) -> list[Guess]:
        """Return tokens that may come next as they did before, at most so many, behind so many alike at least."""
        room = self.room_for_guesses(most)
        if not room:
            return []
        if self.lookup is None:
            self.lookup = Lookup(self.ids)
        return [Guess(token) for token in self.lookup.guess(room, least)]

    def next_logits(self, place: int) -> Numbers:
        """Return the logits behind one of the last tokens that were read, of all readers together.

        One of several that gives no numbers, as an adapter does whose training diverged, is left out from here on.

        Raises:
            TekioError: none of several gives any.
        """
        if self.is_mixed:
            for reader in self.reading:
                reader.has_failed = not bool(np.isfinite(reader.logits[place]).all())
            if not self.reading:
                raise TekioError("none of the members of the mixture gives numbers: train its adapters again")
        reading = self.reading
        return mixed(self.rule, [each.weight for each in reading], [each.logits[place] for each in reading])

    def write(self, token: int) -> bool:
        """Take the next token; return whether the text ends with it."""
        if self.first is None:
            self.first = time.perf_counter()
            if self.on_first is not None:
                self.on_first()
        self.ids.append(token)
        if self.lookup is not None:
            self.lookup.extend([token])
        ended = token in self.stop_ids
        if not ended and self.stream is not None:
            self.stream.put([token])
        new = self.ids[max(self.prompt, len(self.ids) - TAIL) :]
        return ended or self.written >= self.sampling.max_new_tokens or repeated(new) > 0

    def finish(self) -> None:
        """Give what was written to whoever waits."""
        reason, kept, written = how_it_ended(self.ids[self.prompt :], self.stop_ids, self.stop)
        if reason is FinishReason.LENGTH and self.is_late and self.written < self.sampling.max_new_tokens:
            reason = FinishReason.TIMEOUT
        if self.stream is not None:
            self.stream.end()
        now = time.perf_counter()
        text = self.decode(self.ids[self.prompt : self.prompt + kept])
        self.future.set_result(
            Generation(
                text,
                self.prompt,
                written,
                reason,
                (self.first or now) - self.asked,
                now - self.asked,
                self.reused,
                self.drafted,
                self.accepted,
                self.chooser.log_probability,
                tuple(place for place, reader in enumerate(self.readers) if reader.has_failed),
                self.chooser.mean_log_probability,
            )
        )

    def fail(self, error: BaseException) -> None:
        """Tell whoever waits that it failed, in one line whatever it was."""
        if self.future.done():
            return
        if not isinstance(error, TekioError):
            clear = TekioError(
                f"the language model failed while it wrote ({first_line(error)}): ask again, "
                "or with --variant extractive"
            )
            clear.__cause__ = error
            error = clear
        self.future.set_exception(error)


def readers_of(adapter: str | None, mixture: Mixture | None) -> tuple[MixRule, list[Reader]]:
    """Return the rule of a mixture and its readers, each new; without one, an adapter or the base reads alone."""
    made = mixture or Mixture("linear", (adapter,), (1.0,))
    return made.rule, [
        Reader(None if name is None else int(name), weight)
        for name, weight in zip(made.adapters, made.weights, strict=True)
    ]
