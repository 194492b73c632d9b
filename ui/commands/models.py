"""`models`: the models that are known, and the adapters that were trained over the base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.commands.bench import bench
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

if TYPE_CHECKING:
    from adaptation.registry import AdapterState
    from kernel.model_store import ModelStore, ResolvedModel
    from kernel.settings import Settings

FORMATS = ("vllm", "gguf", "safetensors")
models_app = typer.Typer(
    rich_markup_mode=None,
    help="The models that are known, and the adapters over the base: list, show, put back.",
)
AdapterArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="An adapter's name.", show_default=False)
]
PartsOption = Annotated[
    list[str],
    typer.Option("--of", metavar="NAME:WEIGHT", help="An adapter and its weight, 1 unless given; repeat it."),
]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="FOLDER", help="Where it is written.", show_default=False)
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format",
        help="vllm: as serving engines load it; gguf: for llama.cpp; safetensors: merged into the base.",
    ),
]


models_app.command("bench")(bench)


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the known models, the adapters over the base, and the variants that the settings make."""
    if context.invoked_subcommand is None:
        list_models(as_json=as_json)


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """List the known models, the adapters over the base, and the variants that the settings make."""
    from ui.models_list import print_models

    settings, store = _opened()
    print_models(settings, store, _used(settings), as_json=as_json)


@models_app.command("fetch")
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Models to fetch; the settings' own unless given.", show_default=False),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Fetch the models that are missing."""
    settings, store = _opened()
    fetched = [{"name": name, "folder": str(store.resolve(name).folder)} for name in names or _used(settings)]
    if as_json:
        print_json({"models": fetched})
    else:
        print_table(("model", "folder"), [(row["name"], row["folder"]) for row in fetched])


@models_app.command("show")
def show(name: AdapterArgument, as_json: JsonFlag = False) -> None:
    """Show what an adapter is: base, method, data, losses, figures, and whether it fits the base."""
    state = _state(name)
    if as_json:
        print_json(state.as_dict() | {"curve": state.card.curve if state.card is not None else []})
    else:
        print_text("\n".join(_told(state)))


@models_app.command("compare")
def compare(first: AdapterArgument, second: AdapterArgument, as_json: JsonFlag = False) -> None:
    """Show two adapters beside each other."""
    states = [_state(first), _state(second)]
    if as_json:
        print_json({"adapters": [state.as_dict() for state in states]})
        return
    from ui.models_list import adapter_facts

    facts = [adapter_facts(state) for state in states]
    names = list(dict.fromkeys([*facts[0], *facts[1]]))
    print_table(
        ("", first, second), [(name, facts[0].get(name, ""), facts[1].get(name, "")) for name in names]
    )


@models_app.command("combine")
def combine(name: AdapterArgument, of: PartsOption, as_json: JsonFlag = False) -> None:
    """Make one adapter of several over the same base, each by its weight."""
    from adaptation.combining import combine as add_up
    from adaptation.finetuning.command import check_name

    settings, store = _opened()
    check_name(name, settings.adapters, force=False)
    base = store.resolve(settings.generator)
    add_up([_part(text) for text in of], settings.adapters, name, base=base.name, base_folder=base.folder)
    state = _state(name)
    if as_json:
        print_json(state.as_dict())
    else:
        print_text("\n".join([*_told(state), f"`tekio ask --variant {name} QUESTION` answers by it"]))


def _part(text: str) -> tuple[str, float]:
    name, _, weight = text.rpartition(":")
    try:
        return (name, float(weight)) if name else (text, 1.0)
    except ValueError as error:
        raise UsageError(f"'{weight}' is no weight: write NAME:WEIGHT, such as formal:0.5") from error


@models_app.command("remove")
def remove(name: AdapterArgument, as_json: JsonFlag = False) -> None:
    """Take an adapter out of use; `rollback` brings it back."""
    from adaptation.registry import remove as take_out

    settings, _ = _opened()
    kept = take_out(name, settings.adapters)
    if as_json:
        print_json({"removed": name, "kept": str(kept.absolute())})
    else:
        print_text(f"'{name}' is out of use: `tekio models rollback {name}` brings it back, or remove {kept}")


@models_app.command("rollback")
def rollback(name: AdapterArgument, as_json: JsonFlag = False) -> None:
    """Put the version before in the place of an adapter; a second time turns it round."""
    from adaptation.registry import rollback as put_back

    settings, _ = _opened()
    put_back(name, settings.adapters)
    state = _state(name)
    if as_json:
        print_json(state.as_dict())
    else:
        print_text("\n".join([f"'{name}' is the version before again", *_told(state)]))


