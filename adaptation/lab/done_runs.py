"""Finished runs of an experiment as lines of a file, so that one that was stopped goes on with the next run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from retrieval.errors import TekioError


class DoneRuns:
    """What runs came to, by their keys. A kill loses at most the run under way."""

    def __init__(self, file: Path, digest: str) -> None:
        """Read the runs that are done.

        Args:
            file: of the lines; need not be there.
            digest: of what the runs have in common; lines of another one are passed over.
        """
        self._file, self._digest = file, digest
        self._done = self._read()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return what a run came to; None where it is not done."""
        return self._done.get(key)

    def put(self, key: str, found: dict[str, Any]) -> dict[str, Any]:
        """Keep what a run came to, and return it as it is read back.

        Raises:
            TekioError: it cannot be written.
        """
        line = json.dumps({"digest": self._digest, "key": key, "found": found})
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")  # on a line of its own, also behind one that a kill cut off
        except OSError as error:
            raise TekioError(
                f"{self._file} cannot be written ({error.strerror or error}): free some space and run it again"
            ) from error
        self._done[key] = json.loads(line)["found"]
        return self._done[key]

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._file.is_file():
            return {}
        found: dict[str, dict[str, Any]] = {}
        for line in self._file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                held = json.loads(line)
                if held["digest"] == self._digest:
                    found[held["key"]] = held["found"]
            except (ValueError, KeyError, TypeError):
                continue  # cut off
        return found
