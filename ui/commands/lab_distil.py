"""`adapt distil` and `adapt distil-technique`: a small model taught by a larger one, an adapter by a way of asking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.evaluation_options import FoldOption, FormOption, LimitOption, QuestionsOption, SampleOption
from ui.commands.lab_options import (
    ForceFlag,
    MeasureOption,
    ModelNameOption,
    ResumeFlag,
    RowsOption,
    SetOption,
    WindowOption,
    compared,
    folder_of,
    with_figures,
)
from ui.console import print_json, print_text, quiet_libraries, say
from ui.opening import event_loop, opened
from ui.options import IndexOption, JsonFlag, SeedOption
from ui.training_bar import training_bar

if TYPE_CHECKING:
    from adaptation.lab.distilling.techniques import Taught
    from adaptation.lab.models import LabCard
    from kernel.chat.adapters import AdapterCard

TeacherOption = Annotated[
    str,
    typer.Option(
        "--teacher",
        help="Name or folder of the model that teaches; the base unless given.",
        show_default=False,
    ),
]
StudentOption = Annotated[
    str,
    typer.Option(
        "--student",
        help="Name or folder of a model that learns; unless given, one is made of the teacher's layers.",
        show_default=False,
    ),
]
WayOption = Annotated[
    str,
    typer.Option(
        "--way",
        help="logits compares predictions, hidden the states between layers too, sequences learns what the teacher "
        "writes, for which the student may have other words.",
    ),
]
LayersOption = Annotated[
    float, typer.Option("--layers", help="Share of the teacher's layers of a student that is made of it.")
]
TemperatureOption = Annotated[float, typer.Option("--temperature", help="That predictions are softened by.")]
MixingOption = Annotated[
    float, typer.Option("--mixing", help="How much the teacher's word counts against the set's own, up to 1.")
]
PromptsOption = Annotated[
    float,
    typer.Option(
        "--prompts", help="How much the teacher's predictions of prompts count beside those of answers."
    ),
]
HiddenOption = Annotated[
    float, typer.Option("--hidden", help="How much a difference of states counts, of the way hidden.")
]
SearchOption = Annotated[
    int,
    typer.Option(
        "--search",
        help="Steps of each of nine trials that choose temperature and mixing; 0 takes those given.",
    ),
]
RateOption = Annotated[float, typer.Option("--rate", help="Learning rate at its highest.")]
EpochsOption = Annotated[float, typer.Option("--epochs", help="How often every row is learned.")]
StepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps, in place of --epochs.")]
NewTokensOption = Annotated[
    int, typer.Option("--new-tokens", help="Of an answer that the teacher writes, at most.")
]
ControlFlag = Annotated[
    bool,
    typer.Option(
        "--control/--no-control", help="Train the same student without a teacher too, and compare them."
    ),
]
KeepControlFlag = Annotated[
    bool,
    typer.Option(
        "--keep-control",
        help="Keep that one as NAME-control, and compare the answers of both too, if measured.",
    ),
]
OfOption = Annotated[
    list[str],
    typer.Option(
        "--of",
        metavar="VARIANT:TECHNIQUE",
        help="A way of asking that may be learned, such as panel:zero_shot or base:chain_of_thought; repeat it: the "
        "one whose answers are worth most is.",
        show_default=False,
    ),
]
AdapterOption = Annotated[
    str, typer.Option("--name", help="What the adapter is called, as a variant too.", show_default=False)
]
LeastOption = Annotated[
    float, typer.Option("--least", help="Worth of an answer that is learned, 0 to 1, as of `adapt ensemble`.")
]
RankOption = Annotated[int, typer.Option("--rank", help="Of the adapter's matrices.")]


def adapt_distil(
    data: SetOption,
    name: ModelNameOption,
    teacher: TeacherOption = "",
    student: StudentOption = "",
    way: WayOption = "logits",
    layers: LayersOption = 0.5,
    temperature: TemperatureOption = 2.0,
    mixing: MixingOption = 0.6,
    hidden: HiddenOption = 1.0,
    prompts: PromptsOption = 1.0,
    search: SearchOption = 0,
    rate: RateOption = 3e-4,
    epochs: EpochsOption = 3.0,
    steps: StepsOption = 0,
    rows: RowsOption = 8,
    window: WindowOption = 512,
    new_tokens: NewTokensOption = 96,
    control: ControlFlag = True,
    keep_control: KeepControlFlag = False,
    measure: MeasureOption = 40,
    resume: ResumeFlag = False,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Teach a small model by a larger one, and hold it against its teacher and against itself without one."""
    from adaptation.lab.distilling.plan import DistilPlan

    plan = DistilPlan(
        data=data,
        way=way,  # type: ignore[arg-type]
        temperature=temperature,
        mixing=mixing,
        hidden=hidden,
        prompts=prompts,
        layers=layers,
        rate=rate,
        epochs=epochs,
        steps=steps,
        rows=rows,
        window=window,
        new_tokens=new_tokens,
        search=search,
        control=control,
        keep_control=keep_control,
        seed=seed,
    )
    plan.check()
    quiet_libraries()
    from adaptation.lab.distilling.distil import distil_model
    from adaptation.lab.models import check_model_name
    from kernel.settings import load_settings

    settings = load_settings()
    out = check_model_name(name, settings.models, force=force or resume)
    above = folder_of(settings, teacher)
    below = folder_of(settings, student) if student else None
    with training_bar() as show:
        card = distil_model(above, below, out, plan, resume=resume, force=force, say=say, show=show)
    table = ""
    if measure:
        card, table = with_figures(above, out, data, most=measure, seed=seed)
        if keep_control:
            card = _against_control(out, data, most=measure, seed=seed)
    if as_json:
        print_json(card.model_dump() | {"folder": str(out.absolute())})
    else:
        print_text("\n".join(_lines(card, table)))


