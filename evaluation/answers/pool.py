"""The passages that a set of questions brings, as an index to ask it over."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from evaluation.answers.items import QuestionSet
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir
from evaluation.retrieval.scratch import scratch_index
from kernel.settings import Settings
from retrieval.errors import UsageError

_FOLDER = "evaluations"
_ODD = re.compile(r"[^\w.-]+")


def pooled_index(
    found: QuestionSet,
    settings: Settings,
    *,
    folder: Path | None = None,
    say: Callable[[str], None],
) -> Path:
    """Return the folder of an index of a set's passages, made by the embedder of the settings.

    It is kept in `folder`, beside the models unless given, so that a second run embeds nothing.

    Raises:
        UsageError: the set brings no passages.
    """
    if not found.pool:
        raise UsageError(
            f"{found.name} brings no passages: leave out --pool, and name the index of its documents by --index"
        )

    def progress(done: int, total: int) -> None:
        say(f"{done:,} of {total:,} passages are in the index")

    scratch = scratch_index(
        Beir(_ODD.sub("-", found.name), "all", list(found.pool), [], {}),
        embedder_of(settings, say),
        folder or settings.cache / _FOLDER,
        token_vectors=settings.token_vectors,
        on_progress=progress,
    )
    place = Path(scratch.index.place)
    scratch.index.close()
    return place
