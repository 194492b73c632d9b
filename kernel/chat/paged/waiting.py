"""Requests that wait for their turn: a bounded line, fair between users."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from kernel.chat.paged.request import Request
from retrieval.errors import BusyError


class WaitingLine:
    """One line for each user; the next is of the user with the fewest requests at work, the longest waiting first."""

    def __init__(self, most: int) -> None:
        """Begin an empty line for at most so many."""
        self._most = most
        self._lines: dict[str, deque[Request]] = {}

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __iter__(self) -> Iterator[Request]:
        return (request for line in self._lines.values() for request in line)

    def check_room(self) -> None:
        """Check that another may wait.

        Raises:
            BusyError: the line is full.
        """
        if len(self) >= self._most:
            raise BusyError(
                f"{len(self)} questions are waiting for the language model already: ask again in a few seconds"
            )

    def add(self, request: Request) -> None:
        """Put a request at the end of its user's line.

        Raises:
            BusyError: the line is full.
        """
        self.check_room()
        self._lines.setdefault(request.user, deque()).append(request)

    def next(self, at_work: Mapping[str, int]) -> Request | None:
        """Return whose turn it is, and leave it in line; None where nobody waits."""
        lines = [line for line in self._lines.values() if line]
        if not lines:
            return None
        return min((line[0] for line in lines), key=lambda each: (at_work.get(each.user, 0), each.asked))

    def remove(self, requests: Iterable[Request]) -> None:
        """Take requests out."""
        for request in list(requests):
            line = self._lines[request.user]
            line.remove(request)
            if not line:
                del self._lines[request.user]
