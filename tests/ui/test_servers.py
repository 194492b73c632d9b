"""What `tekio chat` and `tekio serve` start."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from evaluation.benchmarks.own_server import free_port
from retrieval.errors import TekioError
from tests.ui.browsing import ROOT, wait_until_served
from ui.cli import main
from ui.commands import servers


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


def test_the_log_of_the_page_is_as_the_settings_say_and_holds_no_secret(tmp_path: Path) -> None:
    """What the page logs itself, and what Streamlit says of a failure that the page did not catch."""
    script, log = tmp_path / "page.py", tmp_path / "log"
    script.write_text(_FAILING, "utf-8")
    command = servers.chat_command("127.0.0.1", port := free_port())
    command[4] = str(script)
    own = {"PGPASSWORD": "s3cret-of-the-database", "TEKIO_LOG_FORMAT": "json", "TEKIO_REDACT_LOGS": "true"}
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "STREAMLIT_SERVER_SCRIPT_HEALTH_CHECK_ENABLED": "true",
    }
    with log.open("wb") as errors:
        page = subprocess.Popen(
            command, cwd=tmp_path, env=environment | own, stdout=subprocess.DEVNULL, stderr=errors
        )
        try:
            wait_until_served(base := f"http://127.0.0.1:{port}")
            assert httpx.get(f"{base}/_stcore/script-health-check", timeout=60).status_code == 503
        finally:
            page.terminate()
            page.wait(60)
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    (asked,) = [line for line in lines if line["logger"] == "tekio.chat"]
    assert asked["message"] == "asked with *** by [e-mail]"
    (failed,) = [line for line in lines if "exception" in line]
    assert failed["logger"].startswith("streamlit")
    assert "RuntimeError: the database took ***" in failed["exception"]
    assert "s3cret" not in log.read_text("utf-8")
