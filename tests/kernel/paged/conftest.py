"""A small base with a LoRA adapter, and engines over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.serving import Serving
from tests.kernel.paged.random_adapter import make_adapter

Make = Callable[..., BatchedGenerator]


@pytest.fixture(scope="session")
def adapter(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter over the small base."""
    return make_adapter(small_base, tmp_path_factory.mktemp("paged") / "loud")


@pytest.fixture
def make(small_base: Path) -> Iterator[Make]:
    """Make engines over the small base, which are closed in the end."""
    made: list[BatchedGenerator] = []

    def engine(folder: Path = small_base, **serving: object) -> BatchedGenerator:
        chosen = {"cache_mb": 64, "threads": 2, **serving}
        one = BatchedGenerator(folder.name, folder, Serving(**chosen), ChatTokenizer(folder))  # type: ignore[arg-type]
        made.append(one)
        return one

    yield engine
    for one in made:
        one.close()
