"""`index`: the index as a whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ui.console import print_json, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

_SAID_EACH = 100

index_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, help="The index as a whole.")


@index_app.callback()
def _index() -> None:
    """The index as a whole."""


@index_app.command("copy")
def copy(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="PLACE",
            help="A folder, postgresql://USER@HOST/DATABASE?schema=NAME or qdrant://HOST:PORT/NAME, without documents.",
        ),
    ],
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Copy the index to another place; nothing is read or embedded again."""
    from retrieval.stores.opening import is_address, shown

    def progress(done: int, total: int) -> None:
        if done % _SAID_EACH == 0 or done == total:
            say(f"{done} of {total} documents")

    with opened(index) as tekio:
        copied = tekio.copy_index(to, on_progress=progress)
        source = shown(tekio.settings.place)
    if as_json:
        print_json({"from": source, "to": shown(to), **asdict(copied)})
        return
    print_text(f"{copied.documents} documents, {copied.passages} passages copied to {shown(to)}")
    setting = f'store = "{shown(to)}"' if is_address(to) else f'index = "{to}"'
    say(f"to use it: {setting} in tekio.toml, or --index")
