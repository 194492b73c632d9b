"""`ingest`: the options, the work with its progress, the report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import TekioError, UsageError
from ui.console import print_json, say
from ui.ingest_progress import ingest_progress
from ui.ingest_report import print_report
from ui.opening import opened
from ui.options import IndexOption, JsonFlag, OwnerOption, ShareOption, chosen_access

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.report import IngestReport
    from kernel.app import Tekio

PathsArgument = Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")]
TagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tag", metavar="KEY=VALUE", help="Tag every document of this ingest; repeat it.", show_default=False
    ),
]
PruneOption = Annotated[
    bool | None,
    typer.Option(
        "--prune/--no-prune",
        help="Take out what is gone from the folders: done unless a folder is empty; --prune also then.",
        show_default=False,
    ),
]
OcrOption = Annotated[
    bool | None,
    typer.Option(
        "--ocr/--no-ocr", help="Read pages without text by tesseract, where installed.", show_default=False
    ),
]
PasswordOption = Annotated[
    list[str] | None,
    typer.Option(
        "--password",
        help="Password to try on encrypted files; repeat it. A command line can be seen by others: prefer the file.",
        show_default=False,
    ),
]
PasswordsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--passwords-file", metavar="FILE", help="Passwords to try, one a line.", show_default=False
    ),
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="Where files are read and embedded: local, or ray for a cluster.")
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", help="Of the Ray cluster; one is started here unless given.", show_default=False
    ),
]
WatchFlag = Annotated[bool, typer.Option("--watch", help="Go on: keep the index in step until Ctrl-C.")]


def ingest(
    paths: PathsArgument,
    tag: TagOption = None,
    prune: PruneOption = None,
    ocr: OcrOption = None,
    password: PasswordOption = None,
    passwords_file: PasswordsFileOption = None,
    owner: OwnerOption = None,
    share: ShareOption = None,
    watch: WatchFlag = False,
    engine: EngineOption = "local",
    address: AddressOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Bring the index in step with files and folders."""
    from retrieval.filter_text import parse_tags

    tags = parse_tags(tag or [])
    passwords = [*(password or []), *_passwords(passwords_file)]
    readers = chosen_access(owner, share)
    draw = sys.stderr.isatty() and not as_json

    def once(tekio: Tekio) -> IngestReport:
        with ingest_progress(draw=draw) as on_progress:
            return tekio.ingest(
                paths,
                tags=tags,
                prune=prune,
                passwords=passwords,
                ocr=ocr,
                engine=engine,
                address=address,
                access=readers,
                on_progress=on_progress,
            )

    with opened(index) as tekio:
        report = once(tekio)
        _show(report, as_json=as_json)
        if watch:
            _follow(tekio, paths, once, as_json=as_json)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _show(report: IngestReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_dict())
    else:
        print_report(report)


def _follow(tekio: Tekio, paths: list[Path], once: Callable[[Tekio], IngestReport], *, as_json: bool) -> None:
    """Ingest again after each change, until Ctrl-C. A round that fails is told, and the next one tries again."""
    from ingest.watch import changes

    say("watching for changes; Ctrl-C ends it")
    try:
        for _ in changes(paths):
            try:
                report = once(tekio)
            except TekioError as error:
                say(str(error))
                continue
            if report.added or report.updated or report.removed or report.failed:
                _show(report, as_json=as_json)
    except KeyboardInterrupt:
        say("stopped watching; the index is in step with the last change that was told")


def _passwords(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"the passwords file {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise UsageError(f"the passwords file {file} is not UTF-8: save it as UTF-8") from None
    found = [line for line in lines if line]
    if not found:
        raise UsageError(f"the passwords file {file} is empty: write one password a line")
    return found
