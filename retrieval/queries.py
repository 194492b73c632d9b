"""What a question or query may be. Apart from the plugin that uses it, since Semantic Kernel is slow to import."""

from __future__ import annotations

from collections.abc import Sequence

from retrieval.errors import UsageError

MAX_TOP = 100
MAX_QUERY = 8000
MAX_PARTS = 4


def check_query(text: str) -> str:
    """Return a question or query without surrounding space.

    Raises:
        UsageError: it is empty or too long.
    """
    text = text.strip()
    if not text:
        raise UsageError("the question is empty: write what you want to know")
    if len(text) > MAX_QUERY:
        raise UsageError(f"the question has {len(text):,} characters, {MAX_QUERY:,} are the most: shorten it")
    return text


def check_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of a question, each once and without surrounding space.

    Raises:
        UsageError: there are too many, or one is empty, too long or no text.
    """
    if isinstance(parts, str) or not all(isinstance(part, str) for part in parts):
        raise UsageError("the parts of a question must be a list of texts")
    if len(parts) > MAX_PARTS:
        raise UsageError(f"a question can have {MAX_PARTS} parts, not {len(parts)}: ask in several questions")
    return tuple(dict.fromkeys(check_query(part) for part in parts))
