"""The commands `tekio` and `ingest`.

Only what parses the command line is imported here; each command imports what it needs, so that help and
mistakes are answered at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from ui import failures
from ui.commands.access import access
from ui.commands.adapt import adapt_retriever, reembed
from ui.commands.advise import advise
from ui.commands.backup import backup, restore
from ui.commands.cache import cache_app
from ui.commands.dataset import adapt_dataset
from ui.commands.doctor import doctor
from ui.commands.ensembles import adapt_ensemble, evaluate_ensemble
from ui.commands.evaluate import evaluate
from ui.commands.evaluate_adapter import evaluate_adapter
from ui.commands.evaluate_answers import evaluate_answers
from ui.commands.evaluate_calibrate import evaluate_calibrate
from ui.commands.evaluate_injection import evaluate_injection
from ui.commands.evaluate_regress import evaluate_regress
from ui.commands.evaluate_retrieval import evaluate_retrieval
from ui.commands.evaluate_trial import evaluate_trial
from ui.commands.examples import examples_app, prompts
from ui.commands.finetune import adapt_methods, adapt_train
from ui.commands.functions import functions
from ui.commands.index import index_app
from ui.commands.ingest import ingest
from ui.commands.keys import keys_app
from ui.commands.lab_compress import adapt_compress
from ui.commands.lab_distil import adapt_distil, adapt_distil_technique
from ui.commands.lab_experts import adapt_experts
from ui.commands.lab_pretrain import adapt_pretrain
from ui.commands.lab_prune import adapt_prune
from ui.commands.lab_prune_reader import adapt_prune_reader
from ui.commands.lab_quantise import adapt_quantise
from ui.commands.lab_scaling import adapt_scaling
from ui.commands.lab_schedules import adapt_schedules
from ui.commands.lab_speculate import adapt_speculate
from ui.commands.memory import memory_app
from ui.commands.models import models_app
from ui.commands.pipeline import pipeline_app
from ui.commands.policy import policy_app
from ui.commands.query import ask, documents, search
from ui.commands.reading import compare, extract, summarize
from ui.commands.servers import chat, serve
from ui.commands.setup import config

app = typer.Typer(
    name="tekio",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Cited answers from your own documents, in Japanese and English, on your own machine.",
)
for _command in (ask, search, documents, access, ingest, chat, serve, functions, advise, config, doctor):
    app.command()(_command)

_evaluations = typer.Typer(rich_markup_mode=None)
_evaluations.callback(invoke_without_command=True)(evaluate)
_evaluations.command("retrieval")(evaluate_retrieval)
_evaluations.command("answers")(evaluate_answers)
_evaluations.command("adapter")(evaluate_adapter)
_evaluations.command("regress")(evaluate_regress)
_evaluations.command("trial")(evaluate_trial)
_evaluations.command("calibrate")(evaluate_calibrate)
_evaluations.command("injection")(evaluate_injection)
_evaluations.command("ensemble")(evaluate_ensemble)
app.add_typer(_evaluations, name="evaluate")
app.add_typer(index_app, name="index")
app.add_typer(cache_app, name="cache")
app.add_typer(models_app, name="models")
app.add_typer(memory_app, name="memory")
app.add_typer(keys_app, name="keys")
app.add_typer(pipeline_app, name="pipeline")
for _of_documents in (prompts, summarize, compare, extract, backup, restore):
    app.command()(_of_documents)
app.add_typer(examples_app, name="examples")

_adaptations = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Models fitted to the documents of an index, each with what that changed.",
)
_adaptations.command("dataset")(adapt_dataset)
_adaptations.command("train")(adapt_train)
_adaptations.command("methods")(adapt_methods)
_adaptations.command("retriever")(adapt_retriever)
_adaptations.command("reembed")(reembed)
_adaptations.command("ensemble")(adapt_ensemble)
_adaptations.command("pretrain")(adapt_pretrain)
_adaptations.command("scaling")(adapt_scaling)
_adaptations.command("schedules")(adapt_schedules)
_adaptations.command("quantise")(adapt_quantise)
_adaptations.command("compress")(adapt_compress)
_adaptations.command("prune")(adapt_prune)
_adaptations.command("prune-reader")(adapt_prune_reader)
_adaptations.command("distil")(adapt_distil)
_adaptations.command("distil-technique")(adapt_distil_technique)
_adaptations.command("speculate")(adapt_speculate)
_adaptations.command("experts")(adapt_experts)
_adaptations.add_typer(policy_app, name="policy")
app.add_typer(_adaptations, name="adapt")

ingest_app = typer.Typer(
    name="ingest", add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
ingest_app.command()(ingest)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"tekio {version('tekio')}")
        except PackageNotFoundError:  # run from a checkout
            typer.echo("tekio, not installed as a package")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `tekio` and exit with its code."""
    failures.run(app, "tekio", args)


def ingest_main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `ingest` and exit with its code."""
    failures.run(ingest_app, "ingest", args)


if __name__ == "__main__":
    main()
