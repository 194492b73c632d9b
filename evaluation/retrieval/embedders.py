"""Two embedders compared on a set with judgements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaptation.retriever.card import Change
from evaluation.retrieval.beir import Beir
from evaluation.retrieval.command import measure_modes
from kernel.settings import Settings

_MODES = ("hybrid", "dense")


def compare_embedders(
    found: Beir,
    settings: Settings,
    name: str,
    *,
    folder: Path | None = None,
    say: Callable[[str], None],
) -> dict[str, Change]:
    """Return for each way to search what nDCG@10 is by the embedder of the settings, and by another.

    Args:
        found: the set.
        settings: name the embedder before.
        name: of the embedder after.
        folder: where indexes are kept; beside the models unless given.
        say: is told how it goes.
    """
    scores = []
    for embedder in (settings.embedder, name):
        say(f"{found.name} by {embedder}")
        chosen = settings.model_copy(update={"embedder": embedder})
        _, runs = measure_modes(found, chosen, _MODES, folder=folder, say=say)
        scores.append({run.mode: run.scores["ndcg@10"] for run in runs})
    return {mode: Change.of(scores[0][mode], scores[1][mode]) for mode in _MODES}
