"""Strategies that search small pieces and show larger ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingest.strategies import Chunking
from retrieval.passages import PassageIndex

_TEXT = "# Cold chain\n\n" + "\n\n".join(
    f"Paragraph {number} begins. It says that item {number} is kept at {number} degrees. It ends there."
    for number in range(1, 30)
)


@pytest.mark.parametrize("strategy", ["sentence_window", "parent_child"])
def test_a_passage_shows_what_surrounds_the_piece_that_was_found_and_shows_it_once(
    run: Any, index: PassageIndex, embedder: Any, tmp_path: Path, strategy: str
) -> None:
    path = tmp_path / "cold.md"
    path.write_text(_TEXT)
    run(path, chunking=Chunking(strategy=strategy, child_tokens=32, parent_tokens=200))
    query = "At how many degrees is item 17 kept?"
    (vector,) = embedder.embed_queries([query])
    passages = index.search(query, vector, top_k=4)
    assert len(passages) == 4
    assert "item 17 is kept at 17 degrees" in passages[0].text
    small = {row.id: row.data for row in index.store.select()}
    for passage in passages:
        data = small[passage.id]
        assert passage.start <= data["start"] < data["end"] <= passage.end
        assert index.quote(passage.id, passage.start, passage.end) == passage.text
    assert len(passages[0].text) > len(small[passages[0].id]["text"])
    spans = sorted((passage.start, passage.end) for passage in passages)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
