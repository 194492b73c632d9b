"""The dense index at a hundred thousand and a million vectors: time, memory, and how much of the truth it finds.

    python -m evaluation.benchmarks.dense [--rows 100000,1000000] [--kinds clustered,even]

Vectors are made: *clustered*, around a centre a hundred vectors as those of texts lie around subjects (the cosine of
two of one cluster is 0.6), and *even*, in all directions alike, which is the hardest case and no text's. Queries
are made the same way and are none of the vectors. The index is opened in a process of its own, by which loading and
memory are measured: the resident memory that it adds, its own and that of the mapped file, after all queries.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmarks.output import show

Floats = NDArray[np.float32]

_DIMENSION = 384
_QUERIES = 500
_BLOCK = 16_384
_A_CLUSTER = 100
_COSINE = 0.6  # of two vectors of a cluster
_SEED = 20261127
_MIB = 2**20
KINDS = ("clustered", "even")


@dataclass(frozen=True, slots=True)
class Result:
    """One index. `flat_ms` is the median of a search through all vectors by FAISS, in the same process."""

    kind: str
    rows: int
    build_seconds: float
    file_mib: float
    load_seconds: float
    memory_mib: float
    probes: int
    lists: int
    recall: float
    p50_ms: float
    p99_ms: float
    flat_ms: float


def vectors(kind: str, rows: int) -> Iterator[Floats]:
    """Yield blocks of unit vectors, the same ones each time; then a block of queries."""
    chance = np.random.default_rng(_SEED)
    centres = chance.standard_normal((max(rows // _A_CLUSTER, 1), _DIMENSION)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    for start in [*range(0, rows, _BLOCK), rows]:
        count = _QUERIES if start == rows else min(_BLOCK, rows - start)
        drawn = chance.standard_normal((count, _DIMENSION)).astype(np.float32)
        if kind == "clustered":
            around = centres[chance.integers(0, len(centres), count)]
            spread = np.sqrt((1 - _COSINE) / _COSINE / _DIMENSION)
            drawn = around + np.float32(spread) * drawn
        yield drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def build(folder: Path, kind: str, rows: int) -> tuple[float, Floats, NDArray[np.int64]]:
    """Make the rows and the index; return its seconds, the queries, and the true ten nearest of each."""
    from retrieval.vector_index import VectorIndex

    made = list(vectors(kind, rows))
    queries = made.pop()
    connection = sqlite3.connect(folder / "rows.sqlite3", isolation_level=None)
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, vector BLOB)")
    best_scores = np.full((len(queries), 10), -np.inf, np.float32)
    best_ids = np.zeros((len(queries), 10), np.int64)
    first = 1
    connection.execute("BEGIN")
    for block in made:
        ids = np.arange(first, first + len(block))
        first += len(block)
        connection.executemany(
            "INSERT INTO rows VALUES (?, ?)",
            ((int(row), vector.tobytes()) for row, vector in zip(ids, block, strict=True)),
        )
        scores = np.concatenate([best_scores, queries @ block.T], axis=1)
        names = np.concatenate([best_ids, np.broadcast_to(ids, (len(queries), len(ids)))], axis=1)
        top = np.argpartition(-scores, 9, axis=1)[:, :10]
        best_scores = np.take_along_axis(scores, top, axis=1)
        best_ids = np.take_along_axis(names, top, axis=1)
    connection.execute("COMMIT")
    del made
    index = VectorIndex(folder, "c", "rows", _DIMENSION, "benchmark")
    began = time.monotonic()
    index.save(connection, 1)
    return time.monotonic() - began, queries, best_ids


def search(folder: Path) -> dict[str, float]:
    """Open the index and search it; return what was measured. Runs in a process of its own."""
    import faiss
    import psutil

    from retrieval.vector_index import VectorIndex

    queries, nearest = np.load(folder / "queries.npy"), np.load(folder / "nearest.npy")
    connection = sqlite3.connect(folder / "rows.sqlite3")
    process = psutil.Process()
    before = process.memory_info().rss
    began = time.monotonic()
    index = VectorIndex(folder, "c", "rows", _DIMENSION, "benchmark")
    index.search(connection, 1, queries[0], 100)
    loaded = time.monotonic() - began
    seconds, hits = [], 0
    for query, true in zip(queries, nearest, strict=True):
        began = time.monotonic()
        found = index.search(connection, 1, query, 100)
        seconds.append(time.monotonic() - began)
        hits += len({row for row, _ in found[:10]} & set(true.tolist()))
    memory = process.memory_info().rss - before
    piece = index.current(connection, 1).pieces[0]
    flat = faiss.IndexFlatIP(_DIMENSION)
    rows = connection.execute("SELECT vector FROM rows ORDER BY id")
    while block := rows.fetchmany(_BLOCK):
        flat.add(np.frombuffer(b"".join(row[0] for row in block), np.float32).reshape(-1, _DIMENSION))
    whole = []
    for query in queries[:50]:
        began = time.monotonic()
        flat.search(query[None], 100)
        whole.append(time.monotonic() - began)
    lists = getattr(piece, "index", None)
    return {
        "load_seconds": loaded,
        "memory_mib": memory / _MIB,
        "recall": hits / nearest.size,
        "p50_ms": float(np.percentile(seconds, 50)) * 1000,
        "p99_ms": float(np.percentile(seconds, 99)) * 1000,
        "flat_ms": float(np.percentile(whole, 50)) * 1000,
        "probes": lists.nprobe if lists is not None else 0,
        "lists": lists.nlist if lists is not None else 0,
    }


def measure(kind: str, rows: int) -> Result:
    """Make an index of so many vectors, and search it."""
    with tempfile.TemporaryDirectory(prefix="tekio-benchmark-") as place:
        folder = Path(place)
        seconds, queries, nearest = build(folder, kind, rows)
        np.save(folder / "queries.npy", queries)
        np.save(folder / "nearest.npy", nearest)
        command = [sys.executable, "-m", "evaluation.benchmarks.dense", "--search", place]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - this very module
        size = sum(path.stat().st_size for path in folder.glob("*.faiss"))
        return Result(kind, rows, seconds, size / _MIB, **json.loads(done.stdout.splitlines()[-1]))


def print_table(results: Sequence[Result]) -> None:
    """Print the runs."""
    print(
        f"{'vectors':10} {'rows':>9} {'build s':>8} {'file MiB':>8} {'load s':>7} {'memory MiB':>10} "
        f"{'lists':>10} {'recall@10':>9} {'p50 ms':>7} {'p99 ms':>7} {'all, ms':>7}"
    )
    for each in results:
        print(
            f"{each.kind:10} {each.rows:9,} {each.build_seconds:8.1f} {each.file_mib:8,.0f} {each.load_seconds:7.2f} "
            f"{each.memory_mib:10,.0f} {f'{each.probes}/{each.lists}':>10} {each.recall:9.4f} {each.p50_ms:7.2f} "
            f"{each.p99_ms:7.2f} {each.flat_ms:7.2f}"
        )


def main() -> int:
    """Run the benchmark, or one run of it."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.dense")
    parser.add_argument("--rows", default="100000,1000000", help="numbers of vectors")
    parser.add_argument("--kinds", default=",".join(KINDS), help="how the vectors lie")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--search", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.search:
        print(json.dumps(search(options.search)))
        return 0
    kinds = options.kinds.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        print(f"there are no vectors of kind {unknown[0]}; there are {', '.join(KINDS)}", file=sys.stderr)
        return 2
    results = [measure(kind, int(rows)) for rows in options.rows.split(",") for kind in kinds]
    show([asdict(result) for result in results], lambda: print_table(results), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
