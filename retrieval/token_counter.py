"""Counting an embedder's tokens without the embedder: small enough to be sent to another process."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import TekioError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_MOST_SHARED = 2
_shared: dict[bytes, Tokenizer] = {}
_sharing = threading.Lock()
_UNENCODABLE = re.compile(r"[\x00\ud800-\udfff]")


class TokenCounter:
    """Counts tokens by a `tokenizer.json`, loaded at the first use. Pickled, it is a path."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._tokenizer: Tokenizer | None = None

    def __call__(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, without special tokens.

        Raises:
            TekioError: the file is no tokenizer.
        """
        if self._tokenizer is None:
            self._tokenizer = load_tokenizer(self.file)
        encodings = self._tokenizer.encode_batch(
            [encodable(text) for text in texts], add_special_tokens=False
        )
        return [len(encoding) for encoding in encodings]

    def __getstate__(self) -> dict[str, Any]:
        return {"file": self.file, "_tokenizer": None}


def load_tokenizer(file: Path) -> Tokenizer:
    """Load a tokenizer that neither cuts nor pads, which would make every count the same.

    One of 250,000 pieces takes 0.8 s, in which nothing else runs in Python, and 0.28 GB: models with the same one, as
    the embedder and the reading model, share it. Whoever gets it must not change it.

    Raises:
        TekioError: the file is no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        content = file.read_bytes()
    except OSError as error:
        raise TekioError(f"{file} cannot be read: {error}") from error
    digest = hashlib.sha256(content).digest()
    with _sharing:
        shared = _shared.get(digest)
        if shared is not None:
            return shared
        try:
            tokenizer = Tokenizer.from_buffer(content)
        except Exception as error:  # the library raises Exception itself
            raise TekioError(f"{file} cannot be read: {error}") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        while len(_shared) >= _MOST_SHARED:
            del _shared[next(iter(_shared))]
        _shared[digest] = tokenizer
        return tokenizer


def encodable(text: str) -> str:
    """Replace what neither a tokenizer nor SQLite takes (no UTF-8, NUL) by one character each, so that offsets hold."""
    return _UNENCODABLE.sub("\ufffd", text)
