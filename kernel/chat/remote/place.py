"""Where a remote model is asked: its address, its name there, its key, and how long is waited for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from retrieval.errors import UsageError

NO_KEY = "none"
"""What is sent as key where there is none: the client would take that of another server from the environment."""


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How long is waited, in seconds.

    Attributes:
        whole: for an answer, retries included.
        connect: for a connection.
        first: for the first piece of an answer; the prompt is read meanwhile.
        between: from one piece to the next.
    """

    whole: float
    connect: float
    first: float
    between: float

    @classmethod
    def of(cls, whole: float) -> TimeLimits:
        """Return the limits of a request that may take some seconds in all."""
        return cls(whole, min(5.0, whole), whole / 2, min(30.0, whole / 4))


@dataclass(frozen=True, slots=True)
class Address:
    """A server that is ready to be asked.

    Attributes:
        url: where its protocol begins.
        model: name of the model there.
        key: what it is asked with; stays out of every message.
        variable: the environment variable that holds the key, for messages.
        extra: what is sent beside what the protocol has.
        penalty: what the server calls a repetition penalty, which the protocol does not have.
    """

    url: str
    model: str
    key: str = field(default=NO_KEY, repr=False)
    variable: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    penalty: str = "repetition_penalty"

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine, where no proxy stands between."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")


class Place(Protocol):
    """Gives the address of a server, which it may have to start first."""

    @property
    def name(self) -> str:
        """The server, as people know it."""

    def ready(self) -> Address:
        """Return where to ask. Blocks.

        Raises:
            TekioError: there is nothing to ask.
        """

    def hung(self) -> None:
        """Note that the server took a request and went silent. Blocks."""


@dataclass(frozen=True, slots=True)
class FixedPlace:
    """A server that somebody else runs.

    Attributes:
        variant: name of the variant, for messages.
        url: see `Address`.
        model: see `Address`.
        variable: the environment variable that holds the key; empty: there is no key.
    """

    variant: str
    url: str
    model: str
    variable: str = ""

    @property
    def name(self) -> str:
        """The server, as people know it."""
        return self.url

    def ready(self) -> Address:
        """Return where to ask.

        Raises:
            UsageError: the environment has no key.
        """
        key = os.environ.get(self.variable, "").strip() if self.variable else NO_KEY
        if not key:
            raise UsageError(
                f"the variant '{self.variant}' takes its key from the environment variable {self.variable}, "
                "which is not set"
            )
        if not key.isascii() or not key.isprintable():
            raise UsageError(f"what the environment variable {self.variable} holds can be no key")
        return Address(self.url, self.model, key, self.variable)

    def hung(self) -> None:
        """Do nothing: it is somebody else's."""
