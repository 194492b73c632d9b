"""When a stored answer is that of a question: everything that an answer depends on, as a key.

A key holds what was asked and every field that was said with it, who asks by what they may read, the variant with the
revision of its weights, the settings, the program and its prompts. A field or setting that is new is in the key
without more ado; those that change no answer are named here.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernel.answering.asked import Asked
from kernel.settings import Settings
from retrieval.access import reads

if TYPE_CHECKING:
    from kernel.answering.run import Variant

_NOT_IN_KEY = frozenset({"question", "caller", "variant", "cache", "trace"})
"""Fields of a question that change no answer, or stand in the key in another form."""
_PERSONAL = ("history", "conversation", "memories", "user")
"""Fields that make an answer one conversation's or one person's: it is never stored."""
_SAMPLES = "samples"

_SETTINGS_WITHOUT_EFFECT = frozenset(
    """
    index store memory adapters embedders cache offline answer_cache answers answer_cache_mb similar_questions
    trial_variant trial_share variants ensembles pipelines policies policy_files models
    passage_cache trace trace_content prometheus user_header groups_header threads variant technique top_k multi_query
    max_new_tokens max_prompt_tokens readers reader_seconds reader_memory_mb max_file_mb max_characters ocr
    ocr_languages chunk_tokens chunk_strategy chunk_overlap chunk_window chunk_child_tokens chunk_parent_tokens
    """.split()
)
_CODE = ("kernel", "plugins", "retrieval", "ingest")
_READ = {".py", ".txt", ".json", ".jsonl", ".yaml"}


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What a stored answer is found by: `scope` is everything but the question's words."""

    scope: bytes
    question: str

    @property
    def whole(self) -> bytes:
        """The key of the question itself."""
        return hashlib.sha256(self.scope + self.question.encode("utf-8", "surrogatepass")).digest()


def normalized_question(question: str) -> str:
    """Return a question in one spelling: NFKC, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", question).split())


def answer_key(asked: Asked, variant: Variant, language: str, parts: Sequence[str]) -> AnswerKey:
    """Return the key of a question.

    Args:
        asked: the question, and what was said with it.
        variant: who is to answer.
        language: of the answer.
        parts: what else answers depend on, each named: the settings, the program, the index, the embedder.
    """
    said = {
        field.name: _plain(getattr(asked, field.name))
        for field in fields(asked)
        if field.name not in _NOT_IN_KEY
    }
    said |= {"language": language, "variant": [variant.name, variant.revision], "reads": reads(asked.caller)}
    text = json.dumps([said, list(parts)], sort_keys=True, ensure_ascii=True)
    return AnswerKey(hashlib.sha256(text.encode()).digest(), normalized_question(asked.question))


def may_be_stored(asked: Asked) -> bool:
    """Say whether an answer could be given to somebody else who asks the same: not one that a conversation, a person's
    memory or a throw of dice is part of."""
    if any(getattr(asked, name, None) for name in _PERSONAL) or asked.temperature > 0:
        return False
    if getattr(asked, "temperature", 0.0):
        return False
    return int(getattr(asked, _SAMPLES, 1) or 1) <= 1


def settings_digest(settings: Settings) -> str:
    """Return what changes with every setting that changes answers."""
    said = settings.model_dump(mode="json", exclude=set(_SETTINGS_WITHOUT_EFFECT))
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def program_digest() -> str:
    """Return what changes with the program, its prompts, its examples and its fitted figures."""
    root = Path(__file__).parents[1]
    return folder_digest(path for room in _CODE for path in (root / room).rglob("*") if path.suffix in _READ)


def folder_digest(paths: Iterable[Path]) -> str:
    """Return what changes with the content or the names of files."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON does not have by its text, which must tell two values apart."""
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (str, int, float, bool)) else repr(value)
