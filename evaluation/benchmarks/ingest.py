"""How fast an ingest is and what it needs, against the plain loop that anybody would write first.

    python -m evaluation.benchmarks.ingest [--sizes 100,1000,10000] [--data ../shared/data]

The loop reads, cuts, embeds and writes one document after another with the same readers, the same model by
`SentenceTransformer.encode` with its defaults, and the same index. Each run is a process of its own; memory is
that of the process and its children together, what they share once (PSS), looked at ten times a second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmarks.corpora import write_documents
from evaluation.benchmarks.output import show
from retrieval.errors import TekioError

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Result:
    """One run: seconds from the first file to the last, without the start of Python and the loading of the model."""

    way: str
    documents: int
    chunks: int
    seconds: float
    peak_mib: int

    @property
    def chunks_a_second(self) -> float:
        """The pace."""
        return self.chunks / self.seconds


def run_pipeline(folder: Path, index: Path) -> tuple[int, int, float]:
    """Ingest as the command does; return documents, chunks and seconds."""
    from kernel.app import Tekio
    from kernel.settings import load_settings

    tekio = Tekio(load_settings(index=index))
    tekio.embedder.embed_passages(["so that the model is loaded"])
    began = time.monotonic()
    report = tekio.ingest([folder])
    seconds = time.monotonic() - began
    counts = report.added + report.unchanged, sum(file.chunks for file in report.files), seconds
    tekio.close()
    return counts


def run_loop(folder: Path, index: Path) -> tuple[int, int, float]:
    """Read, cut, embed and write one document after another; return documents, chunks and seconds."""
    from sentence_transformers import SentenceTransformer

    from ingest.discover import discover, hash_file
    from ingest.prepare import prepare
    from kernel.embedders import find_embedder
    from kernel.ingestion import ingest_plan
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings
    from retrieval.passages import PassageIndex

    settings = load_settings(index=index)
    embedder = find_embedder(settings, ModelStore(settings.cache, offline=settings.offline))
    preparation = ingest_plan(settings, embedder).preparation
    prefix = embedder.signature.passage_prefix
    store = PassageIndex(index, embedder.signature, create=True)
    model = SentenceTransformer(str(embedder.folder), device="cpu", local_files_only=True)
    model.encode(["so that the model is loaded"])
    preparation.count_tokens(["and the tokenizer"])
    documents = chunks = 0
    began = time.monotonic()
    with store.writing():
        for found in discover([folder]).files:
            prepared = prepare(found.path, found.key, found.name, hash_file(found.path), preparation)
            vectors = model.encode([prefix + text for text in prepared.texts])
            store.replace(prepared.document, prepared.chunks, vectors, prepared.texts)
            documents += 1
            chunks += len(prepared.chunks)
    return documents, chunks, time.monotonic() - began


_WAYS = {"loop": run_loop, "tekio": run_pipeline}


def measure(way: str, folder: Path, index: Path) -> Result:
    """Run one way in a process of its own and watch its memory."""
    command = [sys.executable, "-m", "evaluation.benchmarks.ingest", "--run", way, str(folder), str(index)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - this very module
    peak = _Peak(process.pid)
    assert process.stdout is not None
    answer = process.stdout.read()
    if process.wait() != 0:
        raise TekioError(f"the run of '{way}' over {folder} failed with exit code {process.returncode}")
    documents, chunks, seconds = json.loads(answer.splitlines()[-1])
    return Result(way, documents, chunks, seconds, peak.stop())


class _Peak:
    """Watches the memory of a process with its children, in MiB: what several share counts once, a part for each.

    So a child that was just forked, which shares all with its parent for a moment, does not count twice.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self._most // _MIB

    def _watch(self) -> None:
        import psutil

        while not self._stop.wait(0.1):
            try:
                root = psutil.Process(self._pid)
                family = [root, *root.children(recursive=True)]
                self._most = max(self._most, sum(_memory(each) for each in family))
            except psutil.Error:
                continue


def _memory(process: Any) -> int:
    """Return the bytes of a process, what it shares in part; where the system does not tell that, all of it."""
    held = process.memory_full_info()
    return int(getattr(held, "pss", held.rss))


def print_table(results: Sequence[Result]) -> None:
    """Print the runs, with the ratio to the loop over the same documents."""
    loops = {result.documents: result for result in results if result.way == "loop"}
    heads = (
        ("documents", 9),
        ("chunks", 7),
        ("seconds", 8),
        ("docs/s", 7),
        ("chunks/s", 8),
        ("ratio", 6),
        ("peak MiB", 8),
    )
    print(f"{'way':18} " + " ".join(f"{head:>{width}}" for head, width in heads))
    for each in results:
        loop = loops.get(each.documents)
        ratio = f"{loop.seconds / each.seconds:.2f}" if loop is not None else ""
        print(
            f"{each.way:18} {each.documents:9,} {each.chunks:7,} {each.seconds:8.1f} "
            f"{each.documents / each.seconds:7.1f} {each.chunks_a_second:8.1f} {ratio:>6} {each.peak_mib:8,}"
        )


def main() -> int:
    """Run the benchmark, or one run of it."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.ingest")
    parser.add_argument("--sizes", default="100,1000,10000", help="numbers of documents")
    parser.add_argument("--loop-up-to", type=int, default=10_000, help="the largest number for the loop")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--run", nargs=3, metavar=("WAY", "FOLDER", "INDEX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        way, folder, index = options.run
        print(json.dumps(_WAYS[way](Path(folder), Path(index))))
        return 0
    results: list[Result] = []
    try:
        for size in (int(part) for part in options.sizes.split(",")):
            with tempfile.TemporaryDirectory(prefix="tekio-benchmark-") as place:
                root = Path(place)
                write_documents(options.data, root / "documents", size)
                for way in ("loop", "tekio"):
                    if way == "tekio" or size <= options.loop_up_to:
                        results.append(measure(way, root / "documents", root / way))
                        print(f"{way}, {size} documents: done", file=sys.stderr)
                again = measure("tekio", root / "documents", root / "tekio")
                results.append(Result("tekio, unchanged", again.documents, 0, again.seconds, again.peak_mib))
    except (TekioError, ValueError) as error:
        print(f"evaluation.benchmarks.ingest: {error}", file=sys.stderr)
        return 1
    show([asdict(result) for result in results], lambda: print_table(results), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
