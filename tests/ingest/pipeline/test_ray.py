"""An ingest over a Ray cluster gives the very index of an ingest on one machine, also when a worker dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from ingest.pipeline import Plan, Progress, ingest_paths
from ingest.ray_stages import ray_running
from ingest.report import IngestReport
from retrieval.embedding import Embedder
from retrieval.errors import TekioError
from retrieval.passages import PassageIndex
from retrieval.sentence_transformer import SentenceTransformerEmbedder

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'tekio[ray]'")

Chunks = dict[tuple[str, int], tuple[str, tuple[float, ...]]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a head that does no work and two workers; return the address."""
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        started.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    yield started.address
    ray.shutdown()
    started.shutdown()  # type: ignore[no-untyped-call]


def make_embedder(folder: Path, revision: str) -> Embedder:
    import torch

    torch.set_num_threads(1)
    return SentenceTransformerEmbedder(
        folder,
        model="multilingual-e5-small",
        revision=revision,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    root.mkdir()
    for number in range(30):
        facts = "\n\n".join(
            f"Fact {number}.{k}: 温度は {k} 度に保つ。 Keep it at {k} degrees." for k in range(12)
        )
        (root / f"{number:02d}.md").write_text(f"# Document {number}\n\n{facts}\n")
    (root / "broken.pdf").write_bytes(b"no pdf")
    return root


def chunks(index: PassageIndex) -> Chunks:
    rows = index.store.select(vectors=True)
    return {
        (row.data["document"], row.data["start"]): (row.data["text"], tuple(row.vector.tolist()))
        for row in rows
        if row.vector is not None
    }


def token_bits(index: PassageIndex) -> dict[tuple[str, int], NDArray[np.uint8]]:
    """Return the packed token vectors of each chunk, bit by bit."""
    places = {row.id: (row.data["document"], row.data["start"]) for row in index.store.select()}
    packed = index.store.late(list(places))
    return {places[row_id]: np.unpackbits(np.frombuffer(codes, np.uint8)) for row_id, codes in packed.items()}


def ingest(
    index: PassageIndex,
    root: Path,
    embedder: SentenceTransformerEmbedder,
    plan: Plan,
    address: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    codec = embedder.token_codec()

    def stages(files: Any, planner: Any) -> Any:
        make = partial(make_embedder, embedder.folder, embedder.signature.revision)
        return ray_running(files, planner, plan.preparation, plan.limits, make, codec, address)

    with index.writing():
        return ingest_paths(
            [root],
            store=index,
            embedder=embedder,
            plan=plan,
            codec=codec,
            stages=stages if address else None,
            on_progress=on_progress,
        )


def test_the_index_is_that_of_one_machine_also_when_a_worker_is_killed(
    tmp_path: Path, corpus: Path, cluster: str, real_embedder: SentenceTransformerEmbedder, make_plan: Any
) -> None:
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.done < 4 or killed:
            return
        for process in psutil.process_iter(["pid", "cmdline"]):
            title = " ".join(process.info["cmdline"] or [])
            if title.startswith("ray::") and "EmbedStage" in title:
                process.kill()
                killed.append(process.info["pid"])
                return

    one = PassageIndex(tmp_path / "one", real_embedder.signature, create=True)
    many = PassageIndex(tmp_path / "many", real_embedder.signature, create=True)
    alone = ingest(one, corpus, real_embedder, make_plan())
    spread = ingest(many, corpus, real_embedder, make_plan(), cluster, kill_one)
    assert killed, "no worker was there to be killed"
    assert [(file.path, file.outcome, file.chunks, file.message) for file in spread.files] == [
        (file.path, file.outcome, file.chunks, file.message) for file in alone.files
    ]
    assert (spread.added, spread.failed) == (30, 1)
    expected, got = chunks(one), chunks(many)
    assert got.keys() == expected.keys()
    for place, (text, vector) in expected.items():
        assert got[place][0] == text
        assert np.allclose(got[place][1], vector, atol=1e-4)
    bits = token_bits(many)
    assert bits.keys() == expected.keys()
    assert all(np.mean(bits[place] != alone_bits) < 0.02 for place, alone_bits in token_bits(one).items())
    began = time.monotonic()
    again = ingest(many, corpus, real_embedder, make_plan(), cluster)
    assert (again.unchanged, again.failed) == (30, 1)
    assert time.monotonic() - began < 60
    one.close()
    many.close()


def test_a_cluster_that_is_not_there_is_told(
    tmp_path: Path, corpus: Path, real_embedder: SentenceTransformerEmbedder, make_plan: Any
) -> None:
    ray.shutdown()
    index = PassageIndex(tmp_path / "index", real_embedder.signature, create=True)
    with pytest.raises(TekioError, match="cannot be reached"):
        ingest(index, corpus, real_embedder, make_plan(), "127.0.0.1:1")
    assert not index.documents()
    index.close()