def adapt_distil_technique(
    of: OfOption,
    questions: QuestionsOption,
    name: AdapterOption,
    form: FormOption = None,
    fold: FoldOption = None,
    sample: SampleOption = None,
    limit: LimitOption = None,
    least: LeastOption = 0.5,
    rank: RankOption = 16,
    epochs: EpochsOption = 2.0,
    steps: StepsOption = 0,
    force: ForceFlag = False,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Record what several ways of asking answer, and train one adapter on the good answers of the best."""
    quiet_libraries()
    from adaptation.finetuning.command import Base, check_name, train_adapter
    from adaptation.finetuning.recipe import Recipe
    from adaptation.lab.distilling.techniques import Way, technique_set
    from evaluation.answers.command import Selection, read_selection
    from evaluation.ensembles.askings import askings_of
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    recipe = Recipe(rank=rank, epochs=epochs, steps=steps, seed=seed)
    recipe.check()
    ways = [Way.read(each) for each in dict.fromkeys(of)]
    out = check_name(name, settings.adapters, force=force)
    found, _ = read_selection(Selection(questions, form, False, fold, sample, seed, limit))
    data = settings.adapters.with_name("technique-sets") / name
    if force and data.exists():
        _remove(data)
    with opened(index) as tekio, event_loop() as loop:
        askings = askings_of(found.items)
        taught = loop.call(technique_set(tekio, askings, ways, data, least=least, seed=seed, say=say))
    model = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    base = Base(model.name, model.folder, model.revision, settings.generator_languages)
    with training_bar() as show:
        card = train_adapter(base, data, out, recipe, force=force, say=say, show=show)
    if as_json:
        print_json(
            {
                "adapter": name,
                "folder": str(out.absolute()),
                "data": str(data.absolute()),
                "taught_by": str(taught.best),
                "learned": taught.learned,
                "ways": taught.worth,
                "card": card.model_dump(),
            }
        )
    else:
        print_text("\n".join(_technique_lines(taught, card, name, questions)))


def _against_control(out: Path, data: Path, *, most: int, seed: int) -> LabCard:
    """Measure the answers of the student without a teacher, compare them by the same questions, and keep that."""
    from adaptation.lab.distilling.distil import control_name
    from adaptation.lab.models import read_card

    beside = out.with_name(control_name(out.name))
    alone, _ = with_figures(out, beside, data, most=most, seed=seed)
    card = read_card(out)
    found = compared(alone.figures["after"]["quality"], card.figures["after"]["quality"])
    card = card.model_copy(update={"figures": card.figures | {"answers_against_control": found}})
    card.write(out)
    return card


def _remove(data: Path) -> None:
    """Take a set away that is made anew; the recorded answers beside it stay."""
    import shutil

    if not (data / "card.json").is_file() and any(data.iterdir()):
        raise UsageError(f"{data} holds something else than a training set: remove it first")
    shutil.rmtree(data)


def _lines(card: LabCard, table: str) -> list[str]:
    told = card.figures["test"]
    lines = [
        f"{card.recipe['student']}, taught by {card.recipe['way']}: {card.parameters:,} weights, "
        f"{card.bytes / 1e6:.1f} MB",
        "loss on rows that none learned, nats a token: "
        + ", ".join(
            f"{name} {told[name]['loss']:.3f} (perplexity {told[name]['perplexity']:.2f})"
            for name in ("teacher", "student", "control", "untaught")
            if name in told
        ),
    ]
    for name, words in (("control", "the same without a teacher"), ("teacher", "its teacher")):
        if (found := told.get(f"student_against_{name}")) is not None:
            low, high = found["difference_interval"]
            lines.append(
                f"the student less {words}: {found['difference']:+.4f} [{low:+.4f}, {high:+.4f}] over {found['rows']} "
                f"rows, p = {found['p_value']:.4f}"
            )
    for figure, found in card.figures.get("answers_against_control", {}).items():
        low, high = found["difference_interval"]
        lines.append(
            f"{figure}: {found['before']:.3f} without a teacher, {found['after']:.3f} with one, "
            f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
        )
    if card.figures["search"]:
        lines.append(
            f"temperature {card.recipe['temperature']:g} and mixing {card.recipe['mixing']:g} were chosen of "
            f"{len(card.figures['search'])} trials"
        )
    return [
        *lines,
        *([table] if table else []),
        f"`tekio ask --variant {card.name} QUESTION` answers by it; `tekio adapt speculate --draft {card.name}` "
        "tries it as a draft",
    ]


def _technique_lines(taught: Taught, card: AdapterCard, name: str, questions: Path) -> list[str]:
    lines = []
    for way, found in taught.worth.items():
        low, high = found["interval"]
        lines.append(f"{way}: {found['worth']:.3f} [{low:.3f}, {high:.3f}], {found['ms']:,.0f} ms an answer")
    return [
        *lines,
        f"{taught.learned:,} answers of {taught.best} were learned in {card.training['steps']:,} steps",
        f"`tekio evaluate answers --questions {questions} --variants base,{name}` compares it, on questions that it "
        "did not learn",
    ]
