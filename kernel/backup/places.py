"""What a backup holds, and where that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from retrieval.stores.opening import Place

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is that belongs to an index.

    Attributes:
        index: folder or address of the documents.
        memory: of the memories and of the keys.
        said: folder of conversations and feedback, where the memories are not in PostgreSQL, which has these too.
        answers: file of the stored answers, which is never kept: it can be made anew.
        settings: file of the settings.
        folders: other folders, by their name in the backup.
    """

    index: Place
    memory: Place
    said: Path
    answers: Path
    settings: Path
    folders: Mapping[str, Path]


@dataclass(frozen=True, slots=True)
class Counted:
    """How much a backup holds; `bytes` is the file's own size."""

    documents: int
    files: int
    bytes: int
    made: str
