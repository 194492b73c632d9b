"""One question in a process of its own, with what was waited for: see `evaluation.benchmarks.startup`.

Nothing of the project is imported before the clock says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kernel.answer import TraceStep


def main() -> int:
    """Ask as `tekio ask` does, and print the milliseconds of each step."""
    index, variant, question = sys.argv[1:4]
    found: dict[str, float] = {}
    last = float(os.environ["TEKIO_STARTED"])

    def lap(name: str) -> None:
        nonlocal last
        now = time.time()
        found[name], last = 1000 * (now - last), now

    lap("Python")
    from kernel.app import Tekio
    from kernel.settings import load_settings

    lap("application")
    tekio = Tekio(load_settings(index=index))

    async def ask() -> None:
        nonlocal found
        await tekio._started()
        lap("kernel, index")
        first = 0.0
        async for event in tekio.ask_stream(question, variant=variant, cache=False, trace=True):
            if event.type != "passages" and not first:
                first = 1000 * (time.time() - last)
            if event.type == "answer" and event.answer.trace is not None:
                found |= waited(event.answer.trace, first)

    with closing(tekio):
        asyncio.run(ask())
    print(json.dumps(found))
    return 0


def waited(trace: TraceStep, first: float) -> dict[str, float]:
    """Return what was waited for within a question, in milliseconds.

    Args:
        trace: its tree of steps.
        first: when the first token, or the answer, came, since the question was asked.
    """
    steps = {step.name: step for step in trace.steps}

    def ms(name: str) -> float:
        return steps[name].ms if name in steps else 0.0

    embed = sum(step.ms for step in steps["retrieve"].steps if step.name == "embed")
    named = {"embed": embed, "search": ms("retrieve") - embed, "read": ms("read"), "prompt": ms("budget")}
    before = min(first, steps["generate"].start_ms) if "generate" in steps else first
    return {**named, "rank": max(0.0, before - sum(named.values())), "first token": first - before}


if __name__ == "__main__":
    sys.exit(main())
