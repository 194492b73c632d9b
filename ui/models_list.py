"""The lists of `tekio models`: models that are known or were made in the lab, adapters, and the settings' variants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, say

if TYPE_CHECKING:
    from adaptation.registry import AdapterState
    from kernel.model_store import ModelStore
    from kernel.settings import Settings
    from ui.composed_checks import ComposedState


def print_models(settings: Settings, store: ModelStore, used: Sequence[str], *, as_json: bool) -> None:
    """Print what there is; `used` are the models of the settings. Nobody is asked, and nothing is fetched."""
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
    made = _lab_rows(settings)
    composed = composed_states(settings)
    if as_json:
        print_json(
            {
                "cache": str(settings.cache),
                "models": rows,
                "other": others,
                "adapters": [state.as_dict() for state in adapters],
                "lab": made,
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
    if made:
        print_text("")
        print_table(
            ("made in the lab", "method", "base", "weights", "size", "perplexity", "made"),
            [_lab_row(row) for row in made],
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
    name = state.described.name
    can = state.problem or ("yes" if state.answers else f"no step answers: `tekio pipeline run {name}`")
    return name, state.described.kind, state.made_of, fitted, can


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


def _lab_rows(settings: Settings) -> list[dict[str, Any]]:
    """Return the models that the lab made, by name; a card that cannot be read is told in its place."""
    from adaptation.lab.models import read_card
    from kernel.lab_models import list_lab_models

    rows: list[dict[str, Any]] = []
    for name in list_lab_models(settings.models):
        folder = (settings.models / name).absolute()
        try:
            told = read_card(folder).model_dump()
        except UsageError as error:
            told = {"problem": str(error)}
        rows.append(told | {"name": name, "folder": str(folder)})
    return rows


def _lab_row(row: dict[str, Any]) -> tuple[str, ...]:
    if "problem" in row:
        return row["name"], row["problem"], "", "", "", "", ""
    before, after = (row["figures"].get(each) or {} for each in ("before", "after"))
    perplexities = [each.get("perplexity") for each in (before, after)]
    told = " to ".join(f"{each:.2f}" for each in perplexities if each is not None)
    size = f"{row['bytes'] / 1e6:.1f} MB"
    return row["name"], row["method"], row["base"], f"{row['parameters']:,}", size, told, row["made"]


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


def _row(state: AdapterState) -> tuple[str, ...]:
    facts = adapter_facts(state)
    return (
        state.name,
        facts.get("method", ""),
        facts.get("made", ""),
        facts.get("held-out loss", ""),
        facts["size"],
        facts["earlier versions"],
        "yes" if not state.problem else "no",
    )


def adapter_facts(state: AdapterState) -> dict[str, str]:
    """Return what is known of an adapter, by the names that people read."""
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
