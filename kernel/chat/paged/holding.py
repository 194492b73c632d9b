"""The blocks that requests hold: those that their prompts begin with, found again, and new ones for the rest."""

from __future__ import annotations

from kernel.chat.paged.blocks import BlockPool
from kernel.chat.paged.request import Reader, Request
from kernel.chat.paged.step import BLOCK


class Holding:
    """Holds blocks for all readers of a request, or for none."""

    def __init__(self, pool: BlockPool) -> None:
        self._pool = pool

    def needed(self, request: Request) -> int:
        """Return how many blocks a request can need."""
        return len(request.readers) * self._pool.needed(request.longest)

    def hold(self, request: Request) -> bool:
        """Hold all blocks that a request can need; tell whether there are as many."""
        for reader in request.readers:
            if not self._hold_for(reader, request):
                self.let_go(request)
                return False
        return True

    def let_go(self, request: Request) -> None:
        """Hold nothing of a request any more."""
        for reader in request.readers:
            self._pool.release(reader.blocks)
            reader.blocks = []

    def note_read(self, reader: Reader, request: Request) -> None:
        """Make the prompt's blocks known that are full now; those of an answer are not quite what reading it gives."""
        full = min(reader.computed, request.prompt) // BLOCK
        for number in range(reader.named, full):
            self._pool.name(reader.blocks[number], reader.names[number])
        reader.named = max(reader.named, full)

    def _hold_for(self, reader: Reader, request: Request) -> bool:
        """Hold the blocks of one reader, those first that hold its beginning; tell whether there are as many."""
        if not reader.names:  # kept where it has to wait for room
            reader.names = self._pool.names(request.ids, _key(reader))
        # Two tokens at least are read: one alone would attend as an answer's do, see `Row`.
        found = self._pool.find(reader.names[: max(0, request.prompt - 2) // BLOCK])
        fresh = self._pool.take(self._pool.needed(request.longest) - len(found))
        if fresh is None:
            self._pool.release(found)
            return False
        reader.blocks = [*found, *fresh]
        reader.named = len(found)
        reader.computed = reader.reused = len(found) * BLOCK
        return True


def _key(reader: Reader) -> str:
    """Return what tells apart who reads a text."""
    return "" if reader.adapter is None else f"adapter {reader.adapter}"
