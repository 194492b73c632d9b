"""`models`: the models that are known, and the adapters that were trained over the base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from ui.composed_checks import ComposedState

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
    """List the known models, and the adapters over the base."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """List the known models, and the adapters over the base."""
    _list(as_json=as_json)


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
    facts = [_facts(state) for state in states]
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
            if name not in tekio.settings.named_variants:
                _check_worthy(name, force=force)
            tekio.keep_default_variant(name)
        elif unset:
            tekio.keep_default_variant(None)
        usual = tekio.default_variant()
    if as_json:
        print_json({"variant": usual, "setting": tekio.settings.variant})
    else:
        print_text(f"{usual} answers over this index where nobody is asked for by name")


def _check_worthy(name: str, *, force: bool) -> None:
    """Refuse to have an adapter answer by default that lost more than it won.

    Raises:
        UsageError: it did, was never measured, or does not fit the base.
    """
    from kernel.answer import BASE, EXTRACTIVE

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


def _list(*, as_json: bool) -> None:
    settings, store = _opened()
    used = _used(settings)
    from ui.composed_checks import composed_states

    rows: list[dict[str, Any]] = [
        {
            "name": model.name,
            "kind": str(model.kind),
            "languages": list(model.languages),
            "licence": model.licence,
            "size": model.size,
            "package": f"{model.package} {model.version}",
            "present": store.is_present(model.name),
            "used": model.name in used,
        }
        for model in store.known()
    ]
    known = {row["name"] for row in rows}
    others = [name for name in used if name not in known]
    adapters = _states(settings, store)
    composed = composed_states(settings)
    if as_json:
        print_json(
            {
                "cache": str(settings.cache),
                "models": rows,
                "other": others,
                "adapters": [state.as_dict() for state in adapters],
                "variants": _others(settings),
                "composed": [row.as_dict() for row in composed],
            }
        )
        return
    print_table(
        ("model", "kind", "languages", "licence", "size", "present", "in use"),
        [
            (
                str(row["name"]),
                str(row["kind"]),
                ", ".join(str(code) for code in row["languages"]),
                str(row["licence"]),
                f"{row['size'] / 1e6:.0f} MB",
                "yes" if row["present"] else "no",
                "yes" if row["used"] else "",
            )
            for row in rows
        ],
    )
    for name in others:
        say(f"the settings also name {name}, a folder or a model of the Hugging Face hub")
    if adapters:
        print_text("")
        print_table(
            ("adapter", "method", "made", "held-out loss", "size", "earlier", "fits"),
            [_row(state) for state in adapters],
        )
    if others_made := _others(settings):
        print_text("")
        print_table(("variant", "engine", "model", "at"), [tuple(row.values()) for row in others_made])
    if composed:
        print_text("")
        print_table(
            ("composed", "kind", "of", "fitted", "can answer"),
            [_composed_row(row) for row in composed],
        )


def _composed_row(state: ComposedState) -> tuple[str, ...]:
    fitted = "" if state.fitted is None else "yes" if state.fitted else "no"
    return state.described.name, state.described.kind, state.made_of, fitted, state.problem or "yes"


def _others(settings: Settings) -> list[dict[str, str]]:
    """Return the variants that other engines compute; nobody is asked for it, `tekio doctor` does that."""
    return [
        {
            "name": name,
            "engine": told.engine,
            "model": " + ".join(
                str(part) for part in (told.model or settings.generator, told.adapter) if part
            ),
            "at": told.address or "this machine",
        }
        for name, told in settings.variants.items()
    ]


def _states(settings: Settings, store: ModelStore) -> list[AdapterState]:
    """Return the adapters; held against the base, which is not fetched for it."""
    from adaptation.registry import adapter_states, registered

    if not registered(settings.adapters):
        return []
    if not store.is_present(settings.generator):
        say(
            f"{settings.generator} is not here, so it cannot be said which adapters fit it: `tekio models fetch`"
        )
        return []
    base = store.resolve(settings.generator)
    return adapter_states(settings.adapters, base=base.name, base_folder=base.folder)


def _state(name: str) -> AdapterState:
    from adaptation.registry import state_of

    settings, store = _opened()
    base: ResolvedModel = store.resolve(settings.generator)
    return state_of(name, settings.adapters, base=base.name, base_folder=base.folder)


def _row(state: AdapterState) -> tuple[str, ...]:
    facts = _facts(state)
    return (
        state.name,
        facts.get("method", ""),
        facts.get("made", ""),
        facts.get("held-out loss", ""),
        facts["size"],
        facts["earlier versions"],
        "yes" if not state.problem else "no",
    )


def _facts(state: AdapterState) -> dict[str, str]:
    card = state.card
    facts = {"size": f"{state.size / 1e6:.1f} MB", "earlier versions": str(state.earlier)}
    if card is None:
        return facts
    facts |= {
        "base": card.base,
        "method": card.method,
        "made": card.made,
        "languages": ", ".join(card.languages),
    }
    trained, recipe = card.training, card.recipe
    if trained:
        before, after = trained.get("held_out_before"), trained.get("held_out")
        if after is not None:
            facts["held-out loss"] = f"{after:.3f}" if before is None else f"{before:.3f} to {after:.3f}"
        facts["rows"] = f"{trained['rows']:,}"
        facts["steps"] = f"{trained['steps']:,}"
        facts["seconds"] = f"{trained['seconds']:,.0f}"
        facts["weights"] = f"{trained['parameters']:,}"
    facts |= {
        name: str(recipe[name]) for name in ("rank", "rate", "epochs", "seed") if recipe.get(name) is not None
    }
    if card.data_hash:
        facts["data"] = card.data_hash[:12]
    for name, change in (card.figures.get("figures") or {}).items():
        facts[name] = f"{change['before']:.3f} to {change['after']:.3f}"
    return facts


def _told(state: AdapterState) -> list[str]:
    facts = _facts(state)
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items()]
    if state.card is not None:
        lines += state.card.notices + list(state.card.figures.get("reasons") or [])
    return [*lines, f"cannot be used: {state.problem}" if state.problem else f"{state.folder} fits the base"]
