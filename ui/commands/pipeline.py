"""`pipeline`: what is done in steps, for one text or for many."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, say
from ui.opening import event_loop, opened
from ui.options import AsOption, GroupOption, IndexOption, JsonFlag, NoCacheFlag, chosen_caller
from ui.plaintext import one_line

if TYPE_CHECKING:
    from kernel.app import Tekio
    from kernel.pipelines.batch import Counts, Outcome
    from kernel.pipelines.events import PipelineEvent, PipelineResult
    from ui.bridge import Bridge

PARTLY_FAILED = 3
_SHOWN = 200

pipeline_app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Pipelines of the settings: translate, answer, summarise, classify, extract, in steps.",
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As `tekio pipeline list` names it.")]


@pipeline_app.command("list")
def list_(as_json: JsonFlag = False) -> None:
    """List the pipelines of the settings."""
    with opened() as tekio:
        views = tekio.pipelines()
    if as_json:
        print_json({"pipelines": [view.model_dump(mode="json", by_alias=True) for view in views]})
        return
    if not views:
        say("there are no pipelines: a table [pipelines.NAME] in tekio.toml makes one")
    print_table(
        ("pipeline", "steps", "gives", "a variant too", "what it is for"),
        [
            (
                view.name,
                " > ".join(step.name for step in view.steps),
                view.gives,
                "yes" if view.answers else "no",
                view.description,
            )
            for view in views
        ],
    )


@pipeline_app.command("show")
def show(name: NameArgument, as_json: JsonFlag = False) -> None:
    """Show the steps of a pipeline, in the order in which they run."""
    with opened() as tekio:
        view = tekio.pipeline(name)
    if as_json:
        print_json(view.model_dump(mode="json", by_alias=True))
        return
    print_table(
        ("step", "kind", "of", "by", "gives", "with"),
        [
            (
                step.name,
                step.kind,
                ", ".join(step.input),
                step.variant or str(step.parameters.get("model") or step.parameters.get("function") or ""),
                step.gives,
                "  ".join(f"{key}={value}" for key, value in step.parameters.items()),
            )
            for step in view.steps
        ],
    )


@pipeline_app.command("run")
def run(
    name: NameArgument,
    text: Annotated[
        str | None, typer.Option("--text", help="What it is given; - reads it.", show_default=False)
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="A file of text that it is given.", show_default=False)
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            "--batch",
            metavar="ROWS.jsonl",
            help="JSON lines, each with `text`: runs for each.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="RESULTS.jsonl",
            help="With --batch: where each row's outcome goes; rows that are done there are not run again.",
            show_default=False,
        ),
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=32, help="With --batch: rows at work at a time.")
    ] = 2,
    language: Annotated[
        str | None,
        typer.Option("--language", help="Of the text, en or ja; found out unless given.", show_default=False),
    ] = None,
    user: AsOption = None,
    group: GroupOption = None,
    no_cache: NoCacheFlag = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Run a pipeline. Ends with 3 where rows of a batch failed.

    Where a step fails, what the steps before it gave is printed all the same.
    """
    caller = chosen_caller(user, group)
    if sum(given is not None for given in (text, file, batch)) != 1:
        raise UsageError("give one of --text, --file or --batch")
    if (batch is None) != (out is None):
        raise UsageError("--batch and --out go together")
    how: dict[str, Any] = {"language": language, "caller": caller, "cache": False if no_cache else None}
    if batch is not None and out is not None:
        _run_batch(name, batch, out, at_once, as_json=as_json, index=index, how=how)
        return
    given = _read(text, file)
    with opened(index) as tekio, event_loop() as loop:
        _run_one(tekio, loop, name, given, as_json=as_json, how=how)


def _run_one(
    tekio: Tekio, loop: Bridge, name: str, given: str, *, as_json: bool, how: dict[str, Any]
) -> None:
    from kernel.pipelines.events import StepFailedError

    result: PipelineResult | None = None
    try:
        for event in loop.iterate(lambda: tekio.run_pipeline_stream(name, given, **how)):
            if event.type == "done":
                result = event.result
            else:
                _tell(event)
    except StepFailedError as error:
        if as_json:
            print_json(error.result.model_dump(mode="json"))
        else:
            _print_steps(error.result)
        raise
    assert result is not None
    if as_json:
        print_json(result.model_dump(mode="json"))
        return
    _print_steps(result)


def _tell(event: PipelineEvent) -> None:
    if event.type == "step":
        by = f" by {event.variant}" if event.variant else ""
        say(f"{event.name}: {event.kind}{by}")


def _print_steps(result: PipelineResult) -> None:
    """Print what each step gave, the last whole."""
    from ui.answer_text import print_answer

    for step in result.steps:
        if step.error:
            continue
        is_last = step is result.steps[-1] and not result.error
        print_text(f"{step.name} ({step.kind}, {step.ms / 1000:.1f} s)")
        if step.type == "answer" and is_last and result.answer is not None:
            print_answer(result.answer, draft=None)
            continue
        shown = step.output["answer"] if step.type == "answer" else step.output
        line = shown if isinstance(shown, str) else _json(shown)
        print_text("   " + (line.replace("\n", "\n   ") if is_last else _cut(line)))
        if step.scores:
            print_text("   " + "  ".join(f"{label} {score:.2f}" for label, score in step.scores.items()))
        for notice in step.notices:
            print_text(f"   ({one_line(notice)})")


def _run_batch(
    name: str, batch: Path, out: Path, at_once: int, *, as_json: bool, index: str | None, how: dict[str, Any]
) -> None:
    from kernel.pipelines.batch import Results, read_rows, run_batch

    rows = read_rows(batch)
    if out.resolve() == batch.resolve():
        raise UsageError("--batch and --out name one file: name another for the results")

    def told(counts: Counts, outcome: Outcome) -> None:
        reason = f": {outcome.error}" if outcome.error else ""
        say(
            f"{counts.kept + counts.done + counts.failed} of {counts.rows}: row {outcome.row} {outcome.outcome}{reason}"
        )

    with opened(index) as tekio, event_loop() as loop:
        results = Results(out, tekio.pipeline(name).model_dump_json())
        counts = loop.call(
            run_batch(
                rows,
                results,
                lambda text: tekio.run_pipeline(name, text, **how),
                at_once=at_once,
                on_row=told,
            )
        )
    figures = {"rows": counts.rows, "kept": counts.kept, "done": counts.done, "failed": counts.failed}
    if as_json:
        print_json({**figures, "results": str(out)})
    else:
        print_text(
            f"{counts.done} rows done, {counts.kept} done before, {counts.failed} failed; results in {out}"
        )
    if counts.failed:
        raise typer.Exit(PARTLY_FAILED)


def _read(text: str | None, file: Path | None) -> str:
    if file is None:
        assert text is not None
        return sys.stdin.read() if text == "-" else text
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: a pipeline takes plain text") from error


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=2)


def _cut(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
