"""`memory`: what is remembered for a user, listed and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag, chosen_caller
from ui.plaintext import one_line

if TYPE_CHECKING:
    from kernel.app import Tekio
    from plugins.memory.records import Memory
    from retrieval.access import Caller

_SHOWN = 8
"""Characters of an id that a table shows; the beginning of an id names it where it is the only one."""

memory_app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="What is remembered, of facts and of answers."
)

UserOption = Annotated[
    str | None,
    typer.Option("--user", metavar="USER", help="Whose memory; that of who owns the machine unless given."),
]
ConversationOption = Annotated[
    str | None, typer.Option("--conversation", metavar="NAME", help="What is kept for it alone.")
]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="DATE", help="When to forget it, as 2027-01-31.")
]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it.")]
IdsArgument = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or their beginnings.")]


@memory_app.command("list")
def list_memories(
    conversation: ConversationOption = None,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """List what is remembered, the newest first."""
    caller = chosen_caller(user, None)
    with opened(index) as tekio:
        rows = tekio.memory.listed(caller, conversation=conversation)
        conversations = tekio.memory.conversations(caller=caller)
        _print(tekio, rows, caller, as_json=as_json, more={"conversations": conversations})
    if not as_json:
        say(f"{len(rows)} remembered")
        if conversations:
            say("conversations: " + ", ".join(f"{name} ({turns})" for name, turns in conversations.items()))


@memory_app.command("add")
def add(
    text: Annotated[str, typer.Argument(help="The fact, or with --answer the question.")],
    answer: Annotated[str, typer.Option("--answer", help="The answer to remember with a question.")] = "",
    conversation: ConversationOption = None,
    expires: ExpiresOption = None,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Remember a fact, or a question with its answer."""
    caller = chosen_caller(user, None)
    with opened(index) as tekio:
        made = tekio.memory.add(
            text, answer=answer, conversation=conversation or "", expires=expires or "", caller=caller
        )
        _print(tekio, [made], caller, as_json=as_json)


@memory_app.command("edit")
def edit(
    memory_id: IdArgument,
    text: Annotated[str | None, typer.Option("--text", help="The fact or question.")] = None,
    answer: Annotated[str | None, typer.Option("--answer", help="The answer.")] = None,
    expires: ExpiresOption = None,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Change what is remembered; another text is no longer confirmed."""
    caller = chosen_caller(user, None)
    if text is None and answer is None and expires is None:
        raise UsageError("say what to change: --text, --answer or --expires")
    with opened(index) as tekio:
        held = tekio.memory.find(memory_id, caller=caller)
        changed = tekio.memory.edit(held.id, text=text, answer=answer, expires=expires, caller=caller)
        _print(tekio, [changed], caller, as_json=as_json)


@memory_app.command("confirm")
def confirm(
    memory_id: IdArgument, user: UserOption = None, as_json: JsonFlag = False, index: IndexOption = None
) -> None:
    """Note that what is remembered is right."""
    caller = chosen_caller(user, None)
    with opened(index) as tekio:
        held = tekio.memory.find(memory_id, caller=caller)
        _print(tekio, [tekio.memory.confirm(held.id, caller=caller)], caller, as_json=as_json)


@memory_app.command("expire")
def expire(
    ids: IdsArgument = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="When to forget them, as 2027-01-31.")
    ] = None,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Set when memories end; without ids, delete those whose time is over."""
    caller = chosen_caller(user, None)
    if bool(ids) != (on is not None):
        raise UsageError("name memories and --on DATE, or neither, which deletes those whose time is over")
    with opened(index) as tekio:
        if not ids:
            _told(tekio.memory.purge(caller=caller), as_json=as_json)
            return
        held = [tekio.memory.find(each, caller=caller) for each in ids]
        changed = [tekio.memory.edit(each.id, expires=on, caller=caller) for each in held]
        _print(tekio, changed, caller, as_json=as_json)


@memory_app.command("delete")
def delete(
    ids: IdsArgument = None,
    conversation: Annotated[
        str | None,
        typer.Option("--conversation", metavar="NAME", help="A conversation, with what is kept for it."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is remembered.")] = False,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Delete what is remembered."""
    caller = chosen_caller(user, None)
    if sum((bool(ids), bool(conversation), everything)) != 1:
        raise UsageError("say what to delete: ids, --conversation NAME, or --all")
    with opened(index) as tekio:
        if ids:
            held = [tekio.memory.find(each, caller=caller).id for each in ids]
            deleted = tekio.memory.delete(held, caller=caller)
        else:
            deleted = tekio.memory.forget(conversation=conversation, caller=caller)
        _told(deleted, as_json=as_json)


@memory_app.command("feedback")
def feedback(
    everybody: Annotated[bool, typer.Option("--everybody", help="What all users said.")] = False,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Questions with a chosen and a rejected answer.")
    ] = False,
    user: UserOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """List what was said of answers, and the answers that it approves and rejects."""
    caller = chosen_caller(user, None)
    from kernel.memories import feedback_row
    from plugins.memory.feedback import preference_pairs

    with opened(index) as tekio:
        held = tekio.memory.feedback(caller=caller, everybody=everybody)
    rows = [feedback_row(row) for row in held]
    chosen = [
        {"question": question, "chosen": good, "rejected": bad}
        for question, good, bad in preference_pairs(held)
    ]
    if as_json:
        print_json({"feedback": rows, "pairs": chosen})
    elif pairs:
        print_table(("question", "chosen", "rejected"), [tuple(row.values()) for row in chosen])
    else:
        print_table(
            ("at", "user", "rating", "question", "approved", "rejected", "comment"),
            [
                tuple(
                    one_line(str(row[name] or ""))
                    for name in ("at", "user", "rating", "question", "approved", "rejected", "comment")
                )
                for row in rows
            ],
        )


def _told(deleted: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"deleted": deleted})
    else:
        print_text(f"{deleted} deleted")


def _print(
    tekio: Tekio,
    rows: list[Memory],
    caller: Caller | None,
    *,
    as_json: bool,
    more: dict[str, object] | None = None,
) -> None:
    from ui.memory_views import memory_rows, view_memories

    views = view_memories(tekio.memory, rows, caller)
    if as_json:
        print_json({"memories": memory_rows(views), **(more or {})})
        return
    print_table(
        ("id", "kind", "text", "answer", "conversation", "confirmed", "expires", "created", "stale"),
        [
            (
                view.id[:_SHOWN],
                view.kind,
                one_line(view.text),
                one_line(view.answer),
                view.conversation,
                str(view.confirmed),
                view.expires,
                view.created,
                "stale" if view.stale else "",
            )
            for view in views
        ],
    )
