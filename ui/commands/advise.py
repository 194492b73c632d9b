"""`advise`: which way to adapt a model, by what is asked and answered."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.advice_text import advice_lines
from ui.console import print_json, print_text, say
from ui.locales import LANGUAGES, label
from ui.options import JsonFlag

AnswersOption = Annotated[
    Path | None,
    typer.Option(
        "--answers",
        metavar="FILE",
        help="Answers as a JSON object; others are as by default.",
        show_default=False,
    ),
]
LanguageOption = Annotated[str, typer.Option("--language", help="Of questions and reasons: en or ja.")]
PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", help="Draw the costs over time as PNG.", show_default=False),
]
QuestionsFlag = Annotated[bool, typer.Option("--questions", help="List what is asked, and ask nothing.")]


def advise(
    answers: AnswersOption = None,
    language: LanguageOption = "en",
    plot: PlotOption = None,
    questions: QuestionsFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Ask what decides it, and recommend how to adapt a model: prompts, retrieval, training or compression."""
    from adaptation.advice.advising import advise as decide
    from adaptation.advice.advising import draw
    from adaptation.advice.rules import questions as asked
    from adaptation.advice.rules import read_answers

    if language not in LANGUAGES:
        raise UsageError(f"--language is en or ja, not '{language}'")
    if questions:
        print_json({"questions": [question.model_dump() for question in asked()]})
        return
    given = _read(answers) if answers is not None else _ask(language)
    checked = read_answers(given)
    advice = decide(checked, language=language)
    if plot is not None:
        draw(advice, plot, language=language)
    if as_json:
        print_json(advice.model_dump() | {"answers": checked})
    else:
        print_text("\n".join(advice_lines(advice, language)))


def _read(path: Path) -> Mapping[str, object]:
    try:
        held = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageError(f"the answers in {path} cannot be read: {error}") from error
    if not isinstance(held, dict):
        raise UsageError(
            f"{path} is no JSON object of answers; `tekio advise --questions` lists what is asked"
        )
    return held


def _option(name: str, language: str) -> str:
    """Return what is typed for an option, and what it means where its name does not say so."""
    said = label(f"advice_{name}", language)
    return name if said.lower() == name else f"{name} = {said}"


def _ask(language: str) -> dict[str, object]:
    """Ask in the terminal; an empty line takes the default, a wrong answer is asked again."""
    from adaptation.advice.rules import questions

    if not sys.stdin.isatty():
        raise UsageError(
            "there is nobody to ask: give --answers FILE; `tekio advise --questions` lists what is asked"
        )
    given: dict[str, object] = {}
    for question in questions():
        shown = f"{question.text[language]}"
        if question.options:
            shown += " (" + ", ".join(_option(name, language) for name in question.options) + ")"
        while True:
            default = question.default
            if isinstance(default, bool):
                default = "yes" if default else "no"
            said = typer.prompt(shown, default=str(default), err=True)
            try:
                given[question.id] = question.read(said)
                break
            except UsageError as error:
                say(str(error))
    return given
