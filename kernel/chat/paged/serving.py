"""How requests are served. Imports nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Serving:
    """How requests are served.

    Attributes:
        precision: how weights are held, see `kernel.chat.paged.precision`.
        threads: 0 leaves it to OpenVINO.
        slots: requests at work at a time.
        queue: requests that may wait.
        cache_mb: memory for keys and values.
        seconds: longest time of a request; 0 is without limit.
        guessed: most tokens that are guessed ahead; 0 guesses none.
        draft: folder of a smaller model of the same words that guesses; None guesses from the text itself.
    """

    precision: str = "int8"
    threads: int = 0
    slots: int = 8
    queue: int = 64
    cache_mb: int = 512
    seconds: float = 0.0
    guessed: int = 8
    draft: Path | None = None
