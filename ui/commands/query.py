"""`ask`, `search` and `documents`: questions to an index that is there."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import TekioError
from ui.answer_text import print_answer
from ui.console import print_json, print_table, print_text, say
from ui.opening import event_loop, opened
from ui.options import (
    AsOption,
    GroupOption,
    IndexOption,
    JsonFlag,
    TopKOption,
    WhereOption,
    chosen_caller,
    shown_readers,
)
from ui.plaintext import one_line, plain_piece

if TYPE_CHECKING:
    from collections.abc import Generator

    from kernel.answer import Answer, AskEvent

QuestionArgument = Annotated[str, typer.Argument(help="The question; - reads it from standard input.")]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant", help="Who answers: base, extractive, or an adapter's name.", show_default=False
    ),
]
TechniqueOption = Annotated[
    str | None,
    typer.Option(
        "--technique",
        help="How the prompt is built: zero_shot, one_shot, few_shot, chain_of_thought, hybrid.",
        show_default=False,
    ),
]
LanguageOption = Annotated[
    str | None,
    typer.Option(
        "--language",
        help="Language of the answer, en or ja; the question's own unless given.",
        show_default=False,
    ),
]


ModeOption = Annotated[
    str, typer.Option("--mode", help="By meaning and by words (hybrid), or by one: dense, keyword.")
]
DiversityOption = Annotated[
    float | None,
    typer.Option(
        "--diversity",
        min=0.0,
        max=1.0,
        help="How much passages unlike each other are preferred, 0 to 1.",
        show_default=False,
    ),
]
MergeFlag = Annotated[
    bool | None,
    typer.Option("--merge/--no-merge", help="Make one passage of neighbours.", show_default=False),
]
ParentFlag = Annotated[
    bool | None,
    typer.Option(
        "--parent/--no-parent",
        help="Show passages with what stands around them in their section.",
        show_default=False,
    ),
]
MultiOption = Annotated[
    str | None,
    typer.Option(
        "--multi",
        help="Search for the parts of a question of several as well: off, found by rules, or by the model.",
        show_default=False,
    ),
]
FunctionsFlag = Annotated[
    bool | None,
    typer.Option(
        "--functions/--no-functions",
        help="Let the model call functions, or not; else as function_calling says.",
        show_default=False,
    ),
]
ExplainFlag = Annotated[
    bool,
    typer.Option("--explain", help="Show each leg's rank, score and weight, and what the parts found."),
]


def ask(
    question: QuestionArgument,
    variant: VariantOption = None,
    technique: TechniqueOption = None,
    top_k: TopKOption = None,
    language: LanguageOption = None,
    where: WhereOption = None,
    multi: MultiOption = None,
    functions: FunctionsFlag = None,
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Answer a question from the documents, with checked citations."""
    text, caller = _text_or_stdin(question), chosen_caller(user, group)
    live = sys.stdout.isatty() and not as_json
    with opened(index) as tekio, event_loop() as loop:
        answer, draft = _listen(
            loop.iterate(
                lambda: tekio.ask_stream(
                    text,
                    variant=variant,
                    technique=technique,
                    top_k=top_k,
                    language=language,
                    where=where or (),
                    multi_query=multi,
                    functions=functions,
                    caller=caller,
                )
            ),
            live=live,
        )
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        print_answer(answer, draft=draft if live else None)


def search(
    query: QuestionArgument,
    top_k: TopKOption = None,
    where: WhereOption = None,
    mode: ModeOption = "hybrid",
    explain: ExplainFlag = False,
    diversity: DiversityOption = None,
    merge: MergeFlag = None,
    parent: ParentFlag = None,
    multi: MultiOption = None,
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Find the passages nearest to a query."""
    text, caller = _text_or_stdin(query), chosen_caller(user, group)
    from ui.views import view_passage

    with opened(index) as tekio, event_loop() as loop:
        found = loop.call(
            tekio.search(
                text,
                top_k=top_k,
                where=where or (),
                mode=mode,
                diversity=diversity,
                merge=merge,
                parent=parent,
                multi_query=multi,
                caller=caller,
            )
        )
        passages = [view_passage(passage, explain=explain) for passage in found]
    if as_json:
        left_out = None if explain else {"legs", "parts"}
        rows = [passage.model_dump(exclude=left_out) for passage in passages]
        print_json({"query": text, "passages": rows})
        return
    if not passages:
        say("no passage was found; `tekio documents` shows what is in the index")
    for passage in passages:
        page = f", p. {passage.page}" if passage.page is not None else ""
        print_text(f"{passage.rank}. {one_line(passage.document)}{page}  (score {passage.score:.3f})")
        for name, leg in (passage.legs or {}).items():
            print_text(f"   {name:<8} rank {leg.rank:>3}  score {leg.score:8.3f}  weight {leg.weight:.2f}")
        for part, rank in (passage.parts or {}).items():
            print_text(f"   part     rank {rank:>3}  {one_line(part)}")
        if passage.headings:
            print_text("   " + one_line(" > ".join(passage.headings)))
        if passage.also_in:
            print_text("   also in " + one_line(", ".join(passage.also_in)))
        print_text("   " + passage.text.strip().replace("\n", "\n   ") + "\n")


def documents(
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """List the documents in the index."""
    caller = chosen_caller(user, group)
    from retrieval.stores.opening import shown

    with opened(index) as tekio:
        rows = tekio.documents(caller=caller)
        folder = shown(tekio.settings.place)
    if as_json:
        from dataclasses import asdict

        counts = {"documents": len(rows), "chunks": sum(row.chunks for row in rows)}
        print_json({"index": folder, "counts": counts, "documents": [asdict(row) for row in rows]})
        return
    print_table(
        ("document", "title", "format", "language", "pages", "chunks", "readers", "outcome", "ingested at"),
        [
            (
                row.document,
                row.title,
                row.format,
                row.language or "",
                "" if row.pages is None else str(row.pages),
                str(row.chunks),
                shown_readers(row.access),
                row.outcome,
                row.ingested_at,
            )
            for row in rows
        ],
    )
    say(f"{len(rows)} documents, {sum(row.chunks for row in rows)} chunks in {folder}")


def _text_or_stdin(text: str) -> str:
    if text != "-":
        return text
    # Bytes, because standard input's own encoding follows the locale.
    return sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").strip()


def _listen(stream: Generator[AskEvent, None, None], *, live: bool) -> tuple[Answer, str]:
    """Follow an answer to its end, showing the draft as it comes; return the answer and the draft."""
    draft: list[str] = []
    answer: Answer | None = None
    with closing(stream) as events:  # so that Ctrl-C stops the model too
        for event in events:
            if event.type == "token":
                piece = plain_piece(event.text)
                draft.append(piece)
                if live:
                    print(piece, end="", flush=True)
            elif event.type == "answer":
                answer = event.answer
    if live and draft:
        print()
    if answer is None:
        raise TekioError("the answer ended before it was complete; ask again")
    return answer, "".join(draft)
