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
