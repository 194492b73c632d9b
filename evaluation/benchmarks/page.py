"""How long the page takes to be there, in a real Chromium: its first paint, and the moment one can ask.

    python -m evaluation.benchmarks.page [ADDRESS] [--index DIR] [--loads 10] [--language en] [--json]

A server of its own (`tekio chat`) over the index is started, unless an address is given, and a headless Chromium opens
the page so many times, each time in a window of its own with nothing cached, after one load that is thrown away: the
server is warm then. Counted from the moment the address is asked for, in milliseconds: *first paint* is the browser's
first contentful paint, *heading* when the page's own first text is there, *can ask* when the field for questions can be
typed into. The aim is a first paint below 2 s. Without --index a new one of data/corpus is made.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from evaluation.benchmarks.browser import chromium
from evaluation.benchmarks.output import say, show
from evaluation.benchmarks.own_server import ROOT, free_port
from evaluation.benchmarks.startup import sample_index
from retrieval.engines.cpu import cpu_name, processors
from retrieval.errors import TekioError

MOMENTS = ("first paint", "heading", "can ask")
AIM_MS = 2000
_SECONDS = 120
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
_WATCH = """
window.tekioMoments = {};
const looked = () => {
  const box = document.querySelector('[data-testid="stChatInputTextArea"]');
  if (!window.tekioMoments.heading && document.querySelector(".tk-title"))
    window.tekioMoments.heading = performance.now();
  if (!window.tekioMoments.ask && box && !box.disabled) window.tekioMoments.ask = performance.now();
  else requestAnimationFrame(looked);
};
requestAnimationFrame(looked);
"""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured: each moment of each load in milliseconds, and on what."""

    loads: int
    language: str
    moments_ms: dict[str, list[float]]
    processor: str
    cores: int
    browser: str
    date: str


def measure(address: str, loads: int, language: str) -> Result:
    """Open the page so many times, and once before.

    Raises:
        TekioError: there is no browser, or the page does not come.
    """
    found: dict[str, list[float]] = {name: [] for name in MOMENTS}
    with chromium() as browser:
        for number in range(loads + 1):
            once = load_once(browser, address, language)
            if number:
                for name in MOMENTS:
                    found[name].append(round(once[name], 1))
        version = str(browser.version)
    return Result(
        loads, language, found, cpu_name(), processors(), version, datetime.now(UTC).date().isoformat()
    )


def load_once(browser: Any, address: str, language: str) -> dict[str, float]:
    """Open the page in a window of its own; return the moments by their names, in milliseconds."""
    context = browser.new_context(locale="ja-JP" if language == "ja" else "en-US")
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(address)
        page.wait_for_function("window.tekioMoments.ask", timeout=_SECONDS * 1000)
        page.wait_for_function(_PAINT, timeout=_SECONDS * 1000)
        moments = page.evaluate("window.tekioMoments")
        return {
            "first paint": page.evaluate(_PAINT),
            "heading": moments.get("heading", moments["ask"]),
            "can ask": moments["ask"],
        }
    finally:
        context.close()


@contextmanager
def served(index: Path) -> Iterator[str]:
    """Serve the page over an index; give its address.

    Raises:
        TekioError: it does not start.
    """
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = [sys.executable, "-m", "ui.cli", "chat", "--port", str(port), "--index", str(index)]
        environment = {**os.environ, "PYTHONPATH": paths}
        running = subprocess.Popen(  # noqa: S603 - our own words
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(lambda: httpx.get(f"{address}/_stcore/health", timeout=2).status_code == 200, running)
            yield address
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(_SECONDS)


def _wait(answers: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end and running.poll() is None:
        try:
            if answers():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TekioError("the page is not served; `tekio chat` says why")


def lines(result: Result) -> list[str]:
    """Return the table."""
    rows = [
        f"{result.loads} loads, {result.language}; {result.cores} cores of {result.processor}, Chromium "
        f"{result.browser}, {result.date}",
        f"{'ms':<12}{'median':>8}{'least':>8}{'most':>8}",
    ]
    for name, values in result.moments_ms.items():
        rows.append(f"{name:<12}{statistics.median(values):>8,.0f}{min(values):>8,.0f}{max(values):>8,.0f}")
    reached = statistics.median(result.moments_ms["first paint"]) < AIM_MS
    return [*rows, f"first paint below {AIM_MS:,} ms: {'reached' if reached else 'NOT reached'}"]


def main(given: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.page")
    parser.add_argument("address", nargs="?", help="of a page that is served already")
    parser.add_argument("--index", type=Path)
    parser.add_argument("--loads", type=int, default=10)
    parser.add_argument("--language", choices=("en", "ja"), default="en")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args(given)
    if options.loads < 1:
        parser.error("--loads is at least 1")
    try:
        if options.address:
            result = measure(options.address, options.loads, options.language)
        else:
            with sample_index(options.index) as index, served(index.resolve()) as address:
                result = measure(address, options.loads, options.language)
    except TekioError as error:
        say(str(error))
        return error.exit_code
    show(asdict(result), lambda: print("\n".join(lines(result))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
