"""Options of the command that makes a training set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

KINDS = ("grounded", "refusal", "format", "tone", "qa", "text")
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Where the set is written.", show_default=False)
]
QuestionsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--questions",
        metavar="FILE",
        help="Questions with answers: Tekio's own form, SQuAD, PubMedQA, BEIR, LIT-RAGBench; repeat it.",
        show_default=False,
    ),
]
PoolFlag = Annotated[
    bool,
    typer.Option(
        "--pool", help="Make the rows over the passages that the questions bring, not over an index."
    ),
]
ReadOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--read",
        metavar="FILE",
        help="Rows to take as they are: chat JSON lines, Alpaca, ShareGPT, or preference pairs; repeat it.",
        show_default=False,
    ),
]
SkipFlag = Annotated[
    bool,
    typer.Option(
        "--skip-broken", help="Leave broken rows of --read out, and name them, instead of stopping."
    ),
]
FeedbackFlag = Annotated[
    bool, typer.Option("--feedback", help="Take the answers that people approved, corrected and rejected.")
]
MadeUpOption = Annotated[
    int | None,
    typer.Option(
        "--made-up",
        min=0,
        max=100_000,
        help="Questions to make of the index's own passages; 300 where there is nothing else.",
        show_default=False,
    ),
]
RehearseOption = Annotated[
    int | None,
    typer.Option(
        "--rehearse",
        min=0,
        max=2000,
        help="General requests to learn with the base's own answers, so that it keeps what it can do; 120 beside rows "
        "over passages.",
        show_default=False,
    ),
]
KindsOption = Annotated[
    str,
    typer.Option("--kinds", help=f"Rows to make, of {', '.join(KINDS)}; separated by commas."),
]
AnswersOption = Annotated[
    str,
    typer.Option(
        "--answers", help="How answers are worded: sentence, the passage's own; short, the answer alone."
    ),
]
ToneOption = Annotated[
    str | None,
    typer.Option(
        "--tone", help="Way of speaking that is learned: formal, plain, careful.", show_default=False
    ),
]
TonesOption = Annotated[
    Path | None,
    typer.Option("--tones", metavar="FILE", help="Tones of your own, as JSON.", show_default=False),
]
RemovedOption = Annotated[
    float,
    typer.Option(
        "--removed",
        min=0,
        max=1,
        help="Share of the questions that are asked without their evidence as well, to be refused.",
    ),
]
ChangedOption = Annotated[
    float,
    typer.Option(
        "--changed",
        min=0,
        max=1,
        help="Share of the questions that are asked for something else as well that is not there, to be refused.",
    ),
]
AgainstOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--against",
        metavar="FILE",
        help="Questions to be measured on later: nothing of them or of what they cite is learned; repeat it.",
        show_default=False,
    ),
]
KeepLeaksFlag = Annotated[
    bool, typer.Option("--keep-leaks", help="Leave in what --against shares with the set, and only count it.")
]
ShareOption = Annotated[
    float,
    typer.Option(
        "--held-out", min=0.02, max=0.4, help="Share of the documents to stop by, and again to measure on."
    ),
]
MostOption = Annotated[
    int, typer.Option("--most", min=0, help="Rows of each kind in a part, at most; 0 sets no limit.")
]
LicenceOption = Annotated[
    str,
    typer.Option("--licence", help="Of what the rows are made of; is noted on the card.", show_default=False),
]
TechniqueOption = Annotated[str, typer.Option("--technique", help="How the prompts are built.")]
