"""The chat page in a real browser: `tekio chat` served on a free port, and a headless Chromium that looks at it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SCREENSHOTS = "TEKIO_SCREENSHOTS"
"""The variable that names the folder in which screenshots are kept; without it they go with the test's own files."""
REQUIRED = "TEKIO_REQUIRE_BROWSER"
"""The variable that says, by anything but 0, that a test in a browser may not be skipped."""
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_READY_SECONDS = 240


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a headless Chromium; where there is none the test is skipped or fails, with the reason."""
    sync_api = library("playwright.sync_api")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        _lacking("no Chromium is installed: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()


def library(name: str) -> Any:
    """Import a module that tests in a browser need; where it is missing the test is skipped or fails."""
    try:
        return import_module(name)
    except ImportError:
        _lacking(f"{name} is not installed: pip install 'tekio[dev]'")


def _lacking(what: str) -> NoReturn:
    if os.environ.get(REQUIRED, "") not in ("", "0"):
        pytest.fail(f"{what} ({REQUIRED} is set)")
    pytest.skip(what)


@contextmanager
def chat_served(folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """Serve the page with `tekio chat` in a working folder; give its address.

    Args:
        folder: where it runs.
        settings: without their prefix TEKIO_.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {f"TEKIO_{name}": value for name, value in settings.items()}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    command = [sys.executable, "-m", "ui.cli", "chat", "--port", str(port)]
    running = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until_served(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(120)


def wait_until_served(address: str) -> None:
    """Wait until Streamlit answers at an address."""
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        try:
            httpx.get(f"{address}/_stcore/health", timeout=2).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"nothing is served at {address}")


def shot_folder(made: Path) -> Path:
    """Return the folder of screenshots; `made` is that of the test, where no other is named."""
    folder = Path(os.environ.get(SCREENSHOTS) or made)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_QUIET = """() => {
    const app = document.querySelector("[data-testid=stApp]");
    const quiet = app !== null && app.dataset.testScriptState === "notRunning";
    window.quietSince = quiet ? window.quietSince || performance.now() : 0;
    return quiet && performance.now() - window.quietSince > 300;
}"""


def settled(page: Any) -> None:
    """Wait until the page has been drawn: no run of its script for a while, so that what is clicked stays there."""
    page.wait_for_function(_QUIET, timeout=120_000)


def choose_in(page: Any, box: Any, option: str) -> None:
    """Choose in a box once the page stands: a run of its script in between would fold its choices again."""
    settled(page)
    box.click(timeout=60_000)
    page.get_by_role("option", name=option, exact=True).click()


def ask(page: Any, question: str, *, wait: bool = True) -> None:
    """Ask a question in the chat; unless told otherwise, wait for the answer's text."""
    settled(page)  # while the language changes there are two fields for a moment
    box = page.get_by_test_id("stChatInputTextArea")
    box.wait_for(timeout=60_000)
    before = page.locator(".tk-answer").count()
    box.fill(question)
    box.press("Enter")
    if wait:
        page.locator(".tk-answer").nth(before).wait_for(timeout=120_000)


def go(page: Any, name: str) -> None:
    """Go to another page by its name in the sidebar."""
    settled(page)
    page.get_by_role("link", name=re.compile(f"^{name}$")).click()
    page.locator(".tk-title").filter(has_text=name).wait_for(timeout=30_000)
    settled(page)