@models_app.command("default")
def default(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A variant; without it, the one that is kept is shown.", show_default=False
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Go back to the setting `variant`.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Take an adapter that was not measured, or lost more than it won.")
    ] = False,
    index: IndexOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Keep with an index who answers over it where nobody is asked for by name."""
    if unset and name is not None:
        raise UsageError("name a variant or give --unset, one of them")
    with opened(index) as tekio:
        if name is not None:
            if name in tekio.settings.composed:
                _check_answers(name, tekio.settings)
            elif name not in tekio.settings.named_variants:
                _check_worthy(name, force=force)
            tekio.keep_default_variant(name)
        elif unset:
            tekio.keep_default_variant(None)
        usual = tekio.default_variant()
    if as_json:
        print_json({"variant": usual, "setting": tekio.settings.variant})
    else:
        print_text(f"{usual} answers over this index where nobody is asked for by name")


def _check_answers(name: str, settings: Settings) -> None:
    """Refuse to have a composed variant answer by default that cannot."""
    from kernel.composed.standing import standing

    if problem := standing(name, settings).problem:
        raise UsageError(f"'{name}' cannot answer: {problem}")


def _check_worthy(name: str, *, force: bool) -> None:
    """Refuse to have an adapter answer by default that lost more than it won.

    Raises:
        UsageError: it did, was never measured, or does not fit the base.
    """
    from kernel.variant_names import BASE, EXTRACTIVE

    if name in (BASE, EXTRACTIVE):
        return
    state = _state(name)
    if state.problem:
        raise UsageError(state.problem)
    figures = {} if state.card is None else state.card.figures
    if force or figures.get("recommended"):
        return
    if "recommended" not in figures:
        raise UsageError(
            f"'{name}' was not measured against the base: `tekio evaluate adapter {name} --data FOLDER` does, "
            "--force takes it as it is"
        )
    raise UsageError(
        f"'{name}' lost more than it won ({'; '.join(figures['reasons'])}): --force takes it all the same"
    )


@models_app.command("merge")
def merge(name: AdapterArgument, out: OutOption, as_json: JsonFlag = False) -> None:
    """Write the base with an adapter in its weights, as a model of its own."""
    _export(name, "safetensors", out, as_json=as_json)


@models_app.command("export")
def export(
    name: AdapterArgument, out: OutOption, form: FormatOption = "vllm", as_json: JsonFlag = False
) -> None:
    """Write an adapter for another program."""
    if form not in FORMATS:
        raise UsageError(f"an adapter can be exported as {' or '.join(FORMATS)}, not as '{form}'")
    _export(name, form, out, as_json=as_json)


def _export(name: str, form: str, out: Path, *, as_json: bool) -> None:
    from adaptation import export as exporting
    from kernel.chat.adapters import list_adapters

    settings, store = _opened()
    if name not in list_adapters(settings.adapters):
        raise UsageError(f"there is no adapter '{name}' in {settings.adapters}")
    base = store.resolve(settings.generator)
    adapter = settings.adapters / name
    if form == "vllm":
        exporting.export_lora(base.name, base.folder, adapter, out)
        use = f"`vllm serve BASE --enable-lora --lora-modules {name}={out}` serves it"
    elif form == "gguf":
        exporting.export_gguf(base.name, base.folder, adapter, out)
        use = f"`llama-server --model BASE.gguf --lora {out / name}.gguf` serves it"
    else:
        exporting.merge(base.name, base.folder, adapter, out, say=say)
        use = f'generator = "{out}" in tekio.toml answers by it'
    if as_json:
        print_json({"adapter": name, "format": form, "folder": str(out.absolute())})
    else:
        print_text(f"{out}: {use}")


def _opened() -> tuple[Settings, ModelStore]:
    quiet_libraries()
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    settings = load_settings()
    return settings, ModelStore(settings.cache, offline=settings.offline, on_message=say)


def _used(settings: Settings) -> list[str]:
    from kernel.embedders import embedder_source

    return list(dict.fromkeys((embedder_source(settings), settings.generator)))


def _state(name: str) -> AdapterState:
    from adaptation.registry import state_of

    settings, store = _opened()
    base: ResolvedModel = store.resolve(settings.generator)
    return state_of(name, settings.adapters, base=base.name, base_folder=base.folder)


def _told(state: AdapterState) -> list[str]:
    from ui.models_list import adapter_facts

    facts = adapter_facts(state)
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items()]
    if state.card is not None:
        lines += state.card.notices + list(state.card.figures.get("reasons") or [])
    return [*lines, f"cannot be used: {state.problem}" if state.problem else f"{state.folder} fits the base"]
