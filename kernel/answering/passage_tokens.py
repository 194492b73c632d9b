"""The token vectors of passages as the index keeps them, and where each token stands.

To embed the passages of a question takes far longer than to find them. But each was embedded when it was ingested,
with its title and headings before it, and its tokens' vectors were packed to a bit a value. A passage is known again
by the very text that was embedded; only one that was made of several pieces, or was moved since, is embedded anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.context import ContextFitter, embedding_texts
from retrieval.embedding import EmbedderSignature
from retrieval.late_vectors import TokenCodec
from retrieval.markup import without_markup
from retrieval.records import Chunk, Passage
from retrieval.remembered import Remembered

if TYPE_CHECKING:
    from retrieval.sentence_transformer import TokenVectors

_KEPT_BYTES = 32 << 20
_MOST_CONTEXTS = 4096
"""Titles with headings that are remembered with what fits of them."""


class PassageEmbedder(Protocol):
    """Embeds texts token by token, and says where the tokens stand that an index keeps of a text."""

    @property
    def signature(self) -> EmbedderSignature:
        """Names the prefixes that the model was trained with."""

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> Sequence[TokenVectors]:
        """Return the vectors of each text's tokens, and where these stand."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text."""

    def token_offsets(self, texts: Sequence[str]) -> Sequence[NDArray[np.int32]]:
        """Return where the tokens that are packed stand, each of shape (t, 2), in characters of the text."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A passage's tokens: `packed` vectors, and `offsets` of shape (t, 2) into `text`, as it was embedded.

    The passage's own text begins at `start` of it; markup is left out.
    """

    text: str
    start: int
    packed: bytes
    offsets: NDArray[np.int32]

    def place(self, sentence: str, after: int) -> tuple[int, int]:
        """Return where a sentence of the passage stands in `text`, looked for from a place on; empty if nowhere."""
        bare = without_markup(sentence)
        start = self.text.find(bare, after) if bare else -1
        return (start, start + len(bare)) if start >= 0 else (after, after)

    def rows(self, start: int, end: int) -> tuple[int, int]:
        """Return the first and the one behind the last of the tokens that stand in a part of `text`."""
        if start >= end:
            return 0, 0
        first = int(np.searchsorted(self.offsets[:, 1], start, side="right"))
        return first, int(np.searchsorted(self.offsets[:, 0], end, side="left"))

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return 2 * len(self.text) + len(self.packed) + self.offsets.nbytes + 200


Known = Callable[[Sequence[str]], Mapping[str, tuple[Any, bytes | None]]]
"""Gives the vectors and packed token vectors of texts that an index has."""


class PassageTokens:
    """Gives the tokens of passages. Safe between threads."""

    def __init__(
        self,
        embedder: PassageEmbedder,
        codec_of: Callable[[], TokenCodec],
        known: Known,
        chunk_tokens: int,
    ) -> None:
        """Make it.

        Args:
            embedder: of the index.
            codec_of: gives that by which token vectors are packed, there and here; called when first needed.
            known: gives what the index has.
            chunk_tokens: longest chunk with its headings, as in the ingest: it decides how much of long headings
                was embedded.
        """
        self._codec_of = codec_of
        self._embedder = embedder
        self._known = known
        self._chunk_tokens = chunk_tokens
        self._fitter = ContextFitter(embedder.count_tokens, chunk_tokens)
        self._contexts = 0
        self._kept: Remembered[str, Tokens] = Remembered(_KEPT_BYTES, lambda tokens: tokens.size)

    @cached_property
    def codec(self) -> TokenCodec:
        """By which token vectors are packed."""
        return self._codec_of()

    def question(self, text: str) -> NDArray[np.float32]:
        """Return the vectors of a question's tokens, shape (t, hidden). Blocks."""
        (tokens,) = self._embedder.embed_tokens([text], prefix=self._embedder.signature.query_prefix)
        return tokens.vectors

    def of(self, passages: Sequence[Passage]) -> list[Tokens]:
        """Return the tokens of each passage. Blocks."""
        texts = [self._embedded_text(passage) for passage in passages]
        found = {text: self._kept.get(text) for text, _ in texts}
        missing = [(text, start) for text, start in dict(texts).items() if found[text] is None]
        if missing:
            found |= {tokens.text: self._kept.put(tokens.text, tokens) for tokens in self._read(missing)}
        return [tokens for text, _ in texts if (tokens := found[text]) is not None]

    def _read(self, texts: Sequence[tuple[str, int]]) -> list[Tokens]:
        wanted = [text for text, _ in texts]
        offsets = self._embedder.token_offsets(wanted)
        known = self._known(wanted)
        packed = {text: known[text][1] if text in known else None for text in wanted}
        # Vectors of another number of tokens are of another reading of the text: the tokenizer was changed.
        unknown = [
            text
            for text, places in zip(wanted, offsets, strict=True)
            if packed[text] is None or self.codec.length(packed[text] or b"") != len(places)
        ]
        made = self._made(unknown) if unknown else {}
        return [
            Tokens(text, start, *made[text])
            if text in made
            else Tokens(text, start, packed[text] or b"", places)
            for (text, start), places in zip(texts, offsets, strict=True)
        ]

    def _made(self, texts: Sequence[str]) -> dict[str, tuple[bytes, NDArray[np.int32]]]:
        """Return the packed vectors of texts that the index does not have, and where their tokens stand."""
        prefix = self._embedder.signature.passage_prefix
        each = self._embedder.embed_tokens(texts, prefix=prefix)
        return {
            text: (self.codec.pack(tokens.vectors), tokens.offsets)
            for text, tokens in zip(texts, each, strict=True)
        }

    def _embedded_text(self, passage: Passage) -> tuple[str, int]:
        """Return the text that was embedded for a passage, and where its own begins in it."""
        if self._contexts > _MOST_CONTEXTS:
            self._fitter, self._contexts = ContextFitter(self._embedder.count_tokens, self._chunk_tokens), 0
        self._contexts += 1
        chunk = Chunk(passage.text, passage.start, passage.end, passage.page, passage.headings)
        (text,) = embedding_texts(
            [chunk], passage.title, self._embedder.count_tokens, self._chunk_tokens, fitter=self._fitter
        )
        (bare,) = embedding_texts(
            [Chunk(passage.text, 0, 0)], "", self._embedder.count_tokens, self._chunk_tokens
        )
        return text, max(0, len(text) - len(bare))
