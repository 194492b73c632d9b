"""The loop that serves many requests by one model: each step computes a bit of all that are at work.

A request comes in between any two steps and leaves as soon as it has ended. Prompts are read in pieces, so that those
who are written to meanwhile go on; what a prompt begins like is taken from the cache where it was read before.

Source of the scheduling by step: Yu et al., "Orca: A Distributed Serving System for Transformer-Based Generative
Models", OSDI 2022; of the pieces: Agrawal et al., "Sarathi-Serve", OSDI 2024.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from kernel.chat.paged.blocks import BlockPool
from kernel.chat.paged.drafting import Drafter
from kernel.chat.paged.holding import Holding
from kernel.chat.paged.lora import Lora
from kernel.chat.paged.rejection import Guess
from kernel.chat.paged.request import Reader, Request
from kernel.chat.paged.step import BLOCK, Row, StepModel
from kernel.chat.paged.waiting import WaitingLine
from retrieval.errors import BusyError, TekioError

log = logging.getLogger("tekio.generation")

_PIECE_ALONE, _PIECE_BESIDE = 2048, 256
"""Tokens of prompts in a step: where nobody is being written to, and where somebody would wait for it."""
_SURE = 2
"""Tokens at a text's end that stood before, from which on what followed them is guessed before a draft is asked."""
_GUESSED_TOGETHER = 32
"""Tokens of a step that is written in: beyond, checking guesses costs more than it saves."""


@dataclass(frozen=True, slots=True)
class SchedulerState:
    """What was done so far, in tokens unless said.

    Attributes:
        running: requests at work.
        waiting: requests in line.
        steps: that were computed.
        rows: of these steps, together.
        prompt_tokens: of the requests that were begun.
        reused_tokens: of those, that were in the cache.
        written_tokens: of answers.
        drafted_tokens: that were guessed ahead.
        accepted_tokens: of those, that held.
    """

    running: int = 0
    waiting: int = 0
    steps: int = 0
    rows: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    written_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


