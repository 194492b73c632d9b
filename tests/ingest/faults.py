"""A way to make a reading process crash, hang or eat memory, by what stands in the file."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence


def count_with_faults(texts: Sequence[str]) -> list[int]:
    """Count characters as tokens; do harm where a text asks for it."""
    for text in texts:
        if "CRASH" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "EXIT" in text:
            os._exit(7)
        if "HANG" in text:
            time.sleep(600)
        if "PRINT" in text:
            print("what a library says on standard output")
        if "EAT" in text:
            held = []
            while True:
                held.append(bytearray(32 * 2**20))
        if "RAISE" in text:
            raise ValueError("of the reader's\nown making")
        if "DEEP" in text:
            raise RecursionError
    return [len(text) for text in texts]
