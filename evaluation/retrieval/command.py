"""What `tekio evaluate retrieval` does, settings in and a report out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir
from evaluation.retrieval.measure import DEPTH, Run, measure, report
from evaluation.retrieval.scratch import scratch_index
from kernel.settings import Settings
from retrieval.ranking import check_mode

_FOLDER = "evaluations"


def measure_modes(
    found: Beir,
    settings: Settings,
    modes: Sequence[str],
    *,
    folder: Path | None = None,
    say: Callable[[str], None],
) -> tuple[dict[str, Any], list[Run]]:
    """Measure ways to search a set; return the report and the runs.

    The index is kept in `folder`, beside the models unless given, so that a second run embeds nothing.

    Raises:
        UsageError: there is no such mode.
    """
    chosen = [check_mode(mode) for mode in dict.fromkeys(modes)]
    embedder = embedder_of(settings, say)

    def progress(done: int, total: int) -> None:
        say(f"{done:,} of {total:,} documents")

    scratch = scratch_index(
        found,
        embedder,
        folder or settings.cache / _FOLDER,
        token_vectors=settings.token_vectors,
        on_progress=progress,
    )
    with closing(scratch.index):
        runs = [measure(found, mode, partial(scratch.search, top_k=DEPTH, mode=mode)) for mode in chosen]
        passages = scratch.index.store.count()
        learned = scratch.index.learned_weights()
    about = {
        "passages": passages,
        "learned": learned,
        "settings": {"embedder": embedder.signature.as_dict(), "token_vectors": settings.token_vectors},
    }
    return report(found, runs, **about), runs
