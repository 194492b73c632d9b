"""`evaluate calibrate`: the refusal threshold fitted to an index, and kept with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.console import print_json, print_text, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag

LabelledOption = Annotated[
    Path | None,
    typer.Option(
        "--questions",
        help="Labelled questions: JSON lines of id, language, question, document, answerable. "
        "Without them questions are made of the index's own passages.",
        show_default=False,
    ),
]
RefusedOption = Annotated[
    float,
    typer.Option(
        "--refused-at-most", min=0.0, max=0.5, help="Share of the answerable questions that may be refused."
    ),
]
ForgetFlag = Annotated[
    bool, typer.Option("--forget", help="Forget what was fitted; the shipped threshold holds again.")
]


def evaluate_calibrate(
    questions: LabelledOption = None,
    refused_at_most: RefusedOption = 0.1,
    forget: ForgetFlag = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Fit the threshold below which questions are refused to the documents of an index, and keep it with them."""
    from evaluation.calibrate_index import calibrate
    from evaluation.questions import load_questions
    from kernel.answering.answerability import load_model

    labelled = None if questions is None else load_questions(questions)
    with opened(index) as tekio, event_loop() as loop:
        if forget:
            tekio.keep_answerability(None)
            shipped = load_model().threshold
            if as_json:
                print_json({"forgotten": True, "threshold": shipped})
            else:
                print_text(f"forgotten: the shipped threshold {shipped:.3f} holds again")
            return
        found = loop.call(
            calibrate(tekio, labelled, refused_at_most=refused_at_most, shipped=load_model(), say=say)
        )
        tekio.keep_answerability(found.model)
    if as_json:
        print_json(found.as_dict())
        return
    print_text(
        f"threshold {found.threshold:.3f} (shipped {found.before:.3f}), by {found.source}"
        + (", the estimate fitted too" if found.fitted else "")
    )
    print_text(f"answerable: refused, wrongly   {found.refused_answerable}")
    print_text(f"unanswerable: refused          {found.refused_unanswerable}")
    print_text("kept with the index; min_confidence in the settings overrules it")
