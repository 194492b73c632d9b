"""The arithmetic of planning: from measured figures to an index of so many passages, and to so many users."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from retrieval.errors import UsageError

_GIB, _MIB = 2**30, 2**20
_MEASURED = 1_000_000
"""Vectors that the vectors' index was measured with."""
_WORDS_MEASURED = 100_000
"""Passages that the search by words was measured with."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What is not measured but supposed. `busy` is the share of its time that a machine may work at the peak,
    `search_ms` how long a search may take."""

    questions_per_hour: float = 4.0
    peak: float = 3.0
    prompt_tokens: float = 1400.0
    answer_tokens: float = 160.0
    busy: float = 0.6
    ingest_machines: float = 1.0
    search_ms: float = 300.0


@dataclass(frozen=True, slots=True)
class Row:
    """A result with its unit and how it was computed."""

    name: str
    value: float
    unit: str
    arithmetic: str


Figures = Mapping[str, float]


def of_passages(passages: float, figures: Figures, assumed: Assumptions) -> list[Row]:
    """Return what an index of so many passages takes."""
    vector, index = figures["vector_bytes"], figures["index_bytes"]
    text, tokens = figures["text_bytes"], figures["token_vector_bytes"]
    disk = passages * (vector + index + text + tokens) / _GIB
    without = passages * (vector + index + text) / _GIB
    memory = passages * figures["index_memory_bytes"] / _GIB
    rate, machines = figures["ingest_chunks_per_second"], assumed.ingest_machines
    hours = passages / rate / machines / 3600
    fixed, dense, words = search_parts(passages, figures)
    shards = shards_within(assumed.search_ms, passages, figures)
    a_shard = search_parts(passages / shards, figures)
    return [
        Row(
            "disk",
            disk,
            "GiB",
            f"{passages:,.0f} passages x ({vector:,.0f} vector + {index:,.0f} index + {text:,.0f} text"
            f" + {tokens:,.0f} tokens' vectors) bytes",
        ),
        Row(
            "disk without token_vectors",
            without,
            "GiB",
            f"{passages:,.0f} x ({vector:,.0f} + {index:,.0f} + {text:,.0f}) bytes",
        ),
        Row(
            "memory of the vectors' index",
            memory,
            "GiB",
            f"{passages:,.0f} x {figures['index_memory_bytes']:,.0f} bytes, once a machine: its file is mapped",
        ),
        Row(
            "ingest",
            hours,
            "hours",
            f"{passages:,.0f} / {rate:g} a second / {machines:g} machines / 3,600",
        ),
        Row(
            "search, p50",
            fixed + dense + words,
            "ms",
            f"{fixed:g} + vectors {figures['dense_ms_at_million']:g} x root of ({passages:,.0f} / {_MEASURED:,})"
            f" = {dense:.1f} + words {figures['keyword_ms_at_100k']:g} x ({passages:,.0f} / {_WORDS_MEASURED:,} - 1)"
            f" = {words:.1f}",
        ),
        Row(
            "shards",
            shards,
            "",
            f"as few as search {passages / shards:,.0f} passages each within {assumed.search_ms:g} ms:"
            f" {' + '.join(f'{part:.1f}' for part in a_shard)} = {sum(a_shard):.1f}",
        ),
    ]


def search_parts(passages: float, figures: Figures) -> tuple[float, float, float]:
    """Return the milliseconds of a search: what does not grow, the vectors, the words."""
    dense = figures["dense_ms_at_million"] * math.sqrt(passages / _MEASURED)
    words = figures["keyword_ms_at_100k"] * max(passages / _WORDS_MEASURED - 1, 0)
    return figures["search_fixed_ms"], dense, words


def shards_within(most: float, passages: float, figures: Figures) -> int:
    """Return how many parts an index is cut into, searched side by side, so that a search takes so many ms.

    Raises:
        UsageError: no number of parts does.
    """
    if most <= figures["search_fixed_ms"] + figures["dense_ms_at_million"]:
        raise UsageError(f"no search takes {most:g} ms or less, however small its index is; see --search-ms")
    shards = 1
    while sum(search_parts(passages / shards, figures)) > most:
        shards += 1
    return shards


def of_users(users: float, figures: Figures, assumed: Assumptions) -> list[Row]:
    """Return what so many users take."""
    rate = users * assumed.questions_per_hour / 3600 * assumed.peak
    work = figures["search_cpu_ms"] + figures["check_cpu_ms"]
    processes = math.ceil(rate * work / 1000 / assumed.busy)
    a_process = figures["process_memory_mib"] + figures["reading_memory_mib"]
    memory = processes * a_process * _MIB / _GIB
    prefill, decode = (
        figures[name] for name in ("engine_prefill_tokens_per_second", "engine_decode_tokens_per_second")
    )
    seconds = assumed.prompt_tokens / prefill + assumed.answer_tokens / decode
    engines = math.ceil(rate * seconds / assumed.busy)
    tokens = rate * (assumed.prompt_tokens + assumed.answer_tokens)
    return [
        Row(
            "questions at the peak",
            rate,
            "a second",
            f"{users:,.0f} users x {assumed.questions_per_hour:g} an hour / 3,600 x {assumed.peak:g} at the peak",
        ),
        Row(
            "API processes of two cores",
            processes,
            "",
            f"{rate:.4g} a second x ({figures['search_cpu_ms']:g} search + {figures['check_cpu_ms']:g} reading and"
            f" checking) ms / 1,000 / {assumed.busy:g} busy, rounded up",
        ),
        Row("memory of the processes", memory, "GiB", f"{processes:,} x {a_process:,.0f} MiB"),
        Row("tokens at the peak", tokens, "a second", _tokens(rate, assumed)),
        Row(
            "engine seconds of an answer",
            seconds,
            "s",
            f"{assumed.prompt_tokens:,.0f} tokens of prompt / {prefill:,g} a second"
            f" + {assumed.answer_tokens:,.0f} of answer / {decode:,g} a second",
        ),
        Row(
            "engines",
            engines,
            "",
            f"{rate:.4g} a second x {seconds:.4g} s / {assumed.busy:g} busy, rounded up",
        ),
    ]


def _tokens(rate: float, assumed: Assumptions) -> str:
    return f"{rate:.4g} a second x ({assumed.prompt_tokens:,.0f} + {assumed.answer_tokens:,.0f})"
