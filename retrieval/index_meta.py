"""What an index keeps of itself beside its documents: its embedder, its identity, how tokens are packed, and notes."""

from __future__ import annotations

import json
import secrets
from typing import Any

from retrieval.embedding import EmbedderSignature
from retrieval.errors import IndexDamagedError, IndexSignatureError
from retrieval.keyword_tokens import KEYWORD_VERSION
from retrieval.late_vectors import TokenCodec
from retrieval.leg_weights import WEIGHTS_KEY
from retrieval.stores.interface import IndexDatabase

ANSWERABILITY = "answerability"
"""The note of an estimate that was fitted to what the index's embedder finds."""
DEFAULT_VARIANT = "default_variant"
"""The note of who answers over this index where nobody is asked for."""
COPYING = "copying"
"""The setting that names from where an index is being copied to this place."""
_SIGNATURE = "signature"
_NOTE = "note."
_CODEC = "token_codec"
_IDENTITY = "identity"
KEPT = (_SIGNATURE, _CODEC, WEIGHTS_KEY)
"""The settings that an index takes with it to another place."""


class IndexMeta:
    """The settings of one index's database."""

    def __init__(self, database: IndexDatabase) -> None:
        self._database = database

    def check_whole(self) -> None:
        """Check that the index is not half of a copy.

        Raises:
            IndexDamagedError: it is.
        """
        if source := self._database.get_meta(COPYING):
            raise IndexDamagedError(
                f"the copy of {source} to {self._database.place} did not end: run `tekio index copy` again"
            )

    def check_signature(self, signature: EmbedderSignature) -> bool:
        """Check that the index was made as it will be used; tell whether only its keywords are of an older kind.

        Raises:
            IndexSignatureError: it was made with another embedder.
        """
        wanted = signature.as_dict() | {"analysis": KEYWORD_VERSION}
        held = self._database.get_meta_json(_SIGNATURE)
        if held is None:
            self._database.set_meta(_SIGNATURE, json.dumps(wanted))
            return False
        different = [key for key in wanted if held.get(key) != wanted[key]]
        if different == ["analysis"]:
            return True
        if different:
            changes = ", ".join(f"{key} {held.get(key)!r} there, {wanted[key]!r} now" for key in different)
            raise IndexSignatureError(
                f"the index in {self._database.place} was made with another embedder ({changes}): set the embedder "
                f"back to {held.get('model')!r}, or ingest into another --index"
            )
        return False

    def keep_keyword_version(self) -> None:
        """Note that the keywords are of the kind that is made now."""
        held = self._database.get_meta_json(_SIGNATURE) | {"analysis": KEYWORD_VERSION}
        self._database.set_meta(_SIGNATURE, json.dumps(held))

    def engine(self) -> str | None:
        """Return the family of the vectors; None where none is noted."""
        held = self._database.get_meta_json(_SIGNATURE)
        return str(held["engine"]) if isinstance(held, dict) and held.get("engine") else None

    def replace_embedder(self, signature: EmbedderSignature, codec: TokenCodec | None) -> None:
        """Note by which embedder the vectors are from now on, and forget what was fitted to the one before."""
        held = self._database.get_meta_json(_SIGNATURE) | signature.as_dict()
        with self._database.write():
            self._database.set_meta(_SIGNATURE, json.dumps(held))
            self._database.set_meta(_CODEC, "" if codec is None else codec.to_bytes().hex())
            self._database.set_meta(_NOTE + ANSWERABILITY, json.dumps(None))

    def codec(self) -> TokenCodec | None:
        """Return how token vectors are packed here; None where they are not kept, or not yet."""
        held = self._database.get_meta(_CODEC)
        return TokenCodec.from_bytes(bytes.fromhex(held)) if held else None

    def keep_codec(self, codec: TokenCodec) -> None:
        """Note how token vectors are packed from now on."""
        self._database.set_meta(_CODEC, codec.to_bytes().hex())

    def identity(self) -> str:
        """Return what tells this index from others; empty for one that was never written to here."""
        return self._database.get_meta(_IDENTITY) or ""

    def ensure_identity(self) -> None:
        """Give the index an identity if it has none."""
        if not self.identity():
            self._database.set_meta(_IDENTITY, secrets.token_hex(8))

    def note(self, name: str) -> dict[str, Any] | None:
        """Return what was kept with the index under a name."""
        found: dict[str, Any] | None = self._database.get_meta_json(_NOTE + name)
        return found

    def keep_note(self, name: str, value: dict[str, Any] | None) -> None:
        """Keep a few plain values with the index under a name; None forgets them."""
        with self._database.writer(), self._database.write():
            self._database.set_meta(_NOTE + name, json.dumps(value))
