"""The index of the settings, embedded anew by another embedder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ingest.context import embedding_texts
from ingest.embed import passage_embedding
from retrieval.passages import PassageIndex
from retrieval.records import Chunk
from retrieval.reembedding import reembed
from retrieval.token_counter import TokenCounter

if TYPE_CHECKING:
    from retrieval.sentence_transformer import SentenceTransformerEmbedder


def reembed_index(
    index: PassageIndex,
    embedder: SentenceTransformerEmbedder,
    *,
    chunk_tokens: int,
    say: Callable[[str], None] = lambda text: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Embed the passages of an index anew, see `retrieval.reembedding`, and close it; return how many there are.

    Args:
        index: opened with the embedder that it was made by.
        embedder: the new one.
        chunk_tokens: the longest text with its headings, in the new one's tokens.
        say: is told what takes a moment.
        on_progress: is told how many passages of how many are done.
    """
    count = TokenCounter(embedder.folder / "tokenizer.json")
    codec = None if index.codec() is None else embedder.token_codec()

    def texts_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
        texts: list[str] = []
        for title, of_title in groupby(rows, key=lambda row: str(row["title"])):
            texts += embedding_texts([_chunk(row) for row in of_title], title, count, chunk_tokens)
        return texts

    with closing(index):
        done = reembed(
            index,
            embedder.signature,
            texts_of=texts_of,
            embed=passage_embedding(embedder, codec),
            codec=codec,
            on_progress=on_progress,
        )
    with closing(PassageIndex(index.place, embedder.signature, create=True)) as new, new.writing():
        new.learn_weights(embedder.embed_query, say=say)
    return done


def _chunk(row: Mapping[str, Any]) -> Chunk:
    return Chunk(row["text"], row["start"], row["end"], row["page"], tuple(row["headings"]))
