"""Embedding with a sentence-transformers folder, by any engine: whole texts, and token by token."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import Embedded, EmbedderSignature
from retrieval.engines.build import build_encoder
from retrieval.engines.calibration import calibration_paragraphs
from retrieval.engines.catalog import ENGINES, Engine
from retrieval.errors import UsageError
from retrieval.gathering import Gathering
from retrieval.late_vectors import TokenCodec
from retrieval.model_folder import max_tokens, pad_id, pooling, projection, vector_length
from retrieval.token_counter import encodable, load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from retrieval.engines.encoders import Encoder

BATCH_TOKENS = 2048
"""Tokens that are computed together, padding included: eight texts of the usual length. Measured; more is no faster
on a processor, since what is in work no longer fits its cache."""
_GPU_BATCH_TOKENS = 32768
_CODEC_EVERY = 3
_QUERIES_AT_ONCE = 8
"""Every third paragraph of the calibration texts is enough for a mean."""


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The tokens of one text.

    `vectors` is float32 of shape (t, dimension), each of length one; `offsets` is int32 of shape (t, 2), the
    [start, end) of each token in characters of the text, without the space before it.
    """

    vectors: NDArray[np.float32]
    offsets: NDArray[np.int32]


class SentenceTransformerEmbedder:
    """An `Embedder` over a model folder. Safe to share between threads; one of them computes at a time.

    Nothing is loaded until it is needed, and counting tokens loads the tokenizer only. Texts longer than
    `max_tokens` are cut to it, by tokens. Lone surrogates and NUL, which no tokenizer takes, are replaced. Texts
    of the same tokens are computed once.

    Args:
        folder: has config.json, tokenizer.json and what sentence-transformers reads.
        model: the name that the index remembers.
        revision: changes when the weights do.
        query_prefix: is put before every text that is searched for.
        passage_prefix: is put before every text that is searched in.
        engine: what computes; the families of `retrieval.engines.catalog` say which vectors can be compared.
        exports: where models that engines need are kept; within `folder` unless given.
        batch_tokens: tokens computed together, padding included; None takes what suits the engine.
        threads: of the engine; 0 leaves it to the engine.
        say: is told when something takes a while.

    Raises:
        TekioError: the folder is no embedding model that can be read.
        UsageError: the engine cannot compute this folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: str,
        revision: str,
        query_prefix: str = "",
        passage_prefix: str = "",
        engine: Engine = ENGINES["torch"],
        exports: Path | None = None,
        batch_tokens: int | None = None,
        threads: int = 0,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        if batch_tokens is not None and batch_tokens < 1:
            raise ValueError("batch_tokens must be at least 1")
        self.folder = folder
        self.engine = engine
        self._max_tokens = max_tokens(folder)
        self._pooling = pooling(folder)
        if self._pooling is None and engine.name != "torch":
            raise UsageError(
                f"the embedder {model} has more layers than the engine {engine.name} computes: "
                "set embedder_engine to torch"
            )
        self._signature = EmbedderSignature(
            model=model,
            revision=revision,
            dimension=vector_length(folder),
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            normalized=True,
            engine=engine.family,
        )
        self._exports = exports or folder / "exports"
        self._batch_tokens = batch_tokens
        self._threads = threads
        self._say = say
        self._loading = threading.RLock()
        self._computing = threading.Lock()
        self._gathered = Gathering(self._computed, self._computing, most=_QUERIES_AT_ONCE)
        self._loaded_tokenizer: Tokenizer | None = None
        self._loaded_encoder: Encoder | None = None
        self._projection: NDArray[np.float32] | None = None

    @property
    def signature(self) -> EmbedderSignature:
        """What identifies the vectors; known without loading the model."""
        return self._signature

    @property
    def max_tokens(self) -> int:
        """The longest input in tokens, special tokens and prefix included."""
        return self._max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens or prefix. Loads the tokenizer only."""
        encodings = self._tokenizer().encode_batch(
            [encodable(text) for text in texts], add_special_tokens=False
        )
        return [len(encoding) for encoding in encodings]

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched in; float32 of shape (n, dimension)."""
        return self._embed(texts, self._signature.passage_prefix).vectors

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched for; float32 of shape (n, dimension)."""
        return self._embed(texts, self._signature.query_prefix).vectors

    def embed_packed(self, texts: Sequence[str], codec: TokenCodec) -> Embedded:
        """Embed texts that are searched in, and pack the vectors of their tokens, which come with it.

        They are None where the model's vectors are not pooled from its tokens' alone.
        """
        return self._embed(texts, self._signature.passage_prefix, codec)

    def embed_query(self, text: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Embed a text that is searched for, and its tokens: shapes (dimension,) and (t, hidden), in one go."""
        prefix = self._signature.query_prefix
        if self._pooling is None:
            return self._embed([text], prefix).vectors[0], np.zeros(
                (0, self._signature.dimension), np.float32
            )
        (encoding,) = self._encode([encodable(prefix + text)])
        states = self._gathered(encoding.ids)
        return _normalized(self._pooled(states)), _normalized(states[_own(encoding, len(prefix))])

    def embed_each(self, texts: Sequence[str]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Embed texts that are searched for, and their tokens, together: for each what `embed_query` gives."""
        prefix = self._signature.query_prefix
        if self._pooling is None:
            return [self.embed_query(text) for text in texts]
        encodings = self._encode([encodable(prefix + text) for text in texts])
        found: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}
        for batch in self._batches([len(encoding) for encoding in encodings]):
            with self._computing:
                computed = self._encoder().states([encodings[i].ids for i in batch])
            for i, states in zip(batch, computed, strict=True):
                own = _normalized(states[_own(encodings[i], len(prefix))])
                found[i] = _normalized(self._pooled(states)), own
        return [found[i] for i in range(len(texts))]

    def _computed(self, sequences: Sequence[Sequence[int]]) -> Sequence[NDArray[np.float32]]:
        return self._encoder().states(sequences)

    def token_codec(self) -> TokenCodec:
        """Return how token vectors of this model are packed: made once, of texts that come with Tekio."""
        file = self._exports / f"token-mean-{self.engine.family}.bin"
        if not file.is_file():
            texts = calibration_paragraphs()[::_CODEC_EVERY]
            tokens = self.embed_tokens(texts, prefix=self._signature.passage_prefix)
            codec = TokenCodec.fit(np.concatenate([each.vectors for each in tokens]))
            file.parent.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(f".{os.getpid()}.tmp")
            part.write_bytes(codec.to_bytes())
            part.replace(file)
        return TokenCodec.from_bytes(file.read_bytes())

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> list[TokenVectors]:
        """Return the vectors of each text's tokens in context: the encoder's last hidden states, not pooled.

        Tokens of the prefix, special tokens and tokens of nothing but space are left out, though the others
        were computed in their sight; a text longer than `max_tokens` is computed in parts. For late
        interaction (Khattab and Zaharia, "ColBERT", 2020): the score of a query for a passage is the sum over
        query tokens of the best product with a passage token.
        """
        parts = [self._parts(encodable(prefix + text)) for text in texts]
        flat = [encoding for part in parts for encoding in part]
        states = iter(self._states([encoding.ids for encoding in flat]))
        return [
            _joined([_visible_tokens(encoding, next(states), len(prefix), text) for encoding in part])
            for part, text in zip(parts, texts, strict=True)
        ]

    def token_offsets(self, texts: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return where the tokens stand that `embed_packed` packs, each of shape (t, 2), in characters of the text.

        Loads the tokenizer only.
        """
        prefix = len(self._signature.passage_prefix)
        encodings = self._encode([encodable(self._signature.passage_prefix + text) for text in texts])
        return [
            np.array([encoding.offsets[row] for row in _own(encoding, prefix)], np.int32).reshape(-1, 2)
            - prefix
            for encoding in encodings
        ]

    def warm_up(self) -> None:
        """Load the tokenizer and the model now."""
        self._tokenizer()
        self._encoder()

    def _embed(self, texts: Sequence[str], prefix: str, codec: TokenCodec | None = None) -> Embedded:
        if not texts:
            return Embedded.without_tokens(np.zeros((0, self._signature.dimension), np.float32))
        whole = [encodable(prefix + text) for text in texts]
        if self._pooling is None:
            return Embedded.without_tokens(self._by_all_modules(whole))
        sequences: list[tuple[int, ...]] = []
        encodings: dict[tuple[int, ...], Encoding] = {}
        for encoding in self._encode(whole):
            sequences.append(tuple(encoding.ids))
            encodings[sequences[-1]] = encoding
        distinct = list(encodings)
        pooled: dict[tuple[int, ...], NDArray[np.float32]] = {}
        packed: dict[tuple[int, ...], bytes] = {}
        for batch in self._batches([len(sequence) for sequence in distinct]):
            chosen = [distinct[i] for i in batch]
            with self._computing:
                states = self._encoder().states(chosen)
            for sequence, rows in zip(chosen, states, strict=True):
                pooled[sequence] = self._pooled(rows)
                if codec is not None:
                    packed[sequence] = codec.pack(_normalized(rows[_own(encodings[sequence], len(prefix))]))
        vectors = _normalized(np.stack([pooled[sequence] for sequence in sequences]))
        return Embedded(vectors, [packed.get(sequence) for sequence in sequences])

    def _pooled(self, states: NDArray[np.float32]) -> NDArray[np.float32]:
        pooled = states[0] if self._pooling == "cls" else np.asarray(states.mean(axis=0), np.float32)
        return pooled if self._projection is None else np.asarray(self._projection @ pooled, np.float32)

    def _by_all_modules(self, whole: list[str]) -> NDArray[np.float32]:
        from retrieval.engines.torch_encoder import TorchEncoder

        encoder = self._encoder()
        assert isinstance(encoder, TorchEncoder)
        vectors = np.zeros((len(whole), self._signature.dimension), np.float32)
        for batch in self._batches([len(encoding) for encoding in self._encode(whole)]):
            with self._computing:
                vectors[batch] = encoder.encode([whole[i] for i in batch])
        return vectors

    def _states(self, sequences: Sequence[Sequence[int]]) -> list[NDArray[np.float32]]:
        """Return the normalised hidden states of sequences, each of shape (len(sequence), hidden)."""
        found: dict[int, NDArray[np.float32]] = {}
        for batch in self._batches([len(sequence) for sequence in sequences]):
            with self._computing:
                states = self._encoder().states([sequences[i] for i in batch])
            found.update(zip(batch, map(_normalized, states), strict=True))
        return [found[i] for i in range(len(sequences))]

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Yield the positions of texts of like length, longest first, so that batches have little padding."""
        room = self._batch_tokens or (_GPU_BATCH_TOKENS if self._on_gpu() else BATCH_TOKENS)
        batch: list[int] = []
        for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
            if batch and lengths[batch[0]] * (len(batch) + 1) > room:
                yield batch
                batch = []
            batch.append(i)
        if batch:
            yield batch

    def _on_gpu(self) -> bool:
        model = getattr(self._encoder(), "model", None)
        return model is not None and model.device.type != "cpu"

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return what the encoder is given: cut to the limit, then put between the special tokens."""
        tokenizer = self._tokenizer()
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for encoding in encodings:
            encoding.truncate(self._room())
        return [tokenizer.post_process(encoding) for encoding in encodings]

    def _parts(self, text: str) -> list[Encoding]:
        """Return what the encoder is given of a text, in as many parts as it needs."""
        tokenizer = self._tokenizer()
        (whole,) = tokenizer.encode_batch([text], add_special_tokens=False)
        whole.truncate(self._room(), stride=0)
        return [tokenizer.post_process(encoding) for encoding in (whole, *whole.overflowing)]

    def _room(self) -> int:
        return self._max_tokens - self._tokenizer().num_special_tokens_to_add(is_pair=False)

    def _tokenizer(self) -> Tokenizer:
        with self._loading:
            if self._loaded_tokenizer is None:
                self._loaded_tokenizer = load_tokenizer(self.folder / "tokenizer.json")
            return self._loaded_tokenizer

    def _encoder(self) -> Encoder:
        with self._loading:
            if self._loaded_encoder is None:
                self._projection = None if self._pooling is None else projection(self.folder)
                self._loaded_encoder = build_encoder(
                    self.engine,
                    self.folder,
                    self._exports,
                    max_tokens=self._max_tokens,
                    pad_id=pad_id(self.folder),
                    prefix=self._signature.passage_prefix,
                    threads=self._threads,
                    say=self._say,
                )
            return self._loaded_encoder


def _normalized(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


def _own(encoding: Encoding, prefix: int) -> list[int]:
    """Return the rows of a text's own tokens: not those of the prefix, nor the special ones."""
    return [
        row
        for row, ((_, end), special) in enumerate(
            zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        )
        if not special and end > prefix
    ]


def _visible_tokens(encoding: Encoding, states: NDArray[np.float32], prefix: int, text: str) -> TokenVectors:
    """Keep the tokens that hold a visible character of the text itself."""
    rows: list[int] = []
    offsets: list[tuple[int, int]] = []
    for row, ((start, end), special) in enumerate(
        zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
    ):
        start, end = max(start - prefix, 0), end - prefix
        while start < end and text[start].isspace():
            start += 1
        if not special and start < end:
            rows.append(row)
            offsets.append((start, end))
    return TokenVectors(states[rows], np.array(offsets, np.int32).reshape(-1, 2))


def _joined(parts: Sequence[TokenVectors]) -> TokenVectors:
    if len(parts) == 1:
        return parts[0]
    return TokenVectors(
        np.concatenate([part.vectors for part in parts]), np.concatenate([part.offsets for part in parts])
    )
