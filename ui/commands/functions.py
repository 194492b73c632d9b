"""`functions`: what a model, or an MCP client, can call, and whether what is attached works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ui.console import print_json, print_table, print_text, say
from ui.opening import event_loop, opened
from ui.options import JsonFlag
from ui.plaintext import one_line

if TYPE_CHECKING:
    from kernel.functions.reports import AttachmentReport

PARTLY_FAILED = 3


def functions(as_json: JsonFlag = False) -> None:
    """List the functions that can be called, and try what is attached."""
    with opened() as tekio, event_loop() as loop:
        report = loop.call(tekio.functions())
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        rows = [
            (each.name, source, each.description)
            for source, several in (
                ("Tekio", report.own),
                *((one.kind, one.functions) for one in report.attached),
            )
            for each in several
        ]
        print_table(("function", "from", "what it does"), rows)
        for each in report.attached:
            print_text(_told(each))
        say(f"function calling is {report.calling}")
    if not report.works:
        raise typer.Exit(PARTLY_FAILED)


def _told(each: AttachmentReport) -> str:
    """Return how an attachment stands, a line for each thing to know."""
    where = f"{each.name} ({each.kind}, {each.where})"
    if not each.works:
        return f"{where}: does not work: {one_line(each.error)}"
    lines = [f"{where}: works, {each.ms:.0f} ms"]
    if each.missing:
        lines.append(f"   allowed, but not there: {', '.join(each.missing)}")
    lines += [f"   cannot be used: {name}: {one_line(why)}" for name, why in each.unusable.items()]
    unwritable = [one.name for one in each.functions if not one.callable_by_model]
    if unwritable:
        lines.append(f"   beyond what a model can be held to: {', '.join(unwritable)}")
    if each.not_allowed:
        lines.append(f"   there, but not in allow: {one_line(', '.join(each.not_allowed))}")
    return "\n".join(lines)
