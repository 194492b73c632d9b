"""What a question or query may be. Apart from the plugin that uses it, since Semantic Kernel is slow to import."""

from __future__ import annotations

from retrieval.errors import UsageError

MAX_TOP = 100
MAX_QUERY = 8000


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
