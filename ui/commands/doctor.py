"""`doctor`: what works here and what to do about what does not."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.console import print_json, print_table, quiet_libraries
from ui.options import IndexOption, JsonFlag


def doctor(
    as_json: JsonFlag = False,
    fast: Annotated[bool, typer.Option("--fast", help="Import nothing heavy: no GPU and no counts.")] = False,
    index: IndexOption = None,
) -> None:
    """Check this installation; exit 1 when something must be mended."""
    quiet_libraries()
    from ui.checks import FAIL, run_checks

    rows = run_checks(index=index, fast=fast)
    if as_json:
        print_json({"ok": all(row.status != FAIL for row in rows), "checks": [row.as_dict() for row in rows]})
    else:
        print_table(
            ("check", "status", "what was found", "what to do"),
            [(row.check, row.status, row.found, row.advice) for row in rows],
        )
    if any(row.status == FAIL for row in rows):
        raise typer.Exit(1)
