"""Embedding with a sentence-transformers folder on torch: whole texts, and token by token."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.embedding import EmbedderSignature
from retrieval.errors import TekioError
from retrieval.model_folder import max_tokens, vector_length

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Encoding, Tokenizer

DEFAULT_BATCH = 16
_UNENCODABLE = re.compile(r"[\x00\ud800-\udfff]")


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

    Nothing is loaded until it is needed, and counting tokens loads the tokenizer only, without torch. Texts
    longer than `max_tokens` are cut to it, by tokens. Lone surrogates and NUL, which no tokenizer takes, are
    replaced.

    Args:
        folder: has config.json, tokenizer.json and what sentence-transformers reads.
        model: the name that the index remembers.
        revision: changes when the weights do.
        query_prefix: is put before every text that is searched for.
        passage_prefix: is put before every text that is searched in.
        batch_size: texts computed together; texts of like length share a batch.

    Raises:
        TekioError: the folder is no embedding model that can be read.
    """

    def __init__(
        self,
        folder: Path,
        *,
        model: str,
        revision: str,
        query_prefix: str = "",
        passage_prefix: str = "",
        batch_size: int = DEFAULT_BATCH,
    ) -> None:
        if batch_size < 1:
            raise ValueError("batch_size must be at least 1")
        self.folder = folder
        self.batch_size = batch_size
        self._max_tokens = max_tokens(folder)
        self._signature = EmbedderSignature(
            model=model,
            revision=revision,
            dimension=vector_length(folder),
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            normalized=True,
            engine="sentence-transformers",
        )
        self._loading = threading.Lock()
        self._computing = threading.Lock()
        self._loaded_tokenizer: Tokenizer | None = None
        self._loaded_model: SentenceTransformer | None = None

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
        encodings = self._tokenizer().encode_batch([_clean(text) for text in texts], add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def embed_passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched in; float32 of shape (n, dimension)."""
        return self._embed(texts, self._signature.passage_prefix)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts that are searched for; float32 of shape (n, dimension)."""
        return self._embed(texts, self._signature.query_prefix)

    def embed_tokens(self, texts: Sequence[str], *, prefix: str) -> list[TokenVectors]:
        """Return the vectors of each text's tokens in context: the encoder's last hidden states, not pooled.

        Tokens of the prefix, special tokens and tokens of nothing but space are left out, though the others
        were computed in their sight; a text longer than `max_tokens` has vectors for its beginning. For late
        interaction (Khattab and Zaharia, "ColBERT", 2020): the score of a query for a passage is the sum over
        query tokens of the best product with a passage token.
        """
        encodings = self._encode([_clean(prefix + text) for text in texts])
        results: dict[int, TokenVectors] = {}
        for batch in self._batches([len(encoding) for encoding in encodings]):
            states = self._hidden_states([encodings[i] for i in batch])
            for i, rows in zip(batch, states, strict=True):
                results[i] = _visible_tokens(encodings[i], rows, len(prefix), texts[i])
        return [results[i] for i in range(len(texts))]

    def warm_up(self) -> None:
        """Load the tokenizer and the model now."""
        self._tokenizer()
        self._model()

    def _embed(self, texts: Sequence[str], prefix: str) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self._signature.dimension), np.float32)
        if not texts:
            return vectors
        whole = [_clean(prefix + text) for text in texts]
        model = self._model()
        with self._computing:
            for batch in self._batches([len(e) for e in self._tokenizer().encode_batch(whole)]):
                vectors[batch] = model.encode(
                    [whole[i] for i in batch],
                    prompt="",  # the prefix is there already; a folder may name a prompt of its own
                    batch_size=self.batch_size,
                    show_progress_bar=False,
                    normalize_embeddings=True,
                )
        return vectors

    def _batches(self, lengths: Sequence[int]) -> Iterator[list[int]]:
        """Yield the positions of texts of like length, longest first, so that batches have little padding."""
        order = sorted(range(len(lengths)), key=lambda i: -min(lengths[i], self._max_tokens))
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _encode(self, texts: Sequence[str]) -> list[Encoding]:
        """Return what the encoder is given: cut to the limit, then put between the special tokens."""
        tokenizer = self._tokenizer()
        room = self._max_tokens - tokenizer.num_special_tokens_to_add(is_pair=False)
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        for encoding in encodings:
            encoding.truncate(room)
        return [tokenizer.post_process(encoding) for encoding in encodings]

    def _hidden_states(self, encodings: Sequence[Encoding]) -> list[NDArray[np.float32]]:
        """Return the encoder's output for each encoding, normalised, of shape (tokens, hidden)."""
        import torch

        model = self._model()
        encoder: Any = model[0].auto_model
        longest = max(len(encoding) for encoding in encodings)
        ids = torch.full((len(encodings), longest), int(encoder.config.pad_token_id or 0))
        mask = torch.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = torch.tensor(encoding.ids)
            mask[row, : len(encoding)] = 1
        with self._computing, torch.inference_mode():
            output = encoder(input_ids=ids.to(model.device), attention_mask=mask.to(model.device))
            states = torch.nn.functional.normalize(output.last_hidden_state.float(), dim=-1).cpu().numpy()
        return [states[row, : len(encoding)] for row, encoding in enumerate(encodings)]

    def _tokenizer(self) -> Tokenizer:
        with self._loading:
            if self._loaded_tokenizer is None:
                from tokenizers import Tokenizer

                path = self.folder / "tokenizer.json"
                try:
                    tokenizer = Tokenizer.from_file(str(path))
                except Exception as error:  # the library raises Exception itself
                    raise TekioError(f"{path} cannot be read: {error}") from error
                # A file may say to cut and pad, which would make every count the same.
                tokenizer.no_truncation()
                tokenizer.no_padding()
                self._loaded_tokenizer = tokenizer
            return self._loaded_tokenizer

    def _model(self) -> SentenceTransformer:
        with self._loading:
            if self._loaded_model is None:
                import torch
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging

                logging.disable_progress_bar()  # type: ignore[no-untyped-call]
                try:
                    self._loaded_model = SentenceTransformer(
                        str(self.folder),
                        device="cuda" if torch.cuda.is_available() else "cpu",
                        local_files_only=True,
                        model_kwargs={"dtype": torch.float32},
                    ).eval()
                    self._loaded_model.max_seq_length = self._max_tokens
                except (OSError, ValueError, RuntimeError, KeyError) as error:
                    first = str(error).strip().split("\n")[0]
                    raise TekioError(f"the embedder in {self.folder} cannot be loaded: {first}") from error
            return self._loaded_model


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


def _clean(text: str) -> str:
    """Replace what has no UTF-8, and NUL, by one character each, so that offsets hold."""
    return _UNENCODABLE.sub("\ufffd", text)
