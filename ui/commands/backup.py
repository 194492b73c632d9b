"""`backup` and `restore`: everything that belongs to an index, in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import print_json, print_text
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from kernel.backup.places import Counted

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="The file of the backup.")]


def backup(
    file: FileArgument,
    adapters: Annotated[
        bool, typer.Option("--adapters", help="Put in adapters, trained embedders and models of the lab too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Write the index, memories, keys, conversations, uploads and settings into one file, while servers go on."""
    with opened(index) as tekio:
        _told(tekio.back_up(file, adapters=adapters, force=force), file, "backed up to", as_json=as_json)


def restore(
    file: FileArgument,
    force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Put back what `tekio backup` wrote; servers of the index must be stopped."""
    with opened(index) as tekio:
        _told(tekio.restore(file, force=force), file, "restored from", as_json=as_json)


def _told(counted: Counted, file: Path, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"file": str(file), **asdict(counted)})
        return
    size = f"{counted.bytes / 1e6:,.1f} MB"
    documents = f"{counted.documents} document{'s' * (counted.documents != 1)}"
    print_text(f"{documents} with all that belongs to them {what} {file} ({size}, of {counted.made})")
