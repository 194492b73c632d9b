"""`adapt`: models fitted to the documents of an index, each with what that changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_text, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag, SeedOption, SplitOption

if TYPE_CHECKING:
    from adaptation.retriever.card import Change, EmbedderCard
    from kernel.app import Tekio

NameOption = Annotated[
    str,
    typer.Option("--name", help="What the trained embedder is called, and its folder.", show_default=False),
]
MinutesOption = Annotated[float, typer.Option("--minutes", min=0.1, max=1440, help="Longest time to train.")]
ReembedFlag = Annotated[
    bool, typer.Option("--reembed", help="Embed the index anew by the trained embedder, if that is better.")
]
ForceFlag = Annotated[
    bool,
    typer.Option("--force", help="Replace an embedder of this name; with --reembed, whatever was gained."),
]
EmbedderArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The embedder: a trained one's name, or any other.", show_default=False
    ),
]
BeirOption = Annotated[
    Path | None,
    typer.Option(
        "--beir",
        metavar="FOLDER",
        help="Measure on a set with judgements too: corpus.jsonl, queries.jsonl and qrels/*.tsv.",
        show_default=False,
    ),
]


def adapt_retriever(
    name: NameOption,
    minutes: MinutesOption = 10.0,
    seed: SeedOption = 0,
    reembed: ReembedFlag = False,
    beir: BeirOption = None,
    split: SplitOption = None,
    force: ForceFlag = False,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Train the embedder on the documents of an index, without labels, and show what that changes."""
    if split is not None and beir is None:
        raise UsageError("--split belongs to --beir")
    judged = None
    if beir is not None:
        from evaluation.retrieval.beir import load_beir

        judged = load_beir(beir, split=split)
    with opened(index) as tekio:
        from adaptation.retriever.command import adapt_retriever as adapt
        from adaptation.retriever.training import Recipe

        card = adapt(tekio.settings, name, Recipe(minutes=minutes, seed=seed), force=force, say=say)
        if judged is not None:
            from evaluation.retrieval.embedders import compare_embedders

            changes = compare_embedders(judged, tekio.settings, name, say=say)
            card = card.model_copy(update={"judged": {f"{judged.name}/{judged.split}": changes}})
            card.write(tekio.settings.embedders / name)
        passages = _reembedded(tekio, name) if reembed and (card.recommended or force) else None
        if as_json:
            folder = (tekio.settings.embedders / name).absolute()
            print_json(
                card.model_dump()
                | {"folder": str(folder), "recommended": card.recommended, "reembedded": passages}
            )
        else:
            print_text("\n".join([*_lines(card), *_advice(card, passages)]))


def reembed(name: EmbedderArgument, as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Embed an index anew by another embedder, in one transaction; searches go on meanwhile."""
    with opened(index) as tekio:
        passages = _reembedded(tekio, name)
    if as_json:
        print_json({"embedder": name, "reembedded": passages})
    else:
        print_text(_reembedded_line(name, passages))


def _reembedded(tekio: Tekio, name: str) -> int:
    def progress(done: int, total: int) -> None:
        say(f"{done:,} of {total:,} passages")

    return tekio.reembed(name, on_progress=progress)


def _lines(card: EmbedderCard) -> list[str]:
    rows: list[tuple[str, Change]] = [(f"held out, {metric}", each) for metric, each in card.held_out.items()]
    for name, modes in card.judged.items():
        rows += [(f"{name}, {mode}, ndcg@10", each) for mode, each in modes.items()]
    width = max(len(label) for label, _ in rows)
    lines = [f"{'':<{width}}  questions  before   after  difference"]
    for label, each in rows:
        low, high = each.difference_interval
        lines.append(
            f"{label:<{width}}  {each.questions:>9,}  {each.before:.4f}  {each.after:.4f}  {each.difference:+.4f} "
            f"[{low:+.4f}, {high:+.4f}], p = {each.p_value:.4f}"
        )
    return lines


def _advice(card: EmbedderCard, passages: int | None) -> list[str]:
    lines = []
    if not card.recommended:
        lines.append(f"no gain that is beyond chance: {card.name} is not recommended; stay with {card.base}")
    elif passages is None:
        lines.append(f"better than {card.base}: `tekio adapt reembed {card.name}` makes the index use it")
    if passages is not None:
        lines.append(_reembedded_line(card.name, passages))
    return lines


def _reembedded_line(name: str, passages: int) -> str:
    return (
        f'{passages:,} passages were embedded anew: set embedder = "{name}" in tekio.toml, or TEKIO_EMBEDDER={name}; '
        "the index opens with it alone from now on"
    )
