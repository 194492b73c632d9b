"""Guesses by a smaller model of the same words, all requests in one batch.

Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kernel.chat.paged.blocks import BlockPool
from kernel.chat.paged.rejection import Guess
from kernel.chat.paged.request import Request
from kernel.chat.paged.step import BLOCK, Row, StepModel


@dataclass(slots=True)
class _Read:
    """What the smaller model has read of a request, and where that is kept."""

    blocks: list[int]
    ids: list[int] = field(default_factory=list)


class Drafter:
    """Writes on for a few tokens as each request chooses its own; what was guessed wrong is read again as it is."""

    def __init__(self, model: StepModel, words: int = 0) -> None:
        """Take a model, with a cache of its own.

        Args:
            model: that guesses.
            words: rows of the head of the model that it guesses for, beyond which it guesses nothing; 0: as its own.
                Some heads have rows beyond their words, for the hardware's sake, and not all as many.
        """
        self._model, self._words = model, words or model.architecture.vocabulary
        self._pool = BlockPool(model.blocks, BLOCK)
        self._read: dict[Request, _Read] = {}

    def guess(self, requests: Sequence[tuple[Request, int]]) -> dict[Request, list[Guess]]:
        """Return tokens that may come next for requests, at most so many of each; none where there is no room."""
        wanted = {request: most for request, most in requests if most > 0 and self._begin(request)}
        guesses: dict[Request, list[Guess]] = {request: [] for request in wanted}
        while wanted:
            rows = [self._row(request, guesses[request]) for request in wanted]
            logits = self._model.run(rows)
            for (request, most), row, found in zip(list(wanted.items()), rows, logits, strict=True):
                self._read[request].ids.extend(row.ids)
                guesses[request].append(request.chooser.guess(found[-1][: self._words]))
                if len(guesses[request]) >= most:
                    del wanted[request]
        return guesses

    def end(self, request: Request) -> None:
        """Forget a request."""
        read = self._read.pop(request, None)
        if read is not None:
            self._pool.release(read.blocks)

    def _begin(self, request: Request) -> bool:
        read = self._read.get(request)
        if read is None:
            blocks = self._pool.take(self._pool.needed(request.longest))
            if blocks is None:
                return False
            read = self._read[request] = _Read(blocks)
        # Only the end can differ: what was read before was either the prompt or accepted.
        common = min(len(read.ids), len(request.ids) - 1)
        while common and read.ids[common - 1] != request.ids[common - 1]:
            common -= 1
        del read.ids[common:]
        return True

    def _row(self, request: Request, guessed: list[Guess]) -> Row:
        read = self._read[request]
        ids = [guess.token for guess in guessed[-1:]] or request.ids[len(read.ids) :]
        return Row(ids, len(read.ids), read.blocks)
