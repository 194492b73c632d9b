"""Options of the commands that measure answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JUDGE_KEY = "TEKIO_JUDGE_KEY"
"""The variable that holds the key of the judge's server."""

QuestionsOption = Annotated[
    Path,
    typer.Option(
        "--questions",
        metavar="FILE",
        help="JSON lines of our own, SQuAD, PubMedQA or LIT-RAGBench, or a folder in the form of BEIR.",
    ),
]
FormOption = Annotated[
    str | None,
    typer.Option(
        "--form",
        help="Of the file: own, squad, pubmedqa, lit or beir; told by what it holds unless given.",
        show_default=False,
    ),
]
PoolFlag = Annotated[
    bool,
    typer.Option("--pool", help="Ask over the passages that the file brings, in an index of their own."),
]
FoldOption = Annotated[
    str | None,
    typer.Option(
        "--fold",
        metavar="N/M",
        help="Only questions of this part of the documents, such as 1/2: tune on one part, report the other.",
        show_default=False,
    ),
]
SampleOption = Annotated[
    int | None,
    typer.Option(
        "--sample",
        min=1,
        help="Draw so many questions, each language, answerable and not, in its share.",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the draw.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Take the first so many.", show_default=False)
]
VariantsOption = Annotated[
    str | None,
    typer.Option(
        "--variants",
        metavar="NAME,…",
        help="Who answers, with commas; the first is what the others are compared with.",
        show_default=False,
    ),
]
TechniquesOption = Annotated[
    str | None,
    typer.Option(
        "--techniques",
        metavar="NAME,…",
        help="How prompts are built, with commas; the settings' own unless given.",
        show_default=False,
    ),
]
OracleFlag = Annotated[
    bool | None,
    typer.Option(
        "--oracle/--no-oracle",
        help="Ask a second time over the right passage alone; unless given, extractive answers only.",
        show_default=False,
    ),
]
PriceInOption = Annotated[
    float | None,
    typer.Option("--price-in", min=0, help="Price of a million prompt tokens.", show_default=False),
]
PriceOutOption = Annotated[
    float | None,
    typer.Option("--price-out", min=0, help="Price of a million generated tokens.", show_default=False),
]
EntailmentOption = Annotated[
    str | None,
    typer.Option(
        "--entailment",
        metavar="MODEL",
        help="Tell faithfulness by this entailment model; our own check unless given.",
        show_default=False,
    ),
]
RelevanceOption = Annotated[
    str,
    typer.Option(
        "--relevance",
        help="Compare the question with the answer, or with questions that the judge, else base, writes from it.",
    ),
]
JudgeOption = Annotated[
    str | None,
    typer.Option(
        "--judge",
        metavar="MODEL",
        help="Grade answers: base, an adapter, or a server's model.",
        show_default=False,
    ),
]
JudgeUrlOption = Annotated[
    str | None,
    typer.Option(
        "--judge-url",
        metavar="URL",
        help=f"The judge's server, which speaks the OpenAI protocol; its key is in {JUDGE_KEY}.",
        show_default=False,
    ),
]
JudgeRevisionOption = Annotated[
    str | None,
    typer.Option("--judge-revision", help="Which version of the judge the server runs.", show_default=False),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="FILE",
        help="JSON lines of id and label (correct, partly, incorrect) that the judge is held against.",
        show_default=False,
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Write the run there; one that was killed goes on where it stopped.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="DIR", help="Write plots and a page with every answer there.", show_default=False
    ),
]
ScratchOption = Annotated[
    Path | None,
    typer.Option(
        "--scratch",
        metavar="DIR",
        help="Where --pool keeps its index for the next run; beside the models unless given.",
        show_default=False,
    ),
]


BaselineOption = Annotated[
    Path, typer.Option("--baseline", metavar="RUN.json", help="What `evaluate answers --out` wrote.")
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run",
        metavar="RUN.json",
        help="The run to compare with it; measured now, as the baseline was, unless given.",
        show_default=False,
    ),
]
AlphaOption = Annotated[
    float, typer.Option("--alpha", min=0.0001, max=0.5, help="Below this a fall is significant.")
]
QuestionsAgainOption = Annotated[
    Path | None,
    typer.Option(
        "--questions", metavar="FILE", help="Where the baseline's questions are now.", show_default=False
    ),
]
