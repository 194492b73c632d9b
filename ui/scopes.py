"""Which scope each address of the API needs: the one table of it.

The first line that fits counts. What no line names needs `admin`, so that a new address is closed until
somebody has said who may use it; a test finds it.
"""

from __future__ import annotations

from typing import Literal

from kernel.api_keys import Scope

Needed = Scope | Literal["open"]
"""A scope, or `open` for what needs no key."""

_CHANGES = "POST PUT PATCH DELETE"
_TABLE: tuple[tuple[str, str, Needed], ...] = (
    # What tells nothing of the documents, and what load balancers ask.
    ("GET", "/", "open"),
    ("GET", "/docs", "open"),
    ("GET", "/openapi.json", "open"),
    ("GET", "/healthz", "open"),
    ("GET", "/readyz", "open"),
    # Figures without a text of any question.
    ("GET", "/metrics", "read"),
    ("POST", "/v1/ask", "read"),
    ("POST", "/v1/search", "read"),
    ("POST", "/v1/summarize", "read"),
    ("POST", "/v1/compare", "read"),
    ("POST", "/v1/extract", "read"),
    ("POST", "/v1/chat/completions", "read"),
    ("POST", "/v1/embeddings", "read"),
    ("GET", "/v1/variants", "read"),
    ("GET POST", "/v1/pipelines/**", "read"),
    ("GET", "/v1/models/**", "read"),
    ("POST", "/mcp", "read"),
    # What is the caller's own, and what a person adds to the collection.
    ("GET", "/v1/documents/**", "read"),
    (_CHANGES, "/v1/documents/**", "write"),
    # Work that takes the machine for a while, and reads its folders.
    ("GET POST DELETE", "/v1/jobs/**", "admin"),
    # Who answers everybody.
    ("GET POST", "/v1/policies/**", "admin"),
    ("GET", "/v1/memory/**", "read"),
    (_CHANGES, "/v1/memory/**", "write"),
    ("GET", "/v1/conversations/**", "read"),
    (_CHANGES, "/v1/conversations/**", "write"),
    ("GET", "/v1/feedback/**", "read"),
    (_CHANGES, "/v1/feedback/**", "write"),
    ("GET", "/v1/examples/**", "read"),
    (_CHANGES, "/v1/examples/**", "write"),
)


def named_scope(method: str, path: str) -> Needed | None:
    """Return what the table says of an address, by its template as `/v1/memory/{memory_id}`; None for nothing."""
    method = "GET" if method == "HEAD" else method
    for methods, pattern, needed in _TABLE:
        stem = pattern.removesuffix("/**")
        fits = path == stem or (pattern != stem and path.startswith(f"{stem}/"))
        if fits and method in methods.split():
            return needed
    return None


def needed_scope(method: str, path: str) -> Needed:
    """Return what an address needs; `admin` where nobody has said."""
    return named_scope(method, path) or "admin"
