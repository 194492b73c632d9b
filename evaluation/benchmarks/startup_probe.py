"""One question in a process of its own, with what was waited for: see `evaluation.benchmarks.startup`.

Nothing of the project is imported before the clock says so.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
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

    from ui import cli  # noqa: F401 - what the command line imports before it knows what is asked
    from ui.opening import event_loop, opened

    lap("command line")
    with opened(Path(index)) as tekio, event_loop() as loop:
        lap("application")
        loop.call(tekio._started())
        lap("kernel, index")
        events = loop.iterate(lambda: tekio.ask_stream(question, variant=variant, cache=False, trace=True))
        first = 0.0
        for event in events:
            if event.type != "passages" and not first:
                first = 1000 * (time.time() - last)
            if event.type == "answer" and event.answer.trace is not None:
                found |= waited(event.answer.trace, first)
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
