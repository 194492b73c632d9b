"""What transformers calls back during generation. Importing this imports transformers and torch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria, TextStreamer

from kernel.chat.repetition import TAIL, repeated


class StopOnEvent(StoppingCriteria):
    """Ends generation after the token during which an event was set."""

    def __init__(self, event: threading.Event | None) -> None:
        self._event = event

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Say for each row whether it is done."""
        done = self._event is not None and self._event.is_set()
        return torch.full((input_ids.shape[0],), done, device=input_ids.device, dtype=torch.bool)


class StopOnLoop(StoppingCriteria):
    """Ends each row that goes round in circles. `start` is where the prompt ends."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Say for each row whether it is done."""
        rows = input_ids[:, max(self._start, input_ids.shape[1] - TAIL) :].tolist()
        return torch.tensor([repeated(row) > 0 for row in rows], device=input_ids.device)


class HowLikely(LogitsProcessor):
    """Sums up how likely one request's tokens are before they are chosen among; changes nothing.

    transformers calls it behind the penalty for repetition, and before temperature and top-p.
    """

    def __init__(self) -> None:
        self._last: torch.Tensor | None = None
        self._total, self._count = 0.0, 0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the scores, shape (1, vocabulary), as they are."""
        self._take(int(input_ids[0, -1]))
        self._last = torch.log_softmax(scores[0].float(), dim=-1)
        return scores

    def ended(self, new: Sequence[int]) -> float | None:
        """Return the mean logarithm of how likely a token was, in nats; None where none was written.

        Args:
            new: all tokens that were written.
        """
        if new and self._count == len(new) - 1:
            self._take(new[-1])
        return self._total / self._count if self._count and self._count == len(new) else None

    def _take(self, token: int) -> None:
        if self._last is not None:
            self._total += float(self._last[token])
            self._count += 1
            self._last = None


class TextCallback(TextStreamer):
    """Hands each finished piece of text to a function, and notes when the first token came."""

    def __init__(self, tokenizer: Any, on_text: Callable[[str], None] | None) -> None:
        super().__init__(tokenizer, skip_prompt=True, skip_special_tokens=True)
        self._on_text = on_text
        self._puts = 0
        self.first_token_at: float | None = None

    def put(self, value: Any) -> None:
        """Take the next token ids; the first call brings the prompt."""
        self._puts += 1
        if self._puts == 2:
            self.first_token_at = time.perf_counter()
        super().put(value)  # type: ignore[no-untyped-call]

    def on_finalized_text(self, text: str, stream_end: bool = False) -> None:
        """Hand a piece on; called when the text up to a word's end can no longer change."""
        if text and self._on_text is not None:
            self._on_text(text)
