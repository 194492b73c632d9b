"""How many questions a server answers at once, over real HTTP.

    python -m evaluation.benchmarks.load [ADDRESS] [--questions FILE] [--clients 16] [--requests 200] [--seconds 60]
                                         [--variants base,cited] [--stream] [--pid PID] [--json]

Without an ADDRESS a server of its own is started, over a new index of data/corpus, with the settings of this folder;
its memory is watched, as that of a server with `--pid` on this machine is. Each question is asked by one client first,
nothing stored and nothing remembered; then so many clients ask in turns, until so many requests are sent or so many
seconds are over (0 bounds neither), and what is under way is waited for.

An answer is *mixed up* when it names another question or is word for word, with all it cites, what one client got for
another question; it *differs* when it is neither that nor what one client got for its own, which an engine that
computes several prompts together may cause. A *429* is waited out as the server says and asked again, in whose time it
is counted; it is no error. *Lost* is what ended without an answer or an error. Ends with 3 when there was an error, or
an answer was lost or mixed up.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

import httpx
import psutil

from evaluation.benchmarks.load_asking import Ask, Reply, asked
from evaluation.benchmarks.load_figures import Result, lines, summed
from evaluation.benchmarks.output import say, show
from evaluation.benchmarks.own_server import ROOT, Server
from evaluation.questions import load_questions
from kernel.app import Tekio
from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError

QUESTIONS = ROOT / "data" / "questions.jsonl"
_TIMEOUT = httpx.Timeout(300.0, connect=10.0)
_MIB = 2**20


async def load(
    address: str,
    asks: Sequence[Ask],
    *,
    clients: int,
    requests: int,
    seconds: float,
    stream: bool,
    pid: int | None = None,
) -> Result:
    """Ask a server, first alone and then from many clients.

    Raises:
        TekioError: it does not answer one client alone.
    """
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=address, timeout=_TIMEOUT, limits=limits) as client:
        alone = [await asked(client, ask, stream=stream) for ask in asks]
        for reply in alone:
            if reply.error:
                raise TekioError(
                    f"{address} does not answer one client alone: {reply.error} for '{reply.ask.question}'"
                )
        memory = [_memory(pid)]
        replies: list[Reply] = []
        began = time.perf_counter()
        ends = began + seconds if seconds else float("inf")
        sent = 0

        async def one() -> None:
            nonlocal sent
            while (not requests or sent < requests) and time.perf_counter() < ends:
                ask = asks[sent % len(asks)]
                sent += 1
                replies.append(await asked(client, ask, stream=stream))
                halfway = (
                    len(replies) >= requests / 2 if requests else time.perf_counter() > (began + ends) / 2
                )
                if len(memory) == 1 and halfway:
                    memory.append(_memory(pid))

        await asyncio.gather(*(one() for _ in range(clients)))
        took = time.perf_counter() - began
        memory += [_memory(pid)] * (3 - len(memory))
    return summed(
        address, alone, replies, clients=clients, stream=stream, sent=sent, took=took, memory=memory
    )


def _memory(pid: int | None) -> float | None:
    """Return the MiB that a process and what it started hold; None for none."""
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return round(sum(each.memory_info().rss for each in family) / _MIB, 1)
    except psutil.Error as error:
        raise UsageError(f"the memory of process {pid} cannot be read: {error}") from error


@contextmanager
def own_server() -> Iterator[Server]:
    """Give a server over a new index of the sample corpus, ready, with the settings of this folder."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        say("making an index of data/corpus")
        with closing(Tekio(load_settings(index=str(index)), on_message=say)) as tekio:
            tekio.ingest([ROOT / "data" / "corpus"])
        with Server(index, folder=Path.cwd()) as server:
            say(f"the server was ready after {server.wait_until_ready():.1f} s")
            yield server


def asks_of(file: Path, variants: Sequence[str]) -> list[Ask]:
    """Return each question of a file to each variant, in turns."""
    questions = list(dict.fromkeys(each.question for each in load_questions(file)))
    return [Ask(question, variant) for question in questions for variant in variants]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.load")
    parser.add_argument("address", nargs="?", help="http://HOST:PORT; unset: a server of its own")
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument(
        "--requests", type=int, default=200, help="at most so many; 0: until the time is over"
    )
    parser.add_argument("--seconds", type=float, default=60, help="no more are sent after it; 0: no bound")
    parser.add_argument("--variants", default="", help="asked in turns, with commas; unset: the server's own")
    parser.add_argument(
        "--stream", action="store_true", help="as server-sent events, with the first token's time"
    )
    parser.add_argument("--pid", type=int, help="the server's process, to watch its memory")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    if options.clients < 1 or (not options.requests and not options.seconds):
        parser.error("there must be a client, and a bound of requests or seconds")
    variants = [name.strip() for name in options.variants.split(",")]
    chosen = {name: getattr(options, name) for name in ("clients", "requests", "seconds", "stream")}
    try:
        asks = asks_of(options.questions, variants)
        if options.address:
            result = asyncio.run(load(options.address, asks, **chosen, pid=options.pid))
        else:
            with own_server() as server:
                result = asyncio.run(load(server.address, asks, **chosen, pid=server.pid))
    except TekioError as error:
        say(str(error))
        return 2 if isinstance(error, UsageError) else 1
    show(asdict(result), lambda: print("\n".join(lines(result))), as_json=options.json)
    return 0 if result.is_good else 3


if __name__ == "__main__":
    sys.exit(main())
