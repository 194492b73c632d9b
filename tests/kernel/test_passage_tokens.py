"""The tokens of passages as the index has them: known again, where they stand, and made where they are not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernel.answering.passage_tokens import PassageTokens, Tokens
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.markup import without_markup
from retrieval.passages import PassageIndex
from retrieval.records import Passage
from retrieval.sentence_transformer import SentenceTransformerEmbedder

TEXT = (
    "# Kiln K2\n\n## Firing\n\nThe kiln K2 is fired at 1,240 °C for nine hours. Its door stays shut.\n\n"
    "## 釉薬\n\n釉薬G-7は5℃から25℃の棚Cに保管する。開封後は三か月以内に使い切る。\n\n"
    "<table><tr><td>Cone</td><td>6</td></tr><tr><td>Hold</td><td>20 min</td></tr></table>\n"
)


@pytest.fixture(scope="module")
def index(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PassageIndex]:
    place = tmp_path_factory.mktemp("tokens")
    (place / "kiln.md").write_text(TEXT, encoding="utf-8")
    settings = Settings(index=place / "index", memory=place / "memory", cache=model_store.cache)
    with closing(Tekio(settings)) as app:
        app.ingest([place / "kiln.md"])
        yield app._open_index()


def found(index: PassageIndex, embedder: SentenceTransformerEmbedder) -> list[Passage]:
    vector, tokens = embedder.embed_query("釉薬 kiln")
    return index.search("釉薬 kiln", vector, top_k=5, tokens=tokens)


class Counted:
    """The embedder, which notes what it had to embed."""

    def __init__(self, inner: SentenceTransformerEmbedder) -> None:
        self.inner = inner
        self.embedded: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> Sequence[Any]:
        self.embedded += texts
        return self.inner.embed_tokens(texts, prefix=prefix)


@pytest.fixture
def own(index: PassageIndex, model_store: ModelStore) -> SentenceTransformerEmbedder:
    """The embedder that made the index."""
    from kernel.embedders import find_embedder

    return find_embedder(Settings(index=Path(str(index.place)), cache=model_store.cache), model_store)


def test_what_was_ingested_is_not_embedded_again(
    index: PassageIndex, own: SentenceTransformerEmbedder
) -> None:
    counted = Counted(own)
    tokens = PassageTokens(counted, own.token_codec, index.known_vectors, 224)
    passages = found(index, own)
    read = tokens.of(passages)
    assert counted.embedded == []
    assert len(read) == len(passages) > 1
    for passage, each in zip(passages, read, strict=True):
        assert each.text[each.start :] == without_markup(passage.text)
        assert tokens.codec.length(each.packed) == len(each.offsets) > 0


def test_a_passage_that_is_not_in_the_index_as_it_is_is_embedded_once(
    index: PassageIndex, own: SentenceTransformerEmbedder
) -> None:
    counted = Counted(own)
    tokens = PassageTokens(counted, own.token_codec, index.known_vectors, 224)
    (passage,) = [replace(found(index, own)[0], text="The hare runs. The kiln is hot.", headings=())]
    (made,) = tokens.of([passage])
    assert tokens.of([passage]) == [made]
    assert len(counted.embedded) == 1
    start, end = made.place("The kiln is hot.", made.start)
    first, last = made.rows(start, end)
    words = "".join(made.text[a:b] for a, b in made.offsets[first:last])
    assert words == "Thekilnishot."


def test_a_sentence_is_found_among_the_tokens_in_either_language(
    index: PassageIndex, own: SentenceTransformerEmbedder
) -> None:
    tokens = PassageTokens(own, own.token_codec, index.known_vectors, 224)
    passages = found(index, own)
    sentence = "開封後は三か月以内に使い切る。"
    for passage, each in zip(passages, tokens.of(passages), strict=True):
        if sentence in passage.text:
            first, last = each.rows(*each.place(sentence, each.start))
            assert "".join(each.text[a:b] for a, b in each.offsets[first:last]).strip() == sentence
            return
    pytest.fail("the passage was not found")


def test_packed_tokens_say_what_whole_vectors_say(
    index: PassageIndex, own: SentenceTransformerEmbedder
) -> None:
    tokens = PassageTokens(own, own.token_codec, index.known_vectors, 224)
    passages = found(index, own)
    _, asked = own.embed_query("How hot is the kiln fired?")
    best = []
    for passage, each in zip(passages, tokens.of(passages), strict=True):
        packed = tokens.codec.matches(asked, each.packed).max(axis=0).mean()
        (whole,) = own.embed_tokens([passage.text], prefix="passage: ")
        best.append((float(packed), float((asked @ whole.vectors.T).max(axis=1).mean())))
    by_packed, by_whole = (max(range(len(best)), key=lambda place: best[place][kind]) for kind in (0, 1))
    assert by_packed == by_whole


def test_a_sentence_that_is_nowhere_has_no_tokens() -> None:
    tokens = Tokens("some text", 0, b"", np.array([[0, 4], [5, 9]], np.int32))
    assert tokens.rows(*tokens.place("other", 0)) == (0, 0)
    assert tokens.rows(*tokens.place("text", 0)) == (1, 2)
