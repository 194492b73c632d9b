"""A small base with an adapter, for ensembles over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.paged.random_adapter import make_adapter


@pytest.fixture(scope="session")
def adapters(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an adapter `loud` over the small base."""
    folder = tmp_path_factory.mktemp("blended") / "adapters"
    make_adapter(small_base, folder / "loud")
    return folder
