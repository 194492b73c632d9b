"""A headless Chromium, driven by playwright: both come from the developers' tools, not with Tekio."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from retrieval.errors import TekioError

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Any]:
    """Run a browser.

    Raises:
        TekioError: playwright or a browser is missing.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise TekioError("playwright is not installed: pip install playwright") from error
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise TekioError("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield running
        finally:
            running.close()
