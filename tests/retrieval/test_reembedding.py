"""An index embedded anew: all of it or nothing, while searches go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.database import Database
from retrieval.embedding import Embedded, EmbedderSignature
from retrieval.errors import IndexSignatureError
from retrieval.late_vectors import TokenCodec
from retrieval.passages import PassageIndex
from retrieval.records import Chunk, SourceDocument
from retrieval.reembedding import reembed

OLD = EmbedderSignature("old", "1", 4, "", "", True, "test")
NEW = EmbedderSignature("new", "1", 6, "q: ", "p: ", True, "test")
COUNT = 600  # more than are embedded together


def old_vectors(count: int) -> NDArray[np.float32]:
    return np.eye(4, dtype=np.float32)[np.arange(count) % 4]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    codec = TokenCodec(np.zeros(8, np.float32))
    index = PassageIndex(tmp_path, OLD, create=True)
    with index.writing():
        index.keep_tokens(codec)
        for start in range(0, COUNT, 100):
            words = [
                f"part number{row} of the valve stands in hall {row % 7}."
                for row in range(start, start + 100)
            ]
            text = "\n".join(words)
            chunks, at = [], 0
            for line in words:
                chunks.append(Chunk(line, at, at + len(line)))
                at += len(line) + 1
            source = SourceDocument(
                f"/{start}", str(start), f"title {start}", "text", text, "", len(text), 1, language="en"
            )
            late = [codec.pack(np.ones((2, 8), np.float32))] * 100
            index.replace(source, chunks, old_vectors(100), words, late)
        index.learn_weights(old_query)
    index.close()
    return tmp_path


def old_query(text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.array([1, 0, 0, 0], np.float32), np.ones((2, 8), np.float32)


def new_query(text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return np.array([0, 0, 0, 0, 0, 1], np.float32), np.ones((2, 8), np.float32)


def new_vector(text: str) -> NDArray[np.float32]:
    number = sum(map(ord, text))
    vector = np.zeros(6, np.float32)
    vector[number % 6] = 1
    return vector


def texts_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(row["text"]) for row in rows]


NEW_CODEC = TokenCodec(np.full(8, 0.5, np.float32))


def embed(texts: Sequence[str]) -> Embedded:
    packed = NEW_CODEC.pack(np.eye(8, dtype=np.float32)[:3])
    return Embedded(np.stack([new_vector(text) for text in texts]), [packed] * len(texts))


def embed_anew(index: PassageIndex, **changes: Any) -> int:
    arguments: dict[str, Any] = {
        "texts_of": texts_of,
        "embed": embed,
        "codec": NEW_CODEC,
    }
    return reembed(index, NEW, **(arguments | changes))


def everything(folder: Path, signature: EmbedderSignature) -> list[object]:
    """All that an index holds of its rows and of itself."""
    index = PassageIndex(folder, signature)
    assert isinstance(index.database, Database)
    rows = index.database.connection.execute(
        "SELECT r.id, key, data, vector, digest, tokens, codes FROM rows_passages r"
        " JOIN words_passages w ON w.id = r.id LEFT JOIN late_passages l ON l.id = r.id ORDER BY r.id"
    ).fetchall()
    meta = index.database.connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
    index.close()
    return [rows, meta]


def test_all_rows_get_new_vectors_and_ids_and_keep_what_they_say(folder: Path) -> None:
    before, _ = everything(folder, OLD)
    assert embed_anew(PassageIndex(folder, OLD)) == COUNT
    index = PassageIndex(folder, NEW)
    assert index.codec() is not None
    assert np.array_equal(index.codec().mean, NEW_CODEC.mean)  # type: ignore[union-attr]
    after, _ = everything(folder, NEW)
    assert isinstance(before, list)
    assert isinstance(after, list)
    assert [(row[1], row[2], row[5]) for row in after] == [(row[1], row[2], row[5]) for row in before]
    assert {row[0] for row in after}.isdisjoint({row[0] for row in before})
    hit = index.store.select(vectors=True, top=1)[0]
    assert hit.vector is not None
    assert np.array_equal(hit.vector, new_vector(hit.data["text"]))
    assert not index.learned_weights()
    index.learn_weights(new_query)
    assert index.learned_weights()
    known = index.known_vectors([hit.data["text"]])
    assert np.array_equal(known[hit.data["text"]][0], hit.vector)


def test_a_search_finds_by_the_new_vectors(folder: Path) -> None:
    embed_anew(PassageIndex(folder, OLD))
    index = PassageIndex(folder, NEW)
    wanted = np.zeros(6, np.float32)
    wanted[2] = 1
    found = index.search("nothing of these", wanted, top_k=5, mode="dense")
    assert all(new_vector(each.text)[2] == 1 for each in found)


def failing_after(calls: int) -> Callable[[Sequence[str]], Embedded]:
    made = 0

    def fail(texts: Sequence[str]) -> Embedded:
        nonlocal made
        made += 1
        if made > calls:
            raise KeyboardInterrupt
        return embed(texts)

    return fail


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_an_end_in_between_leaves_the_old_index_whole(folder: Path, calls: int) -> None:
    before = everything(folder, OLD)
    index = PassageIndex(folder, OLD)
    with pytest.raises(KeyboardInterrupt):
        embed_anew(index, embed=failing_after(calls))
    index.close()
    assert everything(folder, OLD) == before


def test_searches_go_on_in_the_old_generation_until_it_is_done(folder: Path) -> None:
    reader = PassageIndex(folder, OLD)
    before = [each.id for each in reader.search("valve", old_vectors(1)[0], top_k=5)]
    seen: list[list[int]] = []

    def look(done: int, total: int) -> None:
        seen.append([each.id for each in reader.search("valve", old_vectors(1)[0], top_k=5)])

    embed_anew(PassageIndex(folder, OLD), on_progress=look)
    assert seen == [before] * len(seen)
    assert len(seen) == 3


def test_what_was_open_with_the_old_embedder_is_told_and_mixes_nothing(folder: Path) -> None:
    reader = PassageIndex(folder, OLD)
    reader.search("valve", old_vectors(1)[0], top_k=5)
    embed_anew(PassageIndex(folder, OLD))
    with pytest.raises(IndexSignatureError, match="set the embedder back to 'new'"):
        reader.search("valve", old_vectors(1)[0], top_k=5)
    with pytest.raises(IndexSignatureError, match="'new'"), reader.writing():
        pass
    with pytest.raises(IndexSignatureError, match="'new'"):
        PassageIndex(folder, OLD)
