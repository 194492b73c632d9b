"""What goes wrong inside a library becomes one line for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.blocks import Outcome, ReadError

_LONGEST = 160


@contextmanager
def damaged(label: str) -> Iterator[None]:
    """Turn every error of a library within the block into a `ReadError`.

    A damaged file makes libraries raise almost anything, from `KeyError` to errors of their own. Lack of
    memory goes through: it says nothing of the file.

    Raises:
        ReadError: FAILED, "damaged <label> file: <reason>".
    """
    try:
        yield
    except (ReadError, MemoryError):
        raise
    except RecursionError as error:
        raise ReadError(Outcome.FAILED, f"damaged {label} file: nested too deeply") from error
    except Exception as error:
        raise ReadError(Outcome.FAILED, f"damaged {label} file: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return why an error came, on one line: what it says, or its name when it says nothing to a person."""
    said = " ".join(str(error).split())
    # The message of a KeyError is a bare key; its name says more.
    if not said or isinstance(error, LookupError):
        said = f"{type(error).__name__} {said}".strip()
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
