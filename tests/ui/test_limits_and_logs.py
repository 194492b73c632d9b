"""How much a key may ask, what browsers are told, and what is written down of it, over real HTTP."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from kernel.answer import AnswerPassage
from kernel.api_keys import KeyStore
from kernel.settings import load_settings
from retrieval.errors import UsageError
from tests.ui.serving import served
from ui.rest_headers import SECURITY_HEADERS
from ui.server_logs import JsonLines, PlainLines, configure_logs, redaction_of

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

SITE = "https://intranet.example"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def keys(scripted: type[ScriptedTekio]) -> KeyStore:
    return KeyStore(load_settings().memory_place)


@pytest.fixture
def client(
    scripted: type[ScriptedTekio], keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TEKIO_REQUESTS_PER_MINUTE", "5")
    monkeypatch.setenv("TEKIO_AUDIT_LOG", "logs/audit.jsonl")
    monkeypatch.setenv("TEKIO_REDACT_LOGS", "true")
    monkeypatch.setenv("TEKIO_CORS_ORIGINS", json.dumps([SITE]))
    with ExitStack() as stack:
        base = stack.enter_context(served(scripted))
        yield stack.enter_context(httpx.Client(base_url=base, timeout=30))


def lines(folder: Path) -> list[dict[str, Any]]:
    file = folder / "logs" / "audit.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


# -- limits -------------------------------------------------------------------------------------------------


def test_a_key_that_asks_too_often_waits_and_others_do_not(client: httpx.Client, keys: KeyStore) -> None:
    _, busy = keys.create("busy", "read")
    _, calm = keys.create("calm", "read")
    _, swift = keys.create("swift", "read", per_minute=50)
    for _ in range(5):
        assert client.get("/v1/documents", headers=bearer(busy)).status_code == 200
    refused = client.get("/v1/documents", headers=bearer(busy))
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "the key 'busy' may send 5 requests a minute" in refused.text
    assert client.get("/v1/documents", headers=bearer(calm)).status_code == 200
    for _ in range(10):
        assert client.get("/v1/documents", headers=bearer(swift)).status_code == 200


def test_who_owns_the_machine_is_not_counted(client: httpx.Client) -> None:
    for _ in range(10):
        assert client.get("/v1/documents").status_code == 200


def test_a_key_sends_no_more_at_once_than_it_may(client: httpx.Client, keys: KeyStore) -> None:
    _, key = keys.create("small", "read", max_kb=1)
    headers = bearer(key) | {"Content-Type": "application/json"}
    body = json.dumps({"query": "kiln", "where": []})
    assert client.post("/v1/search", content=body, headers=headers).status_code == 200
    large = client.post("/v1/search", content=body + " " * 1000, headers=headers)
    assert large.status_code == 413
    assert "1 kB" in large.text

    def pieces() -> Iterator[bytes]:
        yield body.encode()

    unknown = client.post("/v1/search", content=pieces(), headers=headers)
    assert unknown.status_code == 411
    assert client.get("/v1/documents", headers=bearer(key)).status_code == 200


# -- browsers -----------------------------------------------------------------------------------------------


def test_every_answer_tells_browsers_to_keep_their_hands_off(client: httpx.Client, keys: KeyStore) -> None:
    keys.create("a", "read")
    for path in ("/", "/healthz", "/v1/documents", "/none"):
        headers = client.get(path).headers
        for name in SECURITY_HEADERS:
            assert name in headers, (path, name)
    assert "frame-ancestors 'none'" in client.get("/docs").headers["Content-Security-Policy"]


def test_pages_of_other_sites_are_refused_but_those_that_are_named(
    client: httpx.Client, keys: KeyStore
) -> None:
    _, key = keys.create("page", "read")
    asked = {
        "Origin": SITE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    before = client.options("/v1/ask", headers=asked)
    assert before.status_code == 200
    assert before.headers["Access-Control-Allow-Origin"] == SITE
    found = client.get("/v1/documents", headers={"Origin": SITE} | bearer(key))
    assert found.status_code == 200
    assert found.headers["Access-Control-Allow-Origin"] == SITE
    assert client.get("/v1/documents", headers={"Origin": SITE}).status_code == 401
    for other in ("https://evil.example", f"{SITE}.evil.example", "null", "https://intranet.example:8443"):
        refused = client.get("/v1/documents", headers={"Origin": other} | bearer(key))
        assert refused.status_code == 403
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert client.options("/v1/ask", headers=asked | {"Origin": other}).status_code in (400, 403)


def test_unless_sites_are_named_none_is_let_in(scripted: type[ScriptedTekio], keys: KeyStore) -> None:
    with served(scripted) as base:
        response = httpx.get(f"{base}/v1/documents", headers={"Origin": SITE})
        assert response.status_code == 403
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "origin", ["*", "intranet.example", "https://intranet.example/page", "https://*.example"]
)
def test_a_site_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("TEKIO_CORS_ORIGINS", json.dumps([origin]))
    with pytest.raises(UsageError, match="cors_origins"):
        load_settings()


# -- the audit log ------------------------------------------------------------------------------------------


def test_the_audit_log_says_who_asked_and_what_was_shown(
    client: httpx.Client, keys: KeyStore, scripted: type[ScriptedTekio], tmp_path: Path
) -> None:
    made, key = keys.create("reports", "read", user="mori", per_minute=50)
    passage = scripted.answer.passages[0]
    more = AnswerPassage(**passage.model_dump() | {"id": 8, "document": "釉薬.md"})
    scripted.answer = scripted.answer.model_copy(update={"passages": [passage, more]})
    question = "Is mori@example.com insured? 保険は?"
    for stream in (False, True):
        client.post("/v1/ask", json={"question": question, "stream": stream}, headers=bearer(key))
    client.post("/v1/search", json={"query": "warranty"}, headers=bearer(key))
    client.get("/v1/documents", headers=bearer(f"{key}x"))
    client.get("/healthz")
    written = lines(tmp_path)
    assert [(line["path"], line["status"]) for line in written] == [
        ("/v1/ask", 200),
        ("/v1/ask", 200),
        ("/v1/search", 200),
        ("/v1/documents", 401),
    ]
    for line in written[:2]:
        assert (line["who"], line["user"], line["from"]) == (f"key:{made.id}", "mori", "127.0.0.1")
        assert line["question"] == "Is [e-mail] insured? 保険は?"
        assert line["documents"] == [passage.document, "釉薬.md"]
        assert line["at"].startswith("20")
    assert written[2]["documents"] == ["manual.pdf"]
    assert written[3]["who"] == ""
    text = (tmp_path / "logs" / "audit.jsonl").read_text("utf-8")
    assert key not in text
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "logs" / "audit.jsonl").stat().st_mode) == 0o600


def test_a_stream_that_is_left_is_written_down_too(
    client: httpx.Client, keys: KeyStore, scripted: type[ScriptedTekio], tmp_path: Path
) -> None:
    _, key = keys.create("reports", "read")
    scripted.stuck = True
    body = {"question": "How long?", "stream": True}
    with client.stream("POST", "/v1/ask", json=body, headers=bearer(key)) as response:
        next(response.iter_lines())
    end = time.monotonic() + 10
    while not (tmp_path / "logs" / "audit.jsonl").read_text("utf-8"):
        assert time.monotonic() < end
        time.sleep(0.05)
    (line,) = lines(tmp_path)
    assert (line["question"], line["documents"]) == ("How long?", [scripted.answer.passages[0].document])


# -- logs ---------------------------------------------------------------------------------------------------


def record(text: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("tekio.rest", logging.WARNING, "", 0, text, arguments, None)


def test_json_logs_are_one_document_a_line_without_persons_where_that_is_set(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEKIO_REDACT_LOGS", "true")
    redaction = redaction_of(load_settings())
    try:
        raise ValueError("no seat for mori@example.com\nor 4711 others")
    except ValueError as error:
        failed = record("a request of %s failed\x1b[31m", "mori@example.com")
        failed.exc_info = (type(error), error, error.__traceback__)
    failed.request = {"who": "user:mori@example.com", "status": 200, "at": "now"}
    line = JsonLines(redaction).format(failed)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"]) == ("warning", "tekio.rest")
    assert found["message"] == "a request of [e-mail] failed"
    assert "[e-mail]" in found["exception"]
    assert "[number] others" in found["exception"]
    assert found["request"] == {"who": "user:[e-mail]", "status": 200}
    plain = PlainLines(redaction).format(record("call 03-1234-5678"))
    assert plain.endswith("WARNING tekio.rest: call [phone]")
    assert plain.startswith("20"), "the time of the line stays"


def test_no_key_and_no_token_reaches_any_log_at_debug_level(
    scripted: type[ScriptedTekio],
    keys: KeyStore,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("TEKIO_LOG_LEVEL", "debug")
    monkeypatch.setenv("TEKIO_AUDIT_LOG", "logs/audit.jsonl")
    monkeypatch.setenv("TEKIO_OIDC_ISSUER", "http://127.0.0.1:9")
    monkeypatch.setenv("TEKIO_OIDC_AUDIENCE", "tekio")
    monkeypatch.setenv("PGPASSWORD", "s3cret-of-the-database")
    _, key = keys.create("a", "read")
    token = jwt.encode({"sub": "mori"}, "x" * 32, algorithm="HS256", headers={"kid": "k"})
    scripted.error = RuntimeError(f"it broke over {key} and {token} and s3cret-of-the-database")
    settings = load_settings()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logs(settings, redaction_of(settings))
    try:
        with served(scripted) as base, httpx.Client(base_url=base, timeout=30) as http:
            for secret in (key, f"{key}x", token, f"{token}x", "sk-of-somebody-else"):
                http.get("/v1/documents", headers=bearer(secret))
                http.post("/v1/search", json={"query": "kiln"}, headers=bearer(secret))
                http.post("/v1/ask", json={"question": "q", "stream": True}, headers=bearer(secret))
                http.get(f"/v1/memory?key={key}", headers=bearer(secret))  # as some clients would
    finally:
        for handler in root.handlers:
            handler.flush()
        root.handlers[:], root.level = before, level
    written = "".join(capfd.readouterr()) + (tmp_path / "logs" / "audit.jsonl").read_text("utf-8")
    assert "it broke over ***" in written, "the log was really written"
    assert "DEBUG" in written
    for secret in (key.split("_", 2)[2], token, token.split(".")[2], "s3cret-of", "sk-of-somebody"):
        assert secret not in written


def test_a_line_end_in_what_a_client_sends_begins_no_line_of_a_log(
    scripted: type[ScriptedTekio],
    keys: KeyStore,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    keys.create("a", "read")
    settings = load_settings(log_level="info")
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    configure_logs(settings, redaction_of(settings))
    try:
        with served(scripted) as base, httpx.Client(base_url=base, timeout=30) as http:
            assert http.get("/v1/x%0A2026-01-01%20INFO%20tekio.access:%20forged%0D%1b[2Jy").status_code == 401
    finally:
        root.handlers[:], root.level = before, level
    (line,) = [
        line
        for line in capfd.readouterr().err.splitlines()
        if "forged" in line and "tekio.access: GET" in line
    ]
    assert "GET /v1/x 2026" in line
    assert "\x1b" not in line


def test_secrets_of_attached_functions_reach_no_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    shop = {"name": "shop", "openapi": "https://shop.example/openapi.json", "allow": ["get_part"]}
    monkeypatch.setenv("TEKIO_FUNCTIONS", json.dumps([{**shop, "headers_env": {"X-Token": "SHOP_TOKEN"}}]))
    monkeypatch.setenv("SHOP_TOKEN", "word-of-the-shop")
    line = PlainLines(redaction_of(load_settings())).format(record("refused: word-of-the-shop"))
    assert line.endswith("refused: ***")
