"""A bar that shows how far a training is, where somebody looks on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ui.console import console

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress


@contextmanager
def training_bar() -> Iterator[Callable[[Progress], None] | None]:
    """Give what draws the bar on standard error; None where that is no terminal, so that lines are written there."""
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
