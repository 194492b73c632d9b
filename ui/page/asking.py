"""A question being answered: it goes on whatever the page does meanwhile, and is kept when it ends.

Streamlit runs the page anew at every click and forgets it at every reload. So the answer is made beside it, in the
engine's event loop; a run of the page looks on until it is there, and whoever comes later finds it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from time import monotonic

from kernel.answer import AskEvent, PipelineReport
from kernel.composed.bounds import bounded_steps
from kernel.pipelines.events import StepFailedError
from retrieval.errors import TekioError
from ui.bridge import Bridge
from ui.failures import describe
from ui.page.turn import Turn

log = logging.getLogger("tekio.chat")


class Asking:
    """A question on its way. `turn` fills while it goes."""

    def __init__(
        self,
        bridge: Bridge,
        turn: Turn,
        events: Callable[[], AsyncGenerator[AskEvent, None]],
        keep: Callable[[Turn], None],
    ) -> None:
        """Begin.

        Args:
            bridge: to the event loop.
            turn: takes what comes.
            events: makes the stream of the answer.
            keep: is called once with the turn when it has ended, however it has; in a thread, since it may block.
        """
        self.turn = turn
        self.began = monotonic()
        self._events = events
        self._keep = keep
        self._ended = threading.Event()
        self._running = bridge.start(self._run())

    def stop(self) -> None:
        """Stop it; what there is of the answer stays as a draft."""
        self.turn.stage = "stopping"
        self._running.cancel()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long; say whether it has ended."""
        return self._ended.wait(seconds)

    async def _run(self) -> None:
        try:
            await self._follow()
        finally:
            try:
                await asyncio.to_thread(self._keep, self.turn)
            except TekioError as error:
                self.turn.said = describe(error)
            except Exception as error:
                log.exception("a turn could not be kept")
                self.turn.said = describe(error)
            finally:
                self.turn.stage = ""
                self._ended.set()

    async def _follow(self) -> None:
        turn = self.turn
        try:
            async with aclosing(self._events()) as stream:
                async for event in stream:
                    if event.type == "passages":
                        turn.reading, turn.stage = len(event.passages), "reading"
                    elif event.type == "token":
                        turn.draft += event.text
                        turn.stage = "writing"
                    else:
                        turn.answer = event.answer
        except asyncio.CancelledError:
            raise
        except StepFailedError as error:
            turn.error, turn.steps = describe(error), bounded_steps(PipelineReport(steps=error.result.steps))
        except TekioError as error:
            turn.error = describe(error)
        except Exception as error:
            log.exception("a question failed")
            turn.error = describe(error)
