"""`keys`: who may use the API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from retrieval.filter_text import parse_tags
from ui.console import print_json, print_table, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from kernel.api_keys import ApiKey
    from kernel.app import Tekio

keys_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Keys of the API; as soon as there is one, every request must show one.",
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="What the key is for, for people.")]
ScopeOption = Annotated[
    str,
    typer.Option(
        "--scope",
        metavar="read|write|admin",
        help="What it may do: read asks and searches; write also remembers, rates and uploads; admin everything.",
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="Whose rights it has; without one it finds everything."),
]
GroupOption = Annotated[
    list[str] | None, typer.Option("--group", help="With --user: a group that the user is in; repeat it.")
]
CollectionOption = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Bind it to a collection, whose documents alone it sees; repeat it."),
]
TagOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="KEY=VALUE",
        help="Bind it to the documents that have this tag; repeated with the same KEY, to those that have one of them.",
    ),
]
ExpiresOption = Annotated[
    int | None, typer.Option("--expires", metavar="DAYS", help="Days that it holds; for ever unless given.")
]
PerMinuteOption = Annotated[
    int, typer.Option("--per-minute", min=0, help="Requests a minute; 0 is as requests_per_minute says.")
]
KilobytesOption = Annotated[
    int, typer.Option("--max-kb", min=0, help="Kilobytes that a request may have; 0 is as for everyone.")
]


@keys_app.command("create")
def create(
    name: NameArgument,
    scope: ScopeOption = "read",
    user: UserOption = None,
    group: GroupOption = None,
    collection: CollectionOption = None,
    tag: TagOption = None,
    expires: ExpiresOption = None,
    per_minute: PerMinuteOption = 0,
    max_kb: KilobytesOption = 0,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Make a key and show it, this once. With --index it holds for that index alone."""
    bound = parse_tags([*(f"collection={name}" for name in collection or ()), *(tag or ())])
    with opened(index) as tekio:
        only = _identity(tekio) if index is not None else ""
        key, text = tekio.keys.create(
            name,
            scope,
            user=user or "",
            groups=group or (),
            index=only,
            days=expires,
            per_minute=per_minute,
            max_kb=max_kb,
            tags=bound,
        )
    if as_json:
        print_json({**_row(key), "key": text})
        return
    print_text(text)
    say(f"this is the key '{key.name}' ({key.scope}); it is not kept and cannot be shown again")


@keys_app.command("list")
def list_keys(as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """List the keys, without their secrets."""
    with opened(index) as tekio:
        rows = [_row(key) for key in tekio.keys.listed()]
    if as_json:
        print_json({"keys": rows})
        return
    names = ("id", "name", "scope", "state", "user", "groups", "tags", "created", "expires")
    print_table(names, [[_cell(row[name]) for name in names] for row in rows])


@keys_app.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id or the name of the key.")],
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Have a key hold no more, in every server within a second."""
    with opened(index) as tekio:
        gone = tekio.keys.revoke(key)
    if as_json:
        print_json(_row(gone))
    say(f"the key '{gone.name}' ({gone.id}) is revoked")


def _identity(tekio: Tekio) -> str:
    state = tekio.index_state()
    if state is None or not state[0]:
        raise UsageError(
            "the index that --index names must be there, and have been written to: run `ingest PATH`"
        )
    return state[0]


def _row(key: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key."""
    row = asdict(key) | {"state": key.state(datetime.now(UTC)), "groups": list(key.groups)}
    row["tags"] = [f"{name}={value}" for name, values in key.tags for value in values]
    del row["digest"]
    return row


def _cell(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
