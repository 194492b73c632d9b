"""A process that reads files for another: pickled requests on standard input, answers on standard output.

It has limits of its own, so that a file can take down neither the ingest nor the machine. Answers are plain
values of this project; what was in a file is only ever text in them.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ingest.blocks import Outcome, ReadError
from ingest.discover import FileState
from ingest.prepare import Preparation, Prepared, prepare

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Request:
    """A file to read, see `prepare`."""

    path: Path
    key: str
    name: str
    state: FileState


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file gives nothing, in one line. `costly`: it cost the process, and would again."""

    outcome: Outcome
    message: str
    costly: bool = False


Reply = Prepared | Refusal


def answer(request: Request, preparation: Preparation) -> Reply:
    """Read a file; whatever goes wrong with it is a `Refusal`."""
    try:
        return prepare(request.path, request.key, request.name, request.state, preparation)
    except ReadError as error:
        return Refusal(error.outcome, str(error))
    except MemoryError:
        return Refusal(Outcome.FAILED, OUT_OF_MEMORY, costly=True)
    except RecursionError:
        return Refusal(Outcome.FAILED, "nested too deeply to be read")
    except Exception as error:  # a reader's own fault must not cost the other files
        message = " ".join(str(error).split())[:200]
        return Refusal(Outcome.FAILED, f"{type(error).__name__}: {message}")


OUT_OF_MEMORY = "needs more memory than a reader may have: split it, or raise reader_memory_mb in tekio.toml"


def send(stream: IO[bytes], value: Any) -> None:
    """Write one value with its length before it."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)))
    stream.write(data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one value.

    Raises:
        EOFError: the other side is gone.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    if len(data) < length:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 - both ends are this program


def limit_memory(limit: int) -> None:
    """Let this process have so many bytes of data, where the system can hold it to that."""
    if sys.platform == "linux":  # elsewhere RLIMIT_DATA does not count what is mapped
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    """Serve until the other side closes the pipe."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not get between the answers.
    os.dup2(2, 1)
    preparation, memory = receive(requests)
    limit_memory(memory)
    while True:
        try:
            request = receive(requests)
        except EOFError:
            return
        try:
            send(replies, answer(request, preparation))
        except MemoryError:  # while the answer was packed
            send(replies, Refusal(Outcome.FAILED, OUT_OF_MEMORY, costly=True))
