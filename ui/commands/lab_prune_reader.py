"""`adapt prune-reader`: a reading model with fewer layers, and what it keeps of the whole one's answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import ForceFlag, RateOption, ResumeFlag, RowsOption
from ui.console import print_json, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.lab.models import LabCard
    from evaluation.reader_questions import ReaderSets
    from kernel.answering.reading import SpanReader
    from kernel.reading_model import ReaderFiles
    from kernel.settings import Settings

_LEARNED, _MEASURED = "2/2", "1/2"

QuestionsOption = Annotated[
    list[Path],
    typer.Option(
        "--questions",
        metavar="SET",
        help=f"Questions with their passages, BEIR or SQuAD: fold {_LEARNED} of its documents is learned from, "
        f"{_MEASURED} measured on. Several times for several sets.",
        show_default=False,
    ),
]
WholeOption = Annotated[
    list[Path] | None,
    typer.Option("--whole", metavar="SET", help="A set that is learned from as a whole.", show_default=False),
]
ReaderNameOption = Annotated[
    str, typer.Option("--name", help="What the new reading model is called.", show_default=False)
]
ReaderOption = Annotated[
    str,
    typer.Option(
        "--model", help="Name or folder of the one that it is made of; unless given that of the settings."
    ),
]
StudentOption = Annotated[
    str,
    typer.Option(
        "--student", metavar="NAME", help="What an earlier run of this command made, to be taught further."
    ),
]
LayersOption = Annotated[
    float, typer.Option("--sparsity", help="Share of the layers that is taken out, above 0, below 1.")
]
HealOption = Annotated[
    int, typer.Option("--heal", help="Steps of learning what the whole one reads; 0: none.")
]
MadeUpOption = Annotated[
    float,
    typer.Option(
        "--made-up",
        metavar="NUMBER",
        help="Questions that are made up of the passages for each one that is learned from; 0: none.",
    ),
]
TextsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--texts",
        metavar="PATH",
        help="Texts that questions are made up of as well: a file, a folder, or JSON Lines with a `text`; repeat it.",
        show_default=False,
    ),
]
MeasureOption = Annotated[
    int, typer.Option("--measure", min=0, help="Questions of each set that both read; 0 measures nothing.")
]


def adapt_prune_reader(
    questions: QuestionsOption,
    name: ReaderNameOption,
    whole: WholeOption = None,
    model: ReaderOption = "",
    student: StudentOption = "",
    sparsity: LayersOption = 0.5,
    heal: HealOption = 800,
    rate: RateOption = 4e-4,
    rows: RowsOption = 16,
    made_up: MadeUpOption = 1.0,
    texts: TextsOption = None,
    measure: MeasureOption = 300,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Take layers out of the reading model, teach what is left what the whole one reads, and show what it keeps."""
    from adaptation.lab.pruning.reader_plan import ReaderPlan

    plan = ReaderPlan(share=sparsity, heal=heal, rate=rate, rows=rows, made_up=made_up, seed=seed)
    plan.check()
    quiet_libraries()
    from adaptation.lab.models import check_model_name
    from adaptation.lab.pruning.readers import prune_reader
    from adaptation.lab.scratch.collecting import collect
    from evaluation.reader_questions import reader_sets
    from kernel.settings import load_settings

    settings = load_settings()
    folder = check_model_name(name, settings.models, force=force or resume)
    sets = reader_sets(questions, whole or (), fold=_LEARNED, measured_fold=_MEASURED, sample=measure)
    before = _files(settings, model or settings.reading_model)
    begun = _files(settings, student) if student else None
    given = [each.text for each in collect(texts, say)] if texts else []
    with training_bar() as show:
        card = prune_reader(
            before,
            folder,
            plan,
            sets.learned,
            sets.held,
            texts=given,
            begun=begun,
            resume=resume,
            force=force,
            say=say,
            show=show,
        )
    if sets.measured:
        card = _measured(settings, folder, before, sets)
    if as_json:
        print_json(card.model_dump() | {"folder": str(folder.absolute())})
    else:
        print_text("\n".join(_lines(card)))


def _files(settings: Settings, name: str) -> ReaderFiles:
    from kernel.model_store import ModelStore
    from kernel.reading_model import own_reader, shipped_reader

    if name:
        return own_reader(name, settings.models)
    return shipped_reader(ModelStore(settings.cache, offline=settings.offline, on_message=say), say=say)


def _measured(settings: Settings, folder: Path, before: ReaderFiles, sets: ReaderSets) -> LabCard:
    """Have both read, and write it into the card."""
    from adaptation.lab.models import read_card
    from evaluation.reader_questions import compare_readers
    from kernel.model_store import ModelStore
    from kernel.reading_model import find_reader, own_reader

    models = ModelStore(settings.cache, offline=settings.offline, on_message=say)

    def reader(files: ReaderFiles) -> SpanReader:
        found = find_reader(
            models, own=files, engine=settings.embedder_engine, threads=settings.threads, say=say
        )
        if found is None:
            raise UsageError("there is no reading model to measure")
        return found

    pair = reader(before), reader(own_reader(str(folder.absolute()), settings.models))
    told: dict[str, Any] = {}
    for name, asked in sets.measured.items():
        say(f"both read {len(asked)} passages of {name}")
        told[name] = compare_readers(*pair, asked)
    card = read_card(folder)
    card = card.model_copy(update={"figures": card.figures | {"measured": told}})
    card.write(folder)
    return card


def _lines(card: LabCard) -> list[str]:
    figures = card.figures
    held = ", ".join(f"{name} {each['nats']:.2f}" for name, each in figures["held_out"].items())
    found = [
        f"{figures['taken']:.0%} of the layers taken out: {card.parameters:,} weights, {card.bytes / 1e6:.1f} MB; "
        f"held-out answers are seen elsewhere than by the whole one, in nats: {held}"
    ]
    for name, each in figures.get("measured", {}).items():
        f1, (low, high) = each["f1"], each["kept_interval"]
        spans = [f"[{f1[key][0]:.3f}, {f1[key][1]:.3f}]" for key in ("before_interval", "after_interval")]
        found.append(
            f"{name}, {each['questions']} questions with their passages: token F1 {f1['before']:.3f} {spans[0]} to "
            f"{f1['after']:.3f} {spans[1]}, {each['kept']:.3f} of it kept [{low:.3f}, {high:.3f}], "
            f"{each['times_as_fast']:.2f} times as fast"
        )
    return [*found, f'`reading_model = "{card.name}"` in tekio.toml has it read']
