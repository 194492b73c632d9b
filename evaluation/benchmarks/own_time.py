"""How much of a search is our own code, and how much the libraries under it: FAISS and SQLite."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Sequence

_LIBRARIES = ("sqlite3", "swigfaiss")
"""Parts of the names of what the profiler sees of a library's compiled functions."""


def own_milliseconds(run: Callable[[str], object], questions: Sequence[str]) -> float:
    """Return the mean time of a call less what it spends within FAISS and SQLite, in milliseconds.

    The whole is timed without the profiler, which makes Python itself slower; it tells only the libraries' part, whose
    functions are compiled and so hardly slowed.
    """
    began = time.perf_counter()
    for question in questions:
        run(question)
    whole = time.perf_counter() - began
    profile = cProfile.Profile()
    with profile:
        for question in questions:
            run(question)
    return 1000 * max(0.0, whole - library_seconds(profile)) / len(questions)


def library_seconds(profile: cProfile.Profile) -> float:
    """Return the time that a profile spent within the compiled functions of FAISS and SQLite."""
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return float(
        sum(
            own
            for (_, _, name), (_, _, own, _, _) in stats.items()
            if any(library in name for library in _LIBRARIES)
        )
    )
