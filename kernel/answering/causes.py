"""The error behind an error of Semantic Kernel's."""

from __future__ import annotations

from retrieval.errors import TekioError


def cause_of(error: BaseException) -> BaseException:
    """Return the error of ours that Semantic Kernel wrapped, or the error itself."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, TekioError):
            return inner
        inner = inner.__cause__
    return error
