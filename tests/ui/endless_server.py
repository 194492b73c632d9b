"""`tekio serve` over a facade whose answers never end: what is tested is what becomes of clients that do not read.

`/v1/variants` tells how many tokens were made so far, and how many answers were left.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import ClassVar

from kernel import app
from kernel.answer import AskEvent, PassagesEvent, TokenEvent
from tests.ui.conftest import ScriptedTekio, make_answer
from ui.cli import main

TOKEN = 2**16


class Endless(ScriptedTekio):
    has_index = True
    opened = 0
    error = None
    asked: ClassVar[list[dict[str, object]]] = []
    made = 0
    left = 0

    async def _events(self, variant: str | None) -> AsyncGenerator[AskEvent, None]:
        yield PassagesEvent(passages=make_answer().passages, variant="base", technique="zero_shot")
        try:
            while True:
                Endless.made += 1
                yield TokenEvent(text="x" * TOKEN)
                await asyncio.sleep(0)
        finally:
            Endless.left += 1

    def variants(self) -> list[str]:
        return ["base", f"made-{self.made}", f"left-{self.left}"]


if __name__ == "__main__":
    app.Tekio = Endless  # type: ignore[misc]
    main()
