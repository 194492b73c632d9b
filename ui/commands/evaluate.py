"""`evaluate`: figures on a file of questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.query import TechniqueOption, VariantOption
from ui.console import print_json, print_text, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag

QuestionsOption = Annotated[
    Path | None,
    typer.Option(
        "--questions",
        help="JSON lines of id, language, question, answer, document, page, answerable.",
        show_default=False,
    ),
]


def evaluate(
    context: typer.Context,
    questions: QuestionsOption = None,
    variant: VariantOption = None,
    technique: TechniqueOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Ask every question of a file and compare: retrieval, citations, refusals, speed."""
    if context.invoked_subcommand is not None:
        return
    if questions is None:
        raise UsageError("name the questions: --questions FILE, or `tekio evaluate retrieval --beir FOLDER`")
    from evaluation.answers.plain import ask_all, figures, rows
    from evaluation.questions import load_questions

    asked = load_questions(questions)

    def progress(done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            say(f"{done} of {total} questions")

    with opened(index) as tekio, event_loop() as loop:
        outcomes = loop.call(
            ask_all(tekio, asked, variant=variant, technique=technique, on_progress=progress)
        )
    found = figures(outcomes)
    if as_json:
        print_json({"figures": found.as_dict(), "questions": rows(outcomes)})
    else:
        print_text("\n".join(found.lines()))
