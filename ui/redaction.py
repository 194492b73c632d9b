"""What must not stand in a log: secrets never, what tells of persons where the setting says so."""

from __future__ import annotations

import re
from collections.abc import Collection

from retrieval.personal import EMAIL, PHONE

# Keys of Tekio's, JSON web tokens, and whatever stands behind `Bearer`.
# Nothing here looks at a text again from each of its places: who is not even let in may send lines of 64 kB.
_SECRET = re.compile(
    r"tekio_[0-9a-f]{8}_[A-Za-z0-9_-]+|\beyJ[\w-]{1,4000}+\.[\w-]++\.[\w-]*+|(?<=[Bb]earer )[^\s'\",;)\]}]+"
)
_NUMBER = re.compile(r"\d(?:[,.]?\d){3,}")
_SHORTEST = 8


class Redaction:
    """Takes out of lines of a log what must not stand there."""

    def __init__(self, secrets: Collection[str] = (), *, personal: bool = False) -> None:
        """Say what to take out.

        Args:
            secrets: texts that are known to be secret, as the passwords of engines; short ones are passed over.
            personal: whether e-mail addresses, telephone numbers and other numbers of four digits and more go too.
        """
        known = sorted((text for text in secrets if len(text) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        self._personal = personal

    def __call__(self, text: str) -> str:
        """Return a text without it."""
        text = self.without_secrets(text)
        return without_persons(text) if self._personal else text

    def without_secrets(self, text: str) -> str:
        """Return a text without what is secret, whatever it tells of persons."""
        text = _SECRET.sub("***", text)
        return text if self._known is None else self._known.sub("***", text)


def without_persons(text: str) -> str:
    """Return a text without e-mail addresses, telephone numbers, and other numbers of four digits and more."""
    text = EMAIL.sub("[e-mail]", text)
    text = PHONE.sub("[phone]", text)
    return _NUMBER.sub("[number]", text)
