"""The files of a policy: the one that serves, the one that was trained last, and those that served before."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from kernel.policies.network import PolicyFile, digest_of
from retrieval.errors import TekioError, UsageError

_KEPT = 5
"""Policies that served before and are kept."""


class PolicyFolder:
    """The folder of one policy."""

    def __init__(self, root: Path, name: str) -> None:
        self.name = name
        self.folder = root / name

    @property
    def serving(self) -> Path:
        """The policy that chooses; no file where the safe default answers, exploration aside."""
        return self.folder / "policy.json"

    @property
    def candidate(self) -> Path:
        """The policy that was trained last and does not serve."""
        return self.folder / "candidate.json"

    @property
    def learner(self) -> Path:
        """What training goes on from."""
        return self.folder / "learner.safetensors"

    def earlier(self) -> list[Path]:
        """Return the policies that served before, the newest first."""
        return sorted((self.folder / "history").glob("*.json"), reverse=True)

    def keep_candidate(self, file: PolicyFile) -> Path:
        """Write a trained policy; it does not serve by that.

        Raises:
            TekioError: the folder cannot be written.
        """
        return self._write(self.candidate, file)

    def activate(self, file: PolicyFile) -> Path:
        """Have a policy serve from now on; the one before is kept.

        Raises:
            TekioError: the folder cannot be written.
        """
        if self.serving.exists():
            self._put_away("history")
        now = datetime.now(UTC).isoformat()
        return self._write(self.serving, file.model_copy(update={"activated": now}))

    def rollback(self, *, only: str = "") -> Path | None:
        """Take the policy that serves out, and put the one before in its place; return it, None for the safe default.

        Args:
            only: takes it out only if its file has this digest: of several that see a fall, one acts.

        Raises:
            UsageError: none serves.
            TekioError: the folder cannot be written.
        """
        if not self.serving.exists():
            raise UsageError(f"no policy serves as '{self.name}': its safe default answers already")
        if only and digest_of(self.serving) != only:
            return self.serving
        before = self.earlier()
        self._put_away("taken_out")
        if not before:
            return None
        try:
            return before[0].replace(self.serving)
        except OSError as error:
            raise self._unwritable(error) from error

    def _put_away(self, where: str) -> None:
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        try:
            (self.folder / where).mkdir(parents=True, exist_ok=True)
            self.serving.replace(self.folder / where / f"{now}.json")
            for old in sorted((self.folder / where).glob("*.json"), reverse=True)[_KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, path: Path, file: PolicyFile) -> Path:
        part = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(file.model_dump_json(), encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise self._unwritable(error) from error
        return path

    def _unwritable(self, error: OSError) -> TekioError:
        return TekioError(f"{self.folder} cannot be written ({error.strerror or error})")
