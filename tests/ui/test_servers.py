"""What `tekio chat` and `tekio serve` start."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from evaluation.benchmarks.own_server import free_port
from kernel.conversations import Conversations
from kernel.settings import load_settings
from retrieval.errors import TekioError
from tests.ui.browsing import ROOT, chromium, wait_until_served
from ui.cli import main
from ui.commands import servers
from ui.page_headers import content_policy


def test_the_page_is_local_and_sends_no_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    command = servers.chat_command("127.0.0.1", 8600)
    given = dict(zip(command[5::2], command[6::2], strict=True))
    assert Path(command[4]).is_file()
    assert given["--server.address"] == "127.0.0.1"
    assert given["--server.port"] == "8600"
    assert given["--server.headless"] == "true"
    assert given["--browser.gatherUsageStats"] == "false"
    assert given["--client.showErrorDetails"] == "none"


def test_a_display_opens_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    command = servers.chat_command("127.0.0.1", 8600)
    assert command[command.index("--server.headless") + 1] == "false"


def test_a_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(TekioError, match="--port"):
        servers._require_free("192.0.2.1", 8600)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--http"], "--http belongs to --mcp"),
        (["--mcp", "--http", "--as", "mori"], "standard input and output"),
        (["--mcp", "--http"], "mcp_functions is empty"),
    ],
)
def test_words_that_do_not_go_together_are_told(
    words: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MCP_FUNCTIONS", "[]")
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--port", str(free_port()), *words])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert says in err.strip().splitlines()[-1]


_FAILING = """
import logging
logging.getLogger("tekio.chat").error("asked with tekio_0123abcd_opensesame by %s", "aoki@clinic.example")
raise RuntimeError("the database took s3cret-of-the-database")
"""


@contextmanager
def page_of(script: str, folder: Path, **own: str) -> Iterator[str]:
    """Run a script as the page's own is run; give the address at which the script is run once. Its log is in `log`."""
    (folder / "page.py").write_text(script, "utf-8")
    command = servers.chat_command("127.0.0.1", port := free_port())
    application = (ROOT / "ui" / "page_app.py").read_text("utf-8")
    (folder / "page_app.py").write_text(application.replace("chat.py", "page.py"), "utf-8")
    command[4] = str(folder / "page_app.py")
    checked = {"PYTHONPATH": str(ROOT), "STREAMLIT_SERVER_SCRIPT_HEALTH_CHECK_ENABLED": "true"}
    with (folder / "log").open("wb") as errors:
        page = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **checked, **own},
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        try:
            wait_until_served(base := f"http://127.0.0.1:{port}")
            yield f"{base}/_stcore/script-health-check"
        finally:
            page.terminate()
            page.wait(60)


def test_the_log_of_the_page_is_as_the_settings_say_and_holds_no_secret(tmp_path: Path) -> None:
    """What the page logs itself, and what Streamlit says of a failure that the page did not catch."""
    own = {"PGPASSWORD": "s3cret-of-the-database", "TEKIO_LOG_FORMAT": "json", "TEKIO_REDACT_LOGS": "true"}
    with page_of(_FAILING, tmp_path, **own) as address:
        assert httpx.get(address, timeout=60).status_code == 503
    log = (tmp_path / "log").read_text("utf-8")
    lines = [json.loads(line) for line in log.splitlines()]
    (asked,) = [line for line in lines if line["logger"] == "tekio.chat"]
    assert asked["message"] == "asked with *** by [e-mail]"
    (failed,) = [line for line in lines if "exception" in line]
    assert failed["logger"].startswith("streamlit")
    assert "RuntimeError: the database took ***" in failed["exception"]
    assert "s3cret" not in log


_ASKING = """
from kernel import app
from tests.ui.conftest import ScriptedTekio, make_answer

class Stuck(ScriptedTekio):
    answer, tokens = make_answer(), ("The warranty ", "lasts")
    error, stuck, has_index, opened, cancelled, quoted, asked = None, True, True, 0, 0, None, []

app.Tekio = Stuck
from ui.chat import load_engine
from ui.page.turn import Turn

turn = Turn("How long?")
asking = load_engine("idx").ask("talk", turn, [], None)
while turn.draft != "The warranty lasts":
    assert not asking.wait(0.05)
"""


def test_a_question_under_way_as_the_page_is_stopped_is_kept_with_its_draft(tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    with page_of(_ASKING, tmp_path, TEKIO_MEMORY=str(memory)) as address:
        assert httpx.get(address, timeout=60).status_code == 200
    settings = load_settings(memory=memory)
    (kept,) = Conversations(settings.memory_place, settings.memory).read("talk")
    assert (kept.turn.question, kept.turn.answer, kept.finished) == ("How long?", "The warranty lasts", False)


_DRAWN = """
import streamlit as st
st.html("<p id='shown'>shown</p>")
st.line_chart({"a": [1, 2, 3]})
listen = "export default () => { document.body.dataset.signal = 'heard' }"
st.components.v2.component("signals", js=listen)(key="signals")
"""
_INJECTED = """() => {
  const script = document.createElement("script");
  script.textContent = "document.body.dataset.injected = 'ran'";
  document.body.append(script);
  return document.body.dataset.injected || "";
}"""


def test_the_page_tells_browsers_that_no_others_scripts_run_and_nobody_else_frames_it(tmp_path: Path) -> None:
    said: list[str] = []
    with page_of(_DRAWN, tmp_path) as address:
        base = address.partition("/_stcore")[0]
        for path in ("/", "/_stcore/health", "/static/nonesuch.js", "/nonesuch"):
            headers = httpx.get(base + path, timeout=60).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Frame-Options"] == "SAMEORIGIN"
            assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        with chromium() as browser:
            page = browser.new_page()
            page.on("console", lambda message: said.append(message.text))
            page.goto(base, timeout=120_000)
            page.locator("#shown").wait_for(timeout=120_000)
            page.locator(
                "[data-testid=stVegaLiteChart] svg path.mark-line, [data-testid=stVegaLiteChart] .mark-line path"
            ).wait_for(timeout=120_000)
            page.locator("body[data-signal=heard]").wait_for(state="attached", timeout=120_000)
            assert [line for line in said if "Content Security Policy" in line] == []
            assert page.evaluate(_INJECTED) == ""
            around = browser.new_page()
            around.on("console", lambda message: said.append(message.text))
            around.set_content(f"<iframe src='{base}'></iframe>")
            until = time.monotonic() + 120
            while not any("frame-ancestors" in line for line in said) and time.monotonic() < until:
                around.wait_for_timeout(100)
            assert any("frame-ancestors" in line for line in said)


def test_what_stands_in_the_html_itself_is_let_in_by_what_it_is() -> None:
    policy = content_policy("<script src='a.js'></script><script type='module'>1</script>")
    (scripts,) = [part for part in policy.split("; ") if part.startswith("script-src")]
    one = base64.b64encode(hashlib.sha256(b"1").digest()).decode()
    assert scripts == f"script-src 'self' blob: 'unsafe-eval' 'sha256-{one}'"
