"""The steps of a question as a tree on standard error, with their times and the prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ui.console import console
from ui.plaintext import one_line, plain

if TYPE_CHECKING:
    from kernel.answer import TraceStep

_WIDTH = 34


def say_trace(step: TraceStep) -> None:
    """Print a tree of steps, and behind it each prompt that a model was given."""
    lines = [*tree_lines(step), *prompt_lines(step)]
    console(stderr=True).print("\n" + "\n".join(lines))


def tree_lines(step: TraceStep, before: str = "", mark: str = "") -> Iterator[str]:
    """Yield a line for each step: its name, its milliseconds and what was noted of it."""
    notes = "  ".join(f"{name}={_shown(value)}" for name, value in step.notes.items())
    failed = f"  failed: {step.error}" if step.error else ""
    name = f"{before}{mark}{step.name}"
    yield f"{name:<{_WIDTH}} {step.ms:>9.1f} ms  {notes}{failed}".rstrip()
    below = before + {"": "", "├─ ": "│  ", "└─ ": "   "}[mark]
    for place, each in enumerate(step.steps, start=1):
        yield from tree_lines(each, below, "└─ " if place == len(step.steps) else "├─ ")


def prompt_lines(step: TraceStep) -> Iterator[str]:
    """Yield the prompts that models were given, message by message."""
    for message in step.prompt or ():
        yield f"\n--- {one_line(message.get('role', ''))} ---\n{plain(message.get('content', ''))}"
    for each in step.steps:
        yield from prompt_lines(each)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return one_line(", ".join(map(str, value)) if isinstance(value, list) else str(value))
