"""Files that are whole at any moment: the new one is written beside the old, and then takes its name."""

from __future__ import annotations

import os
from pathlib import Path

from retrieval.errors import TekioError


def write_whole(path: Path, text: str) -> None:
    """Write a text in UTF-8; its folder is made where it is not there.

    Raises:
        TekioError: it cannot be written; what was there before is left as it was.
    """
    beside = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise TekioError(f"cannot write {path}: {error.strerror or error}") from error
