"""`tekio serve` over a facade that answers slowly, or never: what is tested is how the process stops.

`SECONDS` says how long an answer takes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import ClassVar

from kernel import app
from kernel.answer import AnswerEvent, AskEvent, PassagesEvent, TokenEvent
from tests.ui.conftest import ScriptedTekio, make_answer
from ui.cli import main

SECONDS = float(os.environ["SECONDS"])


class Slow(ScriptedTekio):
    has_index = True
    opened = 0
    error = None
    asked: ClassVar[list[dict[str, object]]] = []

    async def _events(self, variant: str | None) -> AsyncGenerator[AskEvent, None]:
        answer = make_answer()
        yield PassagesEvent(passages=answer.passages, variant="base", technique="zero_shot")
        for word in "The warranty lasts twenty-four months and then it ends".split():
            yield TokenEvent(text=f"{word} ")
            await asyncio.sleep(SECONDS / 9)
        yield AnswerEvent(answer=answer)


if __name__ == "__main__":
    app.Tekio = Slow  # type: ignore[misc]
    main()
