"""Counting an embedder's tokens without the embedder: small enough to be sent to another process."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import TekioError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

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

    Raises:
        TekioError: the file is no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises Exception itself
        raise TekioError(f"{file} cannot be read: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encodable(text: str) -> str:
    """Replace what neither a tokenizer nor SQLite takes (no UTF-8, NUL) by one character each, so that offsets hold."""
    return _UNENCODABLE.sub("\ufffd", text)
