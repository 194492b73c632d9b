"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from retrieval.access import EVERYONE, Access, Caller, access, caller
from retrieval.errors import UsageError

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="DIR",
        help="Folder or address of the index; .tekio/index unless set.",
        show_default=False,
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only passages for which it holds: language=ja, modified>=2024, document~hr/*, tag.ward=icu; repeat it.",
        show_default=False,
    ),
]
TopKOption = Annotated[
    int | None, typer.Option("--top-k", min=1, max=100, help="Passages to retrieve.", show_default=False)
]
NoCacheFlag = Annotated[
    bool, typer.Option("--no-cache", help="Answer anew, whatever is stored, and store nothing.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Decides all that is drawn by chance.")]
SplitOption = Annotated[
    str | None,
    typer.Option("--split", help="Of the judgements; test, else dev, unless given.", show_default=False),
]
OwnerOption = Annotated[
    str | None,
    typer.Option("--owner", metavar="USER", help="Whose the documents are.", show_default=False),
]
ShareOption = Annotated[
    list[str] | None,
    typer.Option(
        "--share",
        metavar="READER",
        help="Who else may read them: everyone, user:NAME or group:NAME; repeat it.",
        show_default=False,
    ),
]
AsOption = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help='Find only what this user may read; "" is somebody unknown.',
        show_default=False,
    ),
]
GroupOption = Annotated[
    list[str] | None,
    typer.Option("--group", help="With --as: a group that the user is in; repeat it.", show_default=False),
]


def chosen_access(owner: str | None, share: list[str] | None, *, required: bool = False) -> Access | None:
    """Return the access that options name; None where none of them is given.

    Raises:
        UsageError: a name is none, or none is given where one is required.
    """
    if owner is None and share is None:
        if required:
            raise UsageError("say who may read: --owner USER, --share everyone, user:NAME or group:NAME")
        return None
    return access(owner or "", share or ())


def shown_readers(access: Access) -> str:
    """Return everyone who may read a document, as people are told it."""
    return ", ".join("everyone" if name == EVERYONE else name for name in access.principals())


def chosen_caller(user: str | None, groups: list[str] | None) -> Caller | None:
    """Return the caller that options name; None, who owns the machine, where none is named."""
    if user is None and not groups:
        return None
    return caller(user, groups or ())
