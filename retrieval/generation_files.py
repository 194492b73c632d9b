"""Files that are derived from a database, each named by the generation that it was made from.

They only save time: what is lost, stale or broken is made again from the database. A file is written beside and
renamed, so that a kill leaves the old one or the new one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_WRITE_SECONDS = 3600.0


class GenerationFiles:
    """The files of one kind of one collection.

    Args:
        folder: of the database.
        collection: its name, with which the files' names begin.
        database_uuid: names the database, so that another's files are not taken for its own.
        ending: of the kind, with its dot.
    """

    def __init__(self, folder: Path, collection: str, database_uuid: str, ending: str) -> None:
        self.folder = folder
        self.prefix = f"{collection}-{database_uuid[:8]}-"
        self._ending = ending

    def newest_first(self) -> list[Path]:
        """Return the files that are there."""
        found = [
            path
            for path in self.folder.glob(f"{self.prefix}*{self._ending}")
            if self.generation_of(path) >= 0
        ]
        return sorted(found, key=self.generation_of, reverse=True)

    def generation_of(self, path: Path) -> int:
        """Return the generation that a file's name gives; -1 for none."""
        number = path.stem.removeprefix(self.prefix)
        return int(number) if number.isdigit() else -1

    def has(self, generation: int) -> bool:
        """Tell whether there is a file of a generation."""
        return self._of(generation).is_file()

    def older_than(self, generation: int) -> list[Path]:
        """Return the files of earlier generations."""
        return [path for path in self.newest_first() if self.generation_of(path) < generation]

    @contextmanager
    def replacing(self, generation: int) -> Iterator[Path]:
        """Give a path to write to, which becomes the file of a generation when the context ends without an error."""
        target = self._of(generation)
        temporary = target.with_suffix(f".{os.getpid()}.tmp")
        try:
            yield temporary
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _of(self, generation: int) -> Path:
        return self.folder / f"{self.prefix}{generation}{self._ending}"

    def sweep(self) -> None:
        """Take away temporary files that killed processes left."""
        for path in self.folder.glob(f"{self.prefix}*.tmp"):
            if is_left_over(path):
                path.unlink(missing_ok=True)


def is_left_over(path: Path) -> bool:
    """Tell whether a temporary file was left by a process that was killed while it wrote."""
    try:
        if time.time() - path.stat().st_mtime > _LONGEST_WRITE_SECONDS:
            return True
        if sys.platform != "win32":
            os.kill(int(path.suffixes[-2].lstrip(".")), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return False
