"""Guesses by a smaller model of the same words, all requests in one batch.

Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kernel.chat.paged.blocks import BlockPool
from kernel.chat.paged.rejection import Guess
from kernel.chat.paged.request import Request
from kernel.chat.paged.shortlist import Words
from kernel.chat.paged.step import BLOCK, Row, StepModel


@dataclass(slots=True)
class _Read:
    """What the smaller model has read of a request, and where that is kept."""

    blocks: list[int]
    ids: list[int] = field(default_factory=list)


class Drafter:
    """Writes on for a few tokens as each request chooses its own; what was guessed wrong is read again as it is."""

    def __init__(self, model: StepModel, words: int = 0, common: Words | None = None) -> None:
        """Take a model, with a cache of its own.

        Args:
            model: that guesses.
            words: rows of the head of the model that it guesses for, beyond which it guesses nothing; 0: as its own.
                Some heads have rows beyond their words, for the hardware's sake, and not all as many.
            common: the words whose logits it computes; None: of all.
        """
        self._model, self._words, self._common = model, words or model.architecture.vocabulary, common
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
                guesses[request].append(request.chooser.guess(self._logits(found[-1])))
                if len(guesses[request]) >= most:
                    del wanted[request]
        return guesses

    def _logits(self, found: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits of the words that it may guess; those that it does not compute cannot be."""
        if self._common is None:
            return found[: self._words]
        logits = np.full(self._words, -np.inf, np.float32)
        logits[self._common] = found
        return logits

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
