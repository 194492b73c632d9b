"""The adapters of a folder: what each is, whether it fits the base, and the versions before it.

An adapter that is trained anew under its name takes the place of the one before, which is kept, so that it can be put
back. Nothing is loaded here: whether an adapter has an effect is checked when it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kernel.chat.adapters import AdapterCard, check_adapter, list_adapters, list_reward_models
from retrieval.errors import TekioError, UsageError

HISTORY = ".history"
_KEPT = 3
"""Versions of an adapter that are kept beside the one in use."""


@dataclass(frozen=True, slots=True)
class AdapterState:
    """An adapter as it stands: `problem` says why it cannot be used over the base; empty for one that can."""

    name: str
    folder: Path
    card: AdapterCard | None
    problem: str
    size: int
    earlier: int

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        card = None if self.card is None else self.card.model_dump(exclude={"curve"})
        return {
            "name": self.name,
            "folder": str(self.folder.absolute()),
            "fits": not self.problem,
            "problem": self.problem or None,
            "size": self.size,
            "earlier": self.earlier,
            "card": card,
        }


def adapter_states(adapters: Path, *, base: str, base_folder: Path) -> list[AdapterState]:
    """Return the adapters and reward models of a folder, by name, each held against a base."""
    return [state_of(name, adapters, base=base, base_folder=base_folder) for name in registered(adapters)]


def registered(adapters: Path) -> list[str]:
    """Name the adapters and reward models of a folder."""
    return sorted([*list_adapters(adapters), *list_reward_models(adapters)])


def state_of(name: str, adapters: Path, *, base: str, base_folder: Path) -> AdapterState:
    """Return an adapter as it stands.

    Raises:
        UsageError: there is none of this name.
    """
    folder = _folder(name, adapters)
    card, problem = None, ""
    try:
        card = check_adapter(folder, base=base, base_folder=base_folder)
    except UsageError as error:
        problem = str(error)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return AdapterState(name, folder, card, problem, size, len(versions(name, adapters)))


def versions(name: str, adapters: Path) -> list[Path]:
    """Return the folders of the versions before, the newest first."""
    kept = adapters / HISTORY / name
    return sorted((path for path in kept.iterdir() if path.is_dir()), reverse=True) if kept.is_dir() else []


def put_in_place(whole: Path, out: Path) -> None:
    """Move a whole adapter to its folder; one that is there already becomes the version before.

    Raises:
        OSError: it cannot be moved; what was there is still there.
    """
    before = _keep(out) if out.exists() else None
    try:
        whole.rename(out)
    except OSError:
        if before is not None:
            before.rename(out)
        raise
    for old in versions(out.name, out.parent)[_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def remove(name: str, adapters: Path) -> Path:
    """Take an adapter out of use; it becomes a version before, from which `rollback` brings it back. Return where.

    Raises:
        UsageError: there is none of this name.
        TekioError: it cannot be moved.
    """
    return _moved(lambda: _keep(_folder(name, adapters)), adapters)


def rollback(name: str, adapters: Path) -> Path:
    """Put the version before in the place of an adapter, which becomes a version before itself; return its folder.

    Raises:
        UsageError: there is no version before.
        TekioError: it cannot be moved.
    """
    found = versions(name, adapters)
    if not found:
        raise UsageError(f"there is no earlier version of an adapter '{name}' in {adapters}")

    def swap() -> Path:
        whole = found[0].rename(adapters / f".{name}.back")
        put_in_place(whole, adapters / name)
        return adapters / name

    return _moved(swap, adapters)


def _keep(folder: Path) -> Path:
    kept = folder.parent / HISTORY / folder.name
    kept.mkdir(parents=True, exist_ok=True)
    return folder.rename(kept / datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ"))


def _moved(move: Callable[[], Path], adapters: Path) -> Path:
    try:
        return move()
    except OSError as error:
        raise TekioError(f"{adapters} cannot be written ({error.strerror or error})") from error


def _folder(name: str, adapters: Path) -> Path:
    if name not in registered(adapters):
        known = ", ".join(registered(adapters)) or "none"
        raise UsageError(f"there is no adapter '{name}' in {adapters}; there are: {known}")
    return adapters / name
