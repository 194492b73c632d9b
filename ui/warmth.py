"""Models loaded beside the first requests of a server, and how far that is."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Literal

from kernel.app import Tekio
from retrieval.errors import IndexMissingError
from ui.console import debugging
from ui.failures import describe
from ui.rest_errors import kind_of

log = logging.getLogger("tekio.rest")

State = Literal["not_loaded", "loading", "loaded", "failed"]


class Warmth:
    """Loads a facade's models in the background.

    A failure is logged in one line and goes no further: a question meets it again and reports it.
    """

    def __init__(self, tekio: Tekio) -> None:
        self._tekio = tekio
        self._loading: asyncio.Task[None] | None = None
        self.state: State = "not_loaded"
        self.failure = ""

    def begin(self) -> None:
        """Begin to load, unless that is under way or done. Each question asks for it again, so that a
        service that was started before its index, or without a model, becomes ready by itself."""
        if self.state in ("not_loaded", "failed"):
            self.state = "loading"
            self._loading = asyncio.create_task(self._load())

    async def end(self) -> None:
        """Wait no longer for what is still loading."""
        if self._loading is not None:
            self._loading.cancel()
            with suppress(asyncio.CancelledError):
                await self._loading

    async def _load(self) -> None:
        try:
            await self._tekio.warm_up()
        except IndexMissingError:
            self.state = "not_loaded"
        except Exception as error:
            self.state, self.failure = "failed", kind_of(error)[1].message
            log.error("the models are not loaded: %s", describe(error), exc_info=debugging())
        else:
            self.state = "loaded"
