"""`adapt speculate`: how much faster a model writes with a smaller one that guesses for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.lab_options import ModelOption, SetOption, folder_of
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag, SeedOption

if TYPE_CHECKING:
    from adaptation.lab.speculating.speculate import SpeculateReport

DraftOption = Annotated[
    str,
    typer.Option(
        "--draft",
        help="Name or folder of the smaller model, such as a distilled student.",
        show_default=False,
    ),
]
GuessesOption = Annotated[
    str, typer.Option("--guesses", metavar="N,…", help="Numbers of tokens to guess ahead, with commas.")
]
PrecisionOption = Annotated[str, typer.Option("--precision", help="Of the model's weights.")]
DraftPrecisionsOption = Annotated[
    str,
    typer.Option(
        "--draft-precisions",
        metavar="NAME,…",
        help="Of the draft's weights, with commas; auto is the model's own.",
    ),
]
DraftWordsOption = Annotated[
    str,
    typer.Option(
        "--draft-words",
        metavar="N,…",
        help="Numbers of its commonest words that the draft guesses among, with commas; 0 is all.",
    ),
]
TextFlag = Annotated[
    bool,
    typer.Option("--text/--no-text", help="Look guesses up in the text first, where its end stood before."),
]
LongestFlag = Annotated[
    bool,
    typer.Option(
        "--longest/--as-they-come",
        help="Ask the questions with the longest answers, or the first of the set.",
    ),
]
TemperatureOption = Annotated[
    float, typer.Option("--temperature", help="That answers are sampled at; 0 takes the likeliest tokens.")
]
TopPOption = Annotated[float, typer.Option("--top-p", help="Share of the likeliest tokens to sample from.")]
PromptsOption = Annotated[int, typer.Option("--prompts", help="Held-out questions that are answered.")]
NewTokensOption = Annotated[int, typer.Option("--new-tokens", help="Of each answer, at most.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=0, help="Of the engine; 0 leaves it to it.")]


def adapt_speculate(
    data: SetOption,
    draft: DraftOption,
    model: ModelOption = "",
    guesses: GuessesOption = "1,2,3,4,6,8",
    precision: PrecisionOption = "auto",
    draft_precisions: DraftPrecisionsOption = "auto,int4-weights",
    draft_words: DraftWordsOption = "0",
    text: TextFlag = True,
    longest: LongestFlag = True,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    prompts: PromptsOption = 8,
    new_tokens: NewTokensOption = 64,
    threads: ThreadsOption = 0,
    seed: SeedOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Try a smaller model as the draft of a larger one: how often it is right, and how far ahead it should guess."""
    from adaptation.lab.speculating.plan import SpeculatePlan

    plan = SpeculatePlan(
        data=data,
        guesses=_numbers("--guesses", guesses),
        precision=precision,
        drafts=tuple(each.strip() for each in draft_precisions.split(",") if each.strip()),
        words=_numbers("--draft-words", draft_words),
        from_text=text,
        longest=longest,
        temperature=temperature,
        top_p=top_p,
        prompts=prompts,
        new_tokens=new_tokens,
        threads=threads,
        seed=seed,
    )
    plan.check()
    quiet_libraries()
    from adaptation.lab.speculating.speculate import named, speculate
    from kernel.settings import load_settings

    settings = load_settings()
    above, below = folder_of(settings, model), folder_of(settings, draft)
    report = speculate(above, below, plan, say=say)
    if as_json:
        print_json(report.model_dump() | {"pays": report.pays})
        return
    print_table(
        ("draft", "guesses", "guesses that hold", "tokens a step", "tokens a second", "speed-up", "expected"),
        [
            (
                named(each.draft_precision, each.draft_words),
                str(each.guesses),
                f"{each.holding:.0%}",
                f"{each.tokens_a_step:.2f}",
                f"{each.tokens_a_second:.1f}",
                f"{each.speed_up:.2f}",
                f"{each.expected:.2f}",
            )
            for each in report.tried
        ],
    )
    print_text("\n".join(_lines(report, str(above) if model else "", str(below))))


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(each) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise UsageError(f"{option} is numbers parted by commas, such as 1,2,4, not '{text}'") from error


def _lines(report: SpeculateReport, model: str, draft: str) -> list[str]:
    """Return what was found, and what to set; `model` and `draft` are folders, an empty model is the base."""
    from adaptation.lab.speculating.speculate import TEXT, named

    best = report.best
    text = max(each.speed_up for each in report.tried if each.draft_precision == TEXT)
    lines = [
        f"{report.model} alone writes {report.tokens_a_second:.1f} tokens a second; the best draft guesses "
        f"{best.guesses} ahead in {named(best.draft_precision, best.draft_words)}: {best.speed_up:.2f} times as fast; "
        f"guesses of the text alone {text:.2f} times",
    ]
    if not report.pays:
        return [*lines, 'it does not pay: answer without a draft (draft = "")']
    held = "" if best.draft_precision == "auto" else f', draft_precision = "{best.draft_precision}"'
    held += f", draft_words = {best.draft_words}" if best.draft_words else ""
    base = f'generator = "{model}", ' if model else ""
    return [
        *lines,
        f'in tekio.toml: {base}draft = "{draft}", guessed_tokens = {best.guesses}{held}; the answers stay its own',
    ]
