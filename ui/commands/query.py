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
    NoCacheFlag,
    TopKOption,
    WhereOption,
    chosen_caller,
    shown_readers,
)
from ui.plaintext import one_line, plain_piece
from ui.trace_text import say_trace

if TYPE_CHECKING:
    from collections.abc import Generator

    from kernel.answer import Answer, AskEvent, TraceStep

QuestionArgument = Annotated[str, typer.Argument(help="The question; - reads it from standard input.")]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant",
        help="Who answers: base, extractive, an adapter's name, or one of those that the settings make "
        "(`tekio models`).",
        show_default=False,
    ),
]
TechniqueOption = Annotated[
    str | None,
    typer.Option(
        "--technique",
        help="How the prompt is built: zero_shot, one_shot, few_shot, chain_of_thought, hybrid, or a folder of "
        "your own (`tekio prompts`).",
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
StrictFlag = Annotated[
    bool | None,
    typer.Option(
        "--strict/--no-strict",
        help="Leave out sentences that no passage supports, rather than mark them.",
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
ConversationOption = Annotated[
    str | None,
    typer.Option(
        "--conversation",
        metavar="NAME",
        help="Go on with a conversation of this name, and keep the turn.",
        show_default=False,
    ),
]
FollowUpsOption = Annotated[
    str | None,
    typer.Option(
        "--follow-ups",
        help="How a question that leans on those before it is made to stand alone: off, rules or model.",
        show_default=False,
    ),
]
MemoryFlag = Annotated[
    bool, typer.Option("--memory/--no-memory", help="Recall what is remembered of the question.")
]
SamplesOption = Annotated[
    int | None,
    typer.Option(
        "--samples",
        min=1,
        max=10,
        help="Drafts to write and to vote on, for chain_of_thought and hybrid.",
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


TraceFlag = Annotated[
    bool, typer.Option("--trace", help="Show the steps with their times, and the prompt, on standard error.")
]
MembersFlag = Annotated[
    bool,
    typer.Option(
        "--members", help="Show how a composed answer was found: members, weights and votes, or steps."
    ),
]
NewTokensOption = Annotated[
    int | None,
    typer.Option("--max-new-tokens", min=1, help="Longest answer, in tokens.", show_default=False),
]
PromptTokensOption = Annotated[
    int | None,
    typer.Option("--max-prompt-tokens", min=1, help="Longest prompt, in tokens.", show_default=False),
]


def ask(
    question: QuestionArgument,
    variant: VariantOption = None,
    technique: TechniqueOption = None,
    top_k: TopKOption = None,
    language: LanguageOption = None,
    where: WhereOption = None,
    multi: MultiOption = None,
    strict: StrictFlag = None,
    conversation: ConversationOption = None,
    follow_ups: FollowUpsOption = None,
    memory: MemoryFlag = True,
    samples: SamplesOption = None,
    functions: FunctionsFlag = None,
    user: AsOption = None,
    group: GroupOption = None,
    max_new_tokens: NewTokensOption = None,
    max_prompt_tokens: PromptTokensOption = None,
    no_cache: NoCacheFlag = False,
    members: MembersFlag = False,
    trace: TraceFlag = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Answer a question from the documents, with checked citations."""
    text, caller = _text_or_stdin(question), chosen_caller(user, group)
    live = sys.stdout.isatty() and not as_json
    with opened(index) as tekio, event_loop() as loop:
        turns = tekio.memory.turns(conversation, caller=caller) if conversation else []
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
                    strict=strict,
                    history=[(turn.question, turn.answer, turn.asked) for turn in turns],
                    conversation=conversation or "",
                    follow_ups=follow_ups,
                    memory=memory,
                    samples=samples,
                    functions=functions,
                    caller=caller,
                    max_new_tokens=max_new_tokens,
                    max_prompt_tokens=max_prompt_tokens,
                    cache=False if no_cache else None,
                    trace=trace,
                )
            ),
            live=live,
        )
        if conversation:
            tekio.conversations.keep(conversation, answer, caller=caller)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    print_answer(answer, draft=draft if live else None, members=members)
    if answer.trace is not None:
        say_trace(answer.trace)


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
    trace: TraceFlag = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Find the passages nearest to a query."""
    text, caller = _text_or_stdin(query), chosen_caller(user, group)
    steps: list[TraceStep] = []
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
                **({"on_trace": steps.append} if trace else {}),
            )
        )
        passages = [view_passage(passage, explain=explain) for passage in found]
    if as_json:
        left_out = None if explain else {"legs", "parts"}
        rows = [passage.model_dump(exclude=left_out) for passage in passages]
        traced = {"trace": steps[0].model_dump(mode="json")} if steps else {}
        print_json({"query": text, "passages": rows, **traced})
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
    for step in steps:
        say_trace(step)


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
