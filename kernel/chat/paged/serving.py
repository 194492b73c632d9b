"""How requests are served. Imports nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BatchEngine = Literal["openvino", "torch"]

CPU_CACHE_MB = 512
"""Memory for keys and values where nothing is said of it and there is no GPU."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How requests are served.

    Attributes:
        engine: what computes a step: OpenVINO on processors, torch on GPUs.
        precision: how weights are held, see `kernel.chat.paged.precision`; torch also takes `auto`.
        threads: 0 leaves it to the engine.
        slots: requests at work at a time.
        queue: requests that may wait.
        cache_mb: memory for keys and values; 0 takes all that is left of a GPU, and 512 on processors.
        seconds: longest time of a request; 0 is without limit.
        guessed: most tokens that are guessed ahead; 0 guesses none.
        draft: folder of a smaller model of the same words that guesses; None guesses from the text itself.
        draft_precision: how its weights are held; empty: as those of the model.
        draft_words: it guesses among so many of its commonest words; 0: among all.
        from_text: guesses are looked up in the text first where its end stood before, and by the draft elsewhere.
        sampled_guesses: whether its guesses are drawn where answers are, see `Chooser`.
        steady: as many tokens are guessed each time, whether they hold or not.
        gpu_memory_share: what all models may take of a GPU's memory, together.
        others_mb: what the other models take of it, in MiB.
    """

    engine: BatchEngine = "openvino"
    precision: str = "int8"
    threads: int = 0
    slots: int = 8
    queue: int = 64
    cache_mb: int = 0
    seconds: float = 0.0
    guessed: int = 8
    draft: Path | None = None
    draft_precision: str = ""
    draft_words: int = 0
    from_text: bool = True
    sampled_guesses: bool | None = None
    steady: bool = False
    gpu_memory_share: float = 0.9
    others_mb: int = 0
