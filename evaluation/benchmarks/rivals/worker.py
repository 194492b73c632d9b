"""The process of one system: makes its index, then answers blocks of queries until there are no more."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from evaluation.benchmarks.rivals.catalog import KINDS, System
from evaluation.benchmarks.rivals.messages import Answers, Ingested, Task
from evaluation.retrieval.beir import BeirDocument

TOP = 10
_MIB = 2**20


def ingest(system: System, task: Task) -> Ingested:
    """Make the index; the loading of the embedder is not counted."""
    folder = Path(task.folder)
    documents = [BeirDocument(*fields) for fields in task.documents]
    about = system.load(task.model)
    began, began_cpu = time.perf_counter(), time.process_time()
    system.ingest(documents, folder)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Ingested(about, seconds, cpu_seconds, size / _MIB)


def answer(system: System, queries: Sequence[str]) -> Answers:
    """Ask one query at a time. The first is asked once before, since others have had their turn in between."""
    rankings, seconds = [], []
    for query in queries[:1]:
        system.search(query, TOP)
    began_cpu = time.process_time()
    for query in queries:
        began = time.perf_counter()
        rankings.append(system.search(query, TOP))
        seconds.append(time.perf_counter() - began)
    return Answers(rankings, seconds, time.process_time() - began_cpu, peak_mib())


def peak_mib() -> float:
    """Return the most memory that this process has held, mapped files included.

    Linux hands `ru_maxrss` on from the process that started this one, so its own account is read where it is kept.
    """
    try:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:  # not Linux
        pass
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (_MIB if sys.platform == "darwin" else 1024)


def _own_output() -> TextIO:
    """Return standard output for the answers alone; what libraries print goes to standard error."""
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return own


def serve(name: str, out: TextIO) -> None:
    """Answer what comes on standard input."""
    system = KINDS[name].make()
    first = sys.stdin.readline()
    reply: Ingested | Answers = ingest(system, Task.of(json.loads(first)))
    del first
    print(json.dumps(asdict(reply)), file=out, flush=True)
    for line in sys.stdin:
        reply = answer(system, json.loads(line))
        print(json.dumps(asdict(reply)), file=out, flush=True)


def main() -> int:
    """Serve, or end with what went wrong as the last line on standard error."""
    try:
        serve(sys.argv[1], _own_output())
    except Exception as error:
        traceback.print_exc()
        print(f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
