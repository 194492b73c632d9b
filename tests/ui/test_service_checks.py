"""What `tekio doctor` says of serving: each row with what to do."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.api_keys import KeyStore
from kernel.settings import Settings
from retrieval.database import DATABASE_FILE, SCHEMA_VERSION, Database
from tests.ui.test_oidc import AUDIENCE, Issuer, issuer
from ui import service_checks
from ui.check_rows import FAIL, OK, WARN, Check
from ui.service_checks import serving

__all__ = ["issuer"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(fast: bool = False, **settings: Any) -> dict[str, Check]:
    chosen = Settings(index=Path("index"), memory=Path("memory"), **settings)
    return {row.check: row for row in serving(chosen, fast=fast)}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = int(listening.getsockname()[1])
        monkeypatch.setattr(service_checks, "PORTS", {"the API": port})
        yield port


@pytest.mark.usefixtures("place")
def test_a_taken_port_is_told_with_what_to_do(taken: int) -> None:
    row = rows()["port of the API"]
    assert (row.status, row.found) == (WARN, f"{taken} is taken")
    assert "--port" in row.advice


def test_who_may_ask_is_told(place: Path) -> None:
    assert "this machine alone" in rows()["access"].found
    store = KeyStore(place / "memory")
    store.create("a", "read")
    assert rows()["access"] == Check("access", OK, "1 key of 1 made")
    store.revoke("a")
    row = rows(user_header="X-User")["access"]
    assert (row.status, "X-User" in row.found) == (OK, True)
    row = rows()["access"]
    assert row.status == WARN
    assert "tekio keys create" in row.advice


def test_databases_are_looked_into(place: Path) -> None:
    assert not [name for name in rows() if name.startswith("file")]
    Database(place / "index", create=True).close()
    assert rows()["file of the index"] == Check("file of the index", OK, "whole")
    path = place / "index" / DATABASE_FILE
    for layout, status, says in ((3, WARN, "tekio backup"), (SCHEMA_VERSION + 1, FAIL, "update Tekio")):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE meta SET value = ? WHERE key = 'schema'", (layout,))
            connection.commit()
        row = rows(fast=True)["file of the index"]
        assert (row.status, f"layout {layout}" in row.found, says in row.advice) == (status, True, True)
    content = bytearray(path.read_bytes())
    content[5000:9000] = b"x" * 4000
    path.write_bytes(content)
    row = rows()["file of the index"]
    assert row.status == FAIL
    assert "tekio restore" in row.advice
    path.write_bytes(b"no database" * 1000)
    assert rows(fast=True)["file of the index"].status == FAIL


@pytest.mark.usefixtures("place")
def test_an_issuer_is_asked_unless_it_is_to_be_fast(issuer: Issuer) -> None:
    chosen: dict[str, Any] = {"oidc_issuer": issuer.address, "oidc_audience": AUDIENCE}
    assert rows(**chosen)["issuer of tokens"].status == OK
    assert "issuer of tokens" not in rows(fast=True, **chosen)
    away = rows(**chosen | {"oidc_issuer": "http://127.0.0.1:9"})["issuer of tokens"]
    assert (away.status, "oidc_issuer" in away.advice) == (FAIL, True)


def test_an_audit_log_that_cannot_be_written_is_told_and_none_is_left(place: Path) -> None:
    (place / "a file").write_text("")
    row = rows(audit_log=Path("a file/audit.jsonl"))["audit log"]
    assert (row.status, "audit_log" in row.advice) == (FAIL, True)
    assert rows(audit_log=Path("logs/audit.jsonl"))["audit log"].status == OK
    assert not (place / "logs" / "audit.jsonl").exists()
