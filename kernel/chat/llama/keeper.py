"""Runs one program, and ends it when whoever started this is gone: a process of its own, with nothing of Tekio's.

The first line of standard input says what to run. Its end, which comes however the starter ended, ends the program. A
signal at the starter's death alone would come when the thread that started the program ends, and on Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1
_PATIENCE_SECONDS = 3.0


def main() -> None:
    """Run the program, and end as it ends."""
    told = json.loads(sys.stdin.buffer.readline())
    # This process has one thread here, so what runs between fork and exec cannot meet a lock that another one holds.
    with_me = _die_with_parent if sys.platform == "linux" else None
    with open(told["log"], "ab") as log:  # noqa: PTH123
        child = subprocess.Popen(  # noqa: S603
            told["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **told["environment"]},
            preexec_fn=with_me,
        )
    threading.Thread(target=_end_when_told, args=(child, told["log"]), daemon=True).start()
    code = child.wait()
    os._exit(code if 0 <= code <= 255 else 1)


def _end_when_told(child: subprocess.Popen[bytes], log: str) -> None:
    sys.stdin.buffer.read()
    with contextlib.suppress(OSError):  # of a program that ended by itself it is kept
        os.unlink(log)  # noqa: PTH108
    child.terminate()
    try:
        child.wait(_PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
