"""Outcomes kept as they come, so that a run that was killed goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from evaluation.answers.outcome import Outcome
from retrieval import whole_files
from retrieval.errors import TekioError

_SUFFIX = ".part"
Key = tuple[str, str]
"""The id of a question, and the name of a run."""


class Journal:
    """A file of JSON lines beside a run file: what the run is of, then an outcome a line."""

    def __init__(self, out: Path, about: Mapping[str, Any]) -> None:
        """Take the run file and all that an outcome depends on, as JSON values."""
        self.path = out.with_name(out.name + _SUFFIX)
        self._about = json.dumps(about, ensure_ascii=False, sort_keys=True)
        self._file: IO[str] | None = None

    def outcomes(self) -> dict[Key, Outcome]:
        """Return what an earlier start of the same run left; nothing where that was of another run.

        A last line that was cut by a kill is left out.
        """
        found: dict[Key, Outcome] = {}
        try:
            lines = self.path.read_text("utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return {}
        if lines[0] != self._about:
            return {}
        for line in lines[1:-1]:
            try:
                outcome = Outcome.model_validate_json(line)
            except ValidationError:
                continue
            found[outcome.id, outcome.run] = outcome
        return found

    @contextmanager
    def writing(self, kept: Mapping[Key, Outcome]) -> Iterator[None]:
        """Open the journal with what is kept of an earlier start.

        Raises:
            TekioError: it cannot be written.
        """
        lines = [self._about, *(outcome.model_dump_json() for outcome in kept.values())]
        whole_files.write_whole(self.path, "\n".join(lines) + "\n")
        try:
            self._file = self.path.open("a", encoding="utf-8")
        except OSError as error:
            raise TekioError(f"cannot write {self.path}: {error.strerror or error}") from error
        try:
            yield
        finally:
            self._file.close()
            self._file = None

    def add(self, outcome: Outcome) -> None:
        """Write an outcome, so that it outlives the process."""
        assert self._file is not None
        self._file.write(outcome.model_dump_json() + "\n")
        self._file.flush()

    def remove(self) -> None:
        """Take the journal away, once the run file is written."""
        self.path.unlink(missing_ok=True)


def write_whole(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON document so that it is whole at any moment.

    Raises:
        TekioError: it cannot be written.
    """
    whole_files.write_whole(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")
