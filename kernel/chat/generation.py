"""What is asked of a language model and what comes back, whichever engine computes it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from kernel.answer import FinishReason
from kernel.chat.repetition import repeated


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; temperature 0 is greedy. With a `grammar`, only those that keep within it."""

    max_new_tokens: int = 160
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None
    grammar: str | None = None

    def choice(self) -> dict[str, Any]:
        """Return how tokens are chosen, as transformers takes it."""
        if self.temperature <= 0:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {"do_sample": True, "temperature": self.temperature, "top_p": self.top_p, "top_k": None}


@dataclass(frozen=True, slots=True)
class Generation:
    """What was generated; `text` is without what a model repeats that goes round in circles. Times are in seconds.

    Attributes:
        text: of the answer.
        prompt_tokens: of the prompt.
        completion_tokens: that were written, those that are not kept among them.
        finish_reason: why it ended.
        seconds_to_first_token: from when it was asked for.
        seconds: in all.
        reused_tokens: of the prompt, whose states were kept from before.
        drafted_tokens: that were guessed ahead.
        accepted_tokens: of those, that the model itself would have written.
        log_probability: of all that was written with its end, by the model without the grammar that held it, in nats;
            None where no grammar did.
        mean_log_probability: of a token of all that was written with its end, by the model's own distribution, that of
            the mixture where one wrote, whatever the temperature, penalty or grammar; in nats. None where the engine
            does not tell it.
        left_out: members of a mixture, by their places, that gave no numbers.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    seconds_to_first_token: float
    seconds: float
    reused_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    log_probability: float | None = None
    left_out: tuple[int, ...] = ()
    mean_log_probability: float | None = None


class Generator(Protocol):
    """A language model behind an engine in this process or on this machine. Nothing of it blocks."""

    name: str

    def start(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        on_text: Callable[[str], None] | None = None,
        stop: threading.Event | None = None,
        user: str = "",
    ) -> Future[Generation]:
        """Begin to write the assistant's turn.

        Args:
            messages: `role` and `content` of each message.
            sampling: how tokens are chosen.
            adapter: as the engine names it; None is the base.
            on_text: is given each new piece of text, from a thread of the engine's.
            stop: when set, writing ends within one token, as `cancelled`.
            user: whose request it is, for fairness.
        """

    def start_drafts(
        self,
        messages: Sequence[Mapping[str, str]],
        sampling: Sampling,
        count: int,
        *,
        adapter: str | None = None,
        stop: threading.Event | None = None,
        user: str = "",
    ) -> Future[list[Generation]]:
        """Begin to write several turns over one reading of the prompt."""


def how_it_ended(
    new: Sequence[int], stop_ids: Sequence[int], stop: threading.Event | None
) -> tuple[FinishReason, int, int]:
    """Return why a generation ended, how many of its tokens are kept, and how many were written."""
    end = next((place for place, token in enumerate(new) if token in stop_ids), None)
    body = new[:end]
    if loop := repeated(body):
        return FinishReason.REPETITION, len(body) - loop, len(body)
    if end is not None:
        return FinishReason.STOP, end, end + 1
    reason = FinishReason.CANCELLED if stop is not None and stop.is_set() else FinishReason.LENGTH
    return reason, len(new), len(new)
