"""The tree of steps as an answer shows it."""

from __future__ import annotations

from kernel.answer import TraceStep
from retrieval.stages import Step


def trace_of(root: Step, within: Step | None = None) -> TraceStep:
    """Return a tree of steps as an answer shows it."""
    step = within or root
    notes = {name: list(value) if isinstance(value, tuple) else value for name, value in step.notes.items()}
    return TraceStep(
        name=step.name,
        start_ms=round(1000 * (step.started - root.started), 2),
        ms=round(1000 * step.seconds, 2),
        notes=notes,
        error=step.error,
        prompt=step.content.get("prompt") or None,
        steps=[trace_of(root, each) for each in list(step.within)],
    )
