"""What went wrong with a server, as one line for people, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import openai

from kernel.chat.remote.place import NO_KEY, Address
from retrieval.errors import BusyError, TekioError, UsageError

_TOO_LONG = re.compile(
    r"context.{0,3}(length|size|window)|maximum (context|model|input)|max_model_len|too (long|many tokens)"
    r"|exceed.{0,40}(context|tokens)|max_new_tokens.{0,40}must be",
    re.IGNORECASE,
)
_LONGEST_MESSAGE = 300
_MOST_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Fault:
    """A request that failed.

    Attributes:
        error: what the caller is told.
        again: whether the same request may be answered when it is sent again at once.
        broken: whether the server is at fault, and not the request.
        silent: whether it took the request and then said nothing.
    """

    error: TekioError
    again: bool = False
    broken: bool = False
    silent: bool = False


class SilentError(Exception):
    """The server took too long; `waited_for` says for what."""

    def __init__(self, waited_for: str, seconds: float) -> None:
        super().__init__(waited_for)
        self.waited_for = waited_for
        self.seconds = seconds


class NonsenseError(Exception):
    """What came is no answer in the protocol."""


class CutError(Exception):
    """The answer stopped coming before it had ended."""


def fault_of(error: Exception, name: str, address: Address, models: str = "") -> Fault:
    """Return what an error means that came up while a server was asked.

    Args:
        error: of the client's, or one of those above.
        name: the server, for the message.
        address: its key is kept out of the message.
        models: names of the models that the server has, where it does not have the one asked for.
    """
    if isinstance(error, TekioError):
        return Fault(error)
    if isinstance(error, openai.APIStatusError):
        return _refused(error, name, address, models)
    if isinstance(error, SilentError):
        line = f"{name} gave no {error.waited_for} within {error.seconds:g} s: ask again later, or raise `seconds`"
        return Fault(TekioError(line), broken=True, silent=True)
    if isinstance(error, CutError):
        return Fault(TekioError(f"{name} broke off {error}; ask again"), again=True, broken=True)
    if isinstance(error, openai.APITimeoutError):
        return Fault(TekioError(f"{name} did not take the connection in time"), again=True, broken=True)
    if isinstance(error, openai.APIConnectionError):
        line = f"{name} could not be reached ({_said(error.__cause__ or error, address)}): is it running?"
        return Fault(TekioError(line), again=True, broken=True)
    if isinstance(error, openai.APIError):  # an error in the place of a piece of the answer
        return _reported(error, name, address)
    return Fault(
        TekioError(
            f"{name} does not answer in the OpenAI protocol ({_said(error, address)}): check its address"
        ),
        broken=True,
    )


def _refused(error: openai.APIStatusError, name: str, address: Address, models: str) -> Fault:
    status, said = error.status_code, _said(error, address)
    if status == 429:
        seconds = retry_after(error.response.headers.get("retry-after"))
        line = f"{name} has too much to do: ask again in {seconds} s ({said})"
        return Fault(BusyError(line, retry_after=seconds))
    if status in (401, 403):  # what the server says may hold part of the key
        if not address.variable:
            line = f"{name} asks for a key: name the environment variable that holds it as `key`"
        else:
            line = (
                f"{name} does not take the key in the environment variable {address.variable} (HTTP {status})"
            )
        return Fault(UsageError(line))
    if status == 404:
        known = f"; it has {models}" if models else f" ({said})"
        return Fault(UsageError(f"{name} has no model '{address.model}'{known}"))
    if status < 400:
        return Fault(UsageError(f"{name} sends elsewhere (HTTP {status}): give the address it really has"))
    if status < 500 and status not in (408, 409, 425):
        return Fault(_wrong_request(said, name, status=f"HTTP {status}"))
    return Fault(TekioError(f"{name} failed (HTTP {status}): {said}"), again=True, broken=True)


def _reported(error: openai.APIError, name: str, address: Address) -> Fault:
    said = _said(error, address)
    if _TOO_LONG.search(said):
        return Fault(_wrong_request(said, name, status=""))
    return Fault(TekioError(f"{name} failed while it answered: {said}"), again=True, broken=True)


def _wrong_request(said: str, name: str, *, status: str) -> UsageError:
    if _TOO_LONG.search(said):
        return UsageError(
            f"the prompt with its answer does not fit the window of {name} ({said}): set `window` of the variant to "
            "what the server has, or ask with fewer passages"
        )
    return UsageError(f"{name} does not take the request ({status}): {said}")


def _said(error: BaseException, address: Address) -> str:
    """Return what an error says, as one line without the key."""
    body: Any = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    text = " ".join(str(message or error).split()) or type(error).__name__
    if address.key != NO_KEY:
        text = text.replace(address.key, "…")
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def retry_after(header: str | None, *, usual: int = 5) -> int:
    """Return the seconds that a Retry-After header gives, as a number or a date; 1 to 3,600."""
    if not header:
        return usual
    try:
        seconds = float(header)
    except ValueError:
        try:
            when = parsedate_to_datetime(header)
        except ValueError:
            return usual
        seconds = (when.astimezone(UTC) - datetime.now(UTC)).total_seconds()
    if seconds != seconds:  # no number
        return usual
    return int(min(max(seconds, 1), _MOST_SECONDS))
