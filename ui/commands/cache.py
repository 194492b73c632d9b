"""`cache`: the stored answers."""

from __future__ import annotations

import time
from dataclasses import asdict

import typer

from ui.console import print_json, print_text
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

cache_app = typer.Typer(
    rich_markup_mode=None, help="The stored answers: what there is, and `clear` to empty it."
)
_MIB = 1 << 20


@cache_app.callback(invoke_without_command=True)
def cache(context: typer.Context, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """The stored answers: what there is, and `clear` to empty it."""
    if context.invoked_subcommand is not None:
        return
    with opened(index) as tekio:
        state, is_on = tekio.stored_answers(), tekio.settings.stores_answers
    if as_json:
        print_json({"on": is_on, **asdict(state)})
        return
    oldest = "" if state.oldest is None else f", the oldest {(time.time() - state.oldest) / 3600:.1f} h old"
    print_text(
        f"{state.answers} answers, {state.refusals} of them refusals, from {state.documents} documents{oldest}; "
        f"{state.size / _MIB:.1f} of {state.most / _MIB:.0f} MiB in {state.file}"
    )
    if not is_on:
        print_text(
            "none are stored: answer_cache is off, or the index is in a server and `answers` names no folder"
        )


@cache_app.command("clear")
def clear(as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Take out all stored answers."""
    with opened(index) as tekio:
        count = tekio.forget_answers()
    if as_json:
        print_json({"removed": count})
        return
    print_text(f"{count} answers taken out")
