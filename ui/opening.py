"""Settings and the facade for the commands, imported only when a command needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from ui.console import quiet_libraries, say

if TYPE_CHECKING:
    from kernel.app import Tekio
    from ui.bridge import Bridge


class _Closeable(Protocol):
    def close(self) -> None: ...


C = TypeVar("C", bound=_Closeable)


@contextmanager
def opened(index: str | Path | None = None) -> Iterator[Tekio]:
    """Open a Tekio over an index (the settings' own when None) and close it again."""
    quiet_libraries()
    from kernel import app
    from kernel.settings import load_settings

    with _closed_unless_interrupted(app.Tekio(load_settings(index=index), on_message=say)) as tekio:
        yield tekio


@contextmanager
def event_loop() -> Iterator[Bridge]:
    """Run an event loop beside the command, which `asyncio.run` would keep waiting for at Ctrl-C."""
    from ui.bridge import Bridge

    with _closed_unless_interrupted(Bridge()) as bridge:
        yield bridge


@contextmanager
def _closed_unless_interrupted(resource: C) -> Iterator[C]:
    # At Ctrl-C the process ends at once: closing would wait for a thread that loads or runs a model, and
    # what is on disk is whole at any moment.
    interrupted = False
    try:
        yield resource
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        if not interrupted:
            resource.close()