class Scheduler:
    """Serves requests in a thread of its own, from the first on."""

    def __init__(
        self,
        model: StepModel,
        *,
        slots: int,
        queue: int,
        drafter: Drafter | None = None,
        from_text: bool = True,
    ) -> None:
        """Make a scheduler.

        Args:
            model: is used by its thread alone.
            drafter: guesses ahead; None looks for guesses in the text itself.
            slots: requests at work at a time.
            queue: requests that may wait.
            from_text: the drafter is asked only where the text gives no guess that is likely to hold.
        """
        self._model = model
        self._slots = slots
        self._drafter, self._from_text = drafter, from_text
        self._pool = BlockPool(model.blocks, BLOCK)
        self._holding = Holding(self._pool)
        self._waiting = WaitingLine(queue)
        self._running: list[Request] = []
        self._jobs: list[tuple[Callable[[], Any], Future[Any]]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._state = SchedulerState()

    @property
    def vocabulary(self) -> int:
        """How many logits there are."""
        return self._model.architecture.vocabulary

    def state(self) -> SchedulerState:
        """Return what was done so far."""
        with self._changed:
            return replace(self._state, running=len(self._running), waiting=len(self._waiting))

    def check_room(self) -> None:
        """Check that another request may wait.

        Raises:
            BusyError: the line is full.
        """
        with self._changed:
            self._waiting.check_room()

    def submit(self, request: Request) -> None:
        """Put a request in line; its future tells what comes of it, an error too."""
        needed = self._holding.needed(request)
        with self._changed:
            if self._closed:
                request.fail(TekioError("the language model is being closed"))
            elif needed > self._pool.count:
                request.fail(
                    TekioError(
                        f"the prompt of {request.prompt} tokens and an answer of {request.sampling.max_new_tokens}"
                        f"{_times(request)} do not fit the {self._pool.count * BLOCK} tokens that kv_cache_mb holds: "
                        "raise it, or ask with fewer passages"
                    )
                )
            else:
                try:
                    self._waiting.add(request)
                except BusyError as error:
                    request.fail(error)
                self._wake()

    def call(self, job: Callable[[], Any]) -> Future[Any]:
        """Have something done between two steps, in the thread that uses the model."""
        done: Future[Any] = Future()
        with self._changed:
            self._jobs.append((job, done))
            self._wake()
        return done

    def forget(self) -> None:
        """Forget what was kept of prompts that are done; to be called by `call`."""
        self._pool.clear()

    def add_adapter(
        self, adapter: Lora, probe: Sequence[int], check: Callable[[Any, Any], None]
    ) -> Future[int]:
        """Have an adapter added between two steps, and looked at; the future gives its place.

        Args:
            adapter: what is added.
            probe: ids of a prompt.
            check: is given the logits of the probe with the adapter and without it, shape (1, vocabulary), and raises
                where they are not as they should be; it is taken out again then.
        """

        def add() -> int:
            place = self._model.add(adapter)
            try:
                check(self._probe(probe, place), self._probe(probe, None))
            except BaseException:
                self._model.drop_last()
                raise
            return place

        return self.call(add)

    def read(self, ids: Sequence[int], last: int, adapters: Sequence[int | None]) -> Future[list[Any]]:
        """Have a text read between two steps; the future gives the logits of each adapter, shape (last, vocabulary).

        Args:
            ids: of the text.
            last: of how many of the last tokens logits are wanted; fewer than there are.
            adapters: that read it; None is the base.
        """
        return self.call(lambda: [self._read(ids, last, adapter) for adapter in adapters])

    def _read(self, ids: Sequence[int], last: int, adapter: int | None) -> Any:
        blocks = self._pool.take(self._pool.needed(len(ids)))
        if blocks is None:
            raise BusyError("there is no room for the text beside what is under way: raise kv_cache_mb")
        try:
            head = len(ids) - last
            for begin in range(0, head, _PIECE_ALONE):
                self._model.run([Row(ids[begin : min(begin + _PIECE_ALONE, head)], begin, blocks, adapter)])
            return self._model.run([Row(ids[head:], head, blocks, adapter, last)])[0].copy()
        finally:
            self._pool.release(blocks)

    def _probe(self, ids: Sequence[int], adapter: int | None) -> Any:
        blocks = self._pool.take(self._pool.needed(len(ids)))
        if blocks is None:
            raise BusyError("the language model is busy: load the adapter again in a moment")
        try:
            return self._model.run([Row(ids, 0, blocks, adapter)])[0].copy()
        finally:
            self._pool.release(blocks)

    def close(self) -> None:
        """End the thread after its step; requests that are not done fail."""
        with self._changed:
            self._closed = True
            self._wake()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="language-model", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or self._jobs or self._running or len(self._waiting)
                )
                if self._closed:
                    break
                jobs, self._jobs = self._jobs, []
            for job, done in jobs:
                _do(job, done)
            try:
                with self._changed:
                    self._drop_waiting()
                    self._admit()
                self._step()
            except Exception as error:  # OpenVINO's, which may mean anything
                log.exception("a step of the language model failed")
                self._fail_all(error)
        closed = TekioError("the language model was closed before the answer was whole")
        self._fail_all(closed)
        with self._changed:
            left = [*self._waiting]
            self._waiting.remove(left)
        for request in left:
            request.fail(closed)

    def _drop_waiting(self) -> None:
        """Take those out of line for whom nobody waits, or whose time is over."""
        gone = [each for each in self._waiting if each.is_stopped or each.is_late or each.future.cancelled()]
        self._waiting.remove(gone)
        for request in gone:
            if request.future.cancelled():
                continue
            if request.is_stopped:
                request.finish()
            else:
                request.fail(
                    BusyError(f"the language model was busy for {request.seconds:.0f} s: ask again later")
                )

    def _admit(self) -> None:
        at_work = Counter[str]()
        for each in self._running:
            at_work[each.user] += len(each.readers)
        while (request := self._waiting.next(at_work)) is not None:
            taken = at_work.total()
            # One with more readers than there are slots is served alone.
            if taken >= self._slots or (taken and taken + len(request.readers) > self._slots):
                return
            if not self._holding.hold(request):
                return
            self._waiting.remove([request])
            if not request.future.set_running_or_notify_cancel():
                self._holding.let_go(request)
                continue
            self._running.append(request)
            at_work[request.user] += len(request.readers)
            self._count(
                prompt_tokens=request.prompt * len(request.readers),
                reused_tokens=sum(reader.reused for reader in request.readers),
            )

    def _step(self) -> None:
        for request in [each for each in self._running if each.is_stopped or each.is_late]:
            self._leave(request)
            request.finish()
        if not self._running:
            return
        writing = sum(len(request.reading) for request in self._running if request.is_writing)
        room = _PIECE_BESIDE if writing else _PIECE_ALONE
        most = max(1, _GUESSED_TOGETHER // max(1, writing) - 1)
        drafted = self._drafts(most)
        rows: list[tuple[Request, Reader, Row]] = []
        guesses: dict[Request, list[Guess]] = {}
        for request in self._running:
            if request.is_writing:
                guessed = request.guesses(most) if drafted is None else drafted.get(request, [])
                guesses[request] = guessed
                ids = [request.ids[-1], *(guess.token for guess in guessed)]
                for reader in request.reading:
                    row = Row(ids, reader.computed, reader.blocks, reader.adapter, len(ids), written=True)
                    rows.append((request, reader, row))
                continue
            for reader in request.reading:
                left = len(request.ids) - reader.computed
                if not left or room <= 1:  # it has read all, and waits for the others
                    continue
                piece = left if left <= room + 1 else room  # so that none is left alone
                room -= piece
                ids = request.ids[reader.computed : reader.computed + piece]
                rows.append((request, reader, Row(ids, reader.computed, reader.blocks, reader.adapter)))
        logits = self._model.run([row for _, _, row in rows])
        with self._changed:
            self._count(steps=1, rows=len(rows))
        for (request, reader, row), found in zip(rows, logits, strict=True):
            reader.computed += 1 if request in guesses else len(row.ids)
            if request in guesses or not request.is_mixed:
                reader.logits = found
            elif reader.computed == len(request.ids):
                # Others may come to the end later, when what this step gave is not valid any more.
                reader.logits = found.copy()
            self._holding.note_read(reader, request)
        for request in dict.fromkeys(request for request, _, _ in rows):
            try:
                ended = self._advance(request, guesses.get(request, []))
            except Exception as error:  # of this request alone: its grammar, or whoever takes its text
                self._leave(request)
                request.fail(error)
                continue
            if ended:
                self._leave(request)
                request.finish()

    def _drafts(self, most: int) -> dict[Request, list[Guess]] | None:
        if self._drafter is None:
            return None
        writing = [each for each in self._running if each.is_writing]
        looked_up = {each: each.guesses(most, least=_SURE) for each in writing} if self._from_text else {}
        others = [each for each in writing if not looked_up.get(each)]
        return looked_up | self._drafter.guess([(each, each.room_for_guesses(most)) for each in others])

    def _advance(self, request: Request, guesses: list[Guess]) -> bool:
        """Take what a step computed of a request; return whether its text has ended."""
        if any(reader.computed < len(request.ids) for reader in request.reading):
            return False
        accepted, before = 0, request.written
        while True:
            guess = guesses[accepted] if accepted < len(guesses) else None
            token = request.chooser.choose(request.next_logits(accepted), request.ids, guess)
            ended = request.write(token)
            if ended or guess is None or token != guess.token:
                break
            accepted += 1
        for reader in request.reading:
            reader.computed += accepted
            reader.logits = None
        if guesses:
            request.pace.learn(len(guesses), accepted)
            request.drafted += len(guesses)
            request.accepted += accepted
        with self._changed:
            self._count(
                written_tokens=request.written - before, drafted_tokens=len(guesses), accepted_tokens=accepted
            )
        return ended

    def _leave(self, request: Request) -> None:
        with self._changed:
            self._running.remove(request)
        if self._drafter is not None:
            self._drafter.end(request)
        self._holding.let_go(request)

    def _fail_all(self, error: BaseException) -> None:
        for request in list(self._running):
            self._leave(request)
            request.fail(error)
        self._pool.clear()

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self._state, name) + count for name, count in more.items()}
        self._state = replace(self._state, **counted)


def _times(request: Request) -> str:
    return f", for each of {len(request.readers)} members," if request.is_mixed else ""


def _do(job: Callable[[], Any], done: Future[Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(job())
    except BaseException as error:
        done.set_exception(error)
