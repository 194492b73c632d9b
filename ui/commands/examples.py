"""`examples`: the worked examples that prompts show, and `prompts`: the prompt functions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, say
from ui.opening import opened
from ui.options import AsOption, IndexOption, JsonFlag, chosen_caller
from ui.plaintext import one_line

if TYPE_CHECKING:
    from plugins.example_store import StoredExample

examples_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="The worked examples that prompts show: those near to the question are chosen.",
)
KeyArgument = Annotated[str, typer.Argument(metavar="ID", help="The example's id, or the beginning of it.")]
LanguageOption = Annotated[
    str | None,
    typer.Option("--language", help="en or ja; the question's own unless given.", show_default=False),
]
_SHOWN = 80


@examples_app.command("add")
def add(
    question: Annotated[
        str | None, typer.Option("--question", help="The question.", show_default=False)
    ] = None,
    passage: Annotated[
        list[str] | None,
        typer.Option("--passage", help="A passage that it is answered from; repeat it.", show_default=False),
    ] = None,
    answer: Annotated[
        str | None,
        typer.Option("--answer", help="The answer, which cites the passages, as in [1].", show_default=False),
    ] = None,
    reasoning: Annotated[
        str | None, typer.Option("--reasoning", help="The steps before the answer.", show_default=False)
    ] = None,
    language: LanguageOption = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="JSON: an object with question, passages, answer, reasoning and language, or a list of them; "
            "- reads standard input.",
            show_default=False,
        ),
    ] = None,
    from_answer: Annotated[
        str | None,
        typer.Option(
            "--from-answer",
            metavar="FILE",
            help="An answer that you approve: the JSON of `tekio ask --json`; - reads standard input.",
            show_default=False,
        ),
    ] = None,
    user: AsOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Add an example: from options, from a JSON file, or from an answer that you approve."""
    options = {"question": question, "passages": passage, "answer": answer, "reasoning": reasoning}
    given = {name: value for name, value in options.items() if value is not None}
    if bool(given) + (file is not None) + (from_answer is not None) != 1:
        raise UsageError("give --question, --passage and --answer, or --file FILE, or --from-answer FILE")
    caller = chosen_caller(user, None)
    with opened(index) as tekio:
        if from_answer is not None:
            from kernel.example_book import answer_of

            made = [tekio.examples.approve(answer_of(_read(from_answer)), caller=caller)]
        else:
            rows = _rows(_read(file)) if file is not None else [given]
            if language is not None:
                rows = [{**row, "language": language} for row in rows]
            made = [tekio.examples.add(row, caller=caller) for row in rows]
    if as_json:
        print_json({"examples": [{**stored.as_dict(), "new": new} for stored, new in made]})
        return
    for stored, new in made:
        print_text(f"{stored.id}  {'added' if new else 'replaced'}: {one_line(stored.example.question)}")


@examples_app.command("list")
def list_(
    language: LanguageOption = None,
    user: AsOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """List the examples."""
    with opened(index) as tekio:
        stored = tekio.examples.examples(language=language, caller=chosen_caller(user, None))
    if as_json:
        print_json({"examples": [item.as_dict() for item in stored]})
        return
    print_table(
        ("id", "language", "origin", "owner", "question", "answer"),
        [
            (
                item.id,
                item.language,
                item.origin,
                item.owner,
                _short(item.example.question),
                _short(item.example.answer),
            )
            for item in stored
        ],
    )


@examples_app.command("show")
def show(
    key: KeyArgument, user: AsOption = None, as_json: JsonFlag = False, index: IndexOption = None
) -> None:
    """Show one example whole."""
    with opened(index) as tekio:
        stored = tekio.examples.get(key, caller=chosen_caller(user, None))
    if as_json:
        print_json(stored.as_dict())
        return
    _print(stored)


@examples_app.command("delete")
def delete(
    key: KeyArgument, user: AsOption = None, as_json: JsonFlag = False, index: IndexOption = None
) -> None:
    """Delete an example; one that ships with Tekio is left out from then on."""
    with opened(index) as tekio:
        stored = tekio.examples.delete(key, caller=chosen_caller(user, None))
    if as_json:
        print_json({"deleted": stored.id})
        return
    say(f"deleted {stored.id}: {one_line(stored.example.question)}")


def prompts(as_json: JsonFlag = False) -> None:
    """List the prompt functions, those of your own folders among them, and what is wrong of each."""
    from dataclasses import asdict

    with opened() as tekio:
        states = tekio.prompts()
    if as_json:
        print_json({"prompts": [{**asdict(state), "answers": state.answers} for state in states]})
        return
    print_table(
        ("name", "folder", "languages", "use", "state", "description"),
        [
            (
                state.name,
                state.folder or "ships with Tekio",
                " ".join(state.languages),
                f"ask --technique {state.name}" if state.answers else "",
                state.problem or "ok",
                state.description,
            )
            for state in states
        ],
    )
    broken = sum(bool(state.problem) for state in states)
    if broken:
        say(f"{broken} cannot be used")


def _print(stored: StoredExample) -> None:
    example = stored.example
    owner = f" · {stored.owner}" if stored.owner else ""
    print_text(f"{stored.id} · {stored.language} · {stored.origin}{owner}")
    for number, passage in enumerate(example.passages, start=1):
        print_text(f"[{number}] {passage}")
    print_text(f"Question: {example.question}")
    if example.reasoning:
        print_text(f"Steps: {example.reasoning}")
    print_text(f"Answer: {example.answer}")


def _rows(text: bytes) -> list[dict[str, Any]]:
    try:
        held = json.loads(text.decode("utf-8-sig"))
    except ValueError as error:
        raise UsageError(f"the file is not valid JSON: {error}") from error
    rows = held if isinstance(held, list) else [held]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise UsageError(
            "the file must hold a JSON object, or a list of objects, with the fields of an example"
        )
    return rows


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
