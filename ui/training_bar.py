"""A bar that shows how far a training is, where somebody looks on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ui.console import console

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress


PROGRESS = "TEKIO_PROGRESS"
"""With this variable set to `json`, as for jobs, how far it is are JSON lines on standard error."""


@contextmanager
def training_bar() -> Iterator[Callable[[Progress], None] | None]:
    """Give what draws the bar on standard error; None where that is no terminal, so that lines are written there."""
    if os.environ.get(PROGRESS) == "json":
        yield _tell
        return
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    bars = Bars(BarColumn(), TextColumn("{task.description}"), console=console(stderr=True), transient=True)
    with bars:
        task = bars.add_task("the base is loaded", total=None)

        def show(progress: Progress) -> None:
            bars.update(task, completed=progress.step, total=progress.steps, description=str(progress))

        yield show


def _tell(progress: Progress) -> None:
    figures = {
        "done": progress.step,
        "total": progress.steps,
        "message": str(progress),
        "loss": progress.loss,
        "held_out": progress.held_out,
        "reward": progress.reward,
        "seconds_left": round(progress.seconds_left, 1),
    }
    print(json.dumps({"progress": figures}), file=sys.stderr, flush=True)
