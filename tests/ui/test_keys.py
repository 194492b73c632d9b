"""Who the API lets in, over real HTTP: keys, scopes, and whose rights count."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from kernel.api_keys import KeyStore
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.errors import UsageError
from tests.ui.conftest import Run
from tests.ui.serving import served
from tests.ui.test_access import QUESTION, made, settle
from ui.addresses import is_loopback
from ui.authentication import require_guard
from ui.rest import create_app
from ui.scopes import named_scope, needed_scope

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

UI = Path(__file__).parents[2] / "ui"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def keys(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    monkeypatch.delenv("TEKIO_USER_HEADER", raising=False)
    return KeyStore(load_settings().memory_place)


@pytest.fixture
def client(scripted: type[ScriptedTekio], keys: KeyStore) -> Iterator[httpx.Client]:
    with served(scripted) as base, httpx.Client(base_url=base, timeout=30) as http:
        yield http


# -- routes and scopes --------------------------------------------------------------------------------------


def test_every_route_says_which_scope_it_needs(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEKIO_PROMETHEUS", "true")
    monkeypatch.setenv("TEKIO_EDIT_EXAMPLES", "true")
    app = create_app(scripted(load_settings()))
    seen = set()
    for route in app.routes:
        path = getattr(route, "path", "")
        methods = route.methods if isinstance(route, APIRoute | Route) and route.methods else {"POST"}
        for method in sorted(methods):
            assert named_scope(method, path), (
                f"{method} {path} has no line in ui/scopes.py: say who may use it"
            )
            seen.add(path)
    assert {"/v1/ask", "/v1/memory/{memory_id}", "/metrics", "/healthz"} <= seen


def test_what_no_line_names_is_for_admins_and_a_name_that_begins_alike_is_another() -> None:
    assert needed_scope("POST", "/v1/anything") == "admin"
    assert needed_scope("GET", "/v1/memoryless") == "admin"
    assert needed_scope("HEAD", "/healthz") == "open"
    assert needed_scope("POST", "/healthz") == "admin"
    assert needed_scope("GET", "/v1/memory/{memory_id}") == "read"
    assert needed_scope("DELETE", "/v1/memory/{memory_id}") == "write"
    assert needed_scope("GET", "/docs/x") == "admin"


def test_no_route_takes_whom_it_answers_from_anything_but_the_door() -> None:
    for path in UI.glob("rest*.py"):
        assert "caller_of(" not in path.read_text("utf-8"), f"{path.name}: use caller_in(request)"


# -- in and out ---------------------------------------------------------------------------------------------


def test_without_a_key_anywhere_this_machine_is_served_whatever_token_a_client_makes_up(
    client: httpx.Client,
) -> None:
    assert client.get("/v1/documents").status_code == 200
    assert client.get("/v1/documents", headers=bearer("sk-none")).status_code == 200


def test_the_first_key_closes_a_running_server(client: httpx.Client, keys: KeyStore) -> None:
    assert client.get("/v1/documents").status_code == 200
    _, key = keys.create("first", "read")
    end = time.monotonic() + 5
    while client.get("/v1/documents").status_code != 401:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert client.get("/v1/documents", headers=bearer(key)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/ask", "/no/such/address", "/v1/ask/../documents"])
def test_a_missing_or_wrong_key_is_a_401_that_says_what_to_do(
    client: httpx.Client, keys: KeyStore, path: str
) -> None:
    _, key = keys.create("a", "read")
    for headers, says in (
        ({}, "tekio keys create"),
        ({"Authorization": "Basic dXNlcjpwYXNz"}, "tekio keys create"),
        ({"Authorization": "Bearer"}, "tekio keys create"),
        (bearer("sk-something"), "no key of Tekio's"),
        (bearer(f"{key}x"), "not known"),
        (bearer(key[:-1]), "not known"),
    ):
        response = client.get(path, headers=headers)
        assert response.status_code == 401, (path, headers, response.text)
        assert says in response.text
        assert response.headers["WWW-Authenticate"].startswith('Bearer realm="tekio"')
        assert key not in response.text
    twice = [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")]
    assert client.get(path, headers=twice).status_code == 401


def test_a_body_is_not_looked_at_before_the_key(client: httpx.Client, keys: KeyStore) -> None:
    keys.create("a", "read")
    assert client.post("/v1/ask", content=b"{not json").status_code == 401


def test_what_tells_nothing_of_the_documents_needs_no_key(client: httpx.Client, keys: KeyStore) -> None:
    keys.create("a", "read")
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/readyz"):
        assert client.get(path).status_code in (200, 503)
        assert client.head(path).status_code in (200, 405, 503)
    assert client.post("/healthz").status_code in (401, 405)


def test_an_expired_and_a_revoked_key_are_told_apart_to_whoever_has_them(
    client: httpx.Client, keys: KeyStore
) -> None:
    yesterday = KeyStore(load_settings().memory_place, now=lambda: datetime.now(UTC) - timedelta(days=2))
    _, expired = yesterday.create("old", "read", days=1)
    _, revoked = keys.create("lost", "read")
    assert client.get("/v1/documents", headers=bearer(revoked)).status_code == 200
    keys.revoke("lost")
    time.sleep(1.1)
    for key, says in ((expired, "'old' is expired"), (revoked, "'lost' is revoked")):
        response = client.get("/v1/documents", headers=bearer(key))
        assert response.status_code == 401
        assert says in response.text
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_a_scope_that_is_not_enough_is_a_403_that_names_the_one_needed(
    client: httpx.Client, keys: KeyStore
) -> None:
    made = {scope: keys.create(scope, scope)[1] for scope in ("read", "write", "admin")}
    body = {"text": "The kiln is called Momiji."}
    assert client.get("/v1/memory", headers=bearer(made["read"])).status_code == 200
    refused = client.post("/v1/memory", json=body, headers=bearer(made["read"]))
    assert refused.status_code == 403
    assert "needs the scope write, and the key 'read' has read" in refused.text
    assert "tekio keys create NAME --scope write" in refused.text
    assert client.delete("/v1/memory?all=true", headers=bearer(made["read"])).status_code == 403
    for scope in ("write", "admin"):
        assert client.delete("/v1/memory?all=true", headers=bearer(made[scope])).status_code == 200


def test_an_index_that_a_key_is_not_for_stays_shut(client: httpx.Client, keys: KeyStore) -> None:
    _, key = keys.create("elsewhere", "admin", index="another one")
    response = client.get("/v1/documents", headers=bearer(key))
    assert response.status_code == 401
    assert "another index" in response.text


# -- whose rights count ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore
) -> Iterator[tuple[str, dict[str, str]]]:
    """A server over documents that not everyone may read, and keys of those who may what."""
    folder = tmp_path_factory.mktemp("guarded")
    with ExitStack() as stack:
        with (
            pytest.MonkeyPatch.context() as patch
        ):  # of the other tests' settings it must leave nothing behind
            settle(patch, folder, model_store)
            patch.delenv("TEKIO_USER_HEADER")
            patch.delenv("TEKIO_GROUPS_HEADER")
            patch.setenv("TEKIO_MEMORY", str(folder / "memory"))
            made(folder)
            store = KeyStore(load_settings().memory_place)
            texts = {
                "mori": store.create("mori", "write", user="mori")[1],
                "glazer": store.create("glazer", "read", user="sato", groups=["glazers"])[1],
                "owner": store.create("owner", "admin")[1],
            }
            base = stack.enter_context(served(Tekio))
        yield base, texts


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("mori", {"kiln.md", "pay.md"}),
        ("glazer", {"kiln.md", "釉薬.md"}),
        ("owner", {"kiln.md", "pay.md", "釉薬.md"}),
    ],
)
def test_a_key_finds_what_its_user_may_read(
    guarded: tuple[str, dict[str, str]], who: str, expected: set[str]
) -> None:
    base, texts = guarded
    with httpx.Client(base_url=base, headers=bearer(texts[who]), timeout=60) as http:
        listed = http.get("/v1/documents").json()["documents"]
        assert {row["document"] for row in listed} == expected
        found = http.post("/v1/search", json={"query": "kiln", "top_k": 50}).json()["passages"]
        assert {row["document"] for row in found} == expected
        for stream in (False, True):
            answer = http.post("/v1/ask", json={"question": QUESTION, "stream": stream}).text
            assert ("310,000" in answer) == ("pay.md" in expected)
        document = {"document": "pay.md"}
        summary = http.post("/v1/summarize", json=document | {"variant": "extractive"})
        assert (summary.status_code == 200) == ("pay.md" in expected)


def test_what_one_key_remembers_another_does_not_see(guarded: tuple[str, dict[str, str]]) -> None:
    base, texts = guarded
    text = {"text": "The spare key is in drawer 4."}
    kept = httpx.post(f"{base}/v1/memory", json=text, headers=bearer(texts["mori"]), timeout=60)
    assert kept.status_code == 200
    for who, count in (("mori", 1), ("glazer", 0), ("owner", 0)):
        memories = httpx.get(f"{base}/v1/memory", headers=bearer(texts[who])).json()["memories"]
        assert len(memories) == count


# -- users whom a proxy names ---------------------------------------------------------------------------------


@pytest.fixture
def proxied(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TEKIO_USER_HEADER", "X-Forwarded-User")
    monkeypatch.setenv("TEKIO_ADMINS", '["user:chief"]')
    with served(scripted) as base, httpx.Client(base_url=base, timeout=30) as http:
        yield http


def test_a_named_user_may_write_and_somebody_unnamed_may_only_read(proxied: httpx.Client) -> None:
    assert proxied.get("/v1/documents").status_code == 200
    assert proxied.delete("/v1/memory?all=true").status_code == 403
    mori = {"X-Forwarded-User": "mori"}
    assert proxied.delete("/v1/memory?all=true", headers=mori).status_code == 200


def test_beside_users_of_a_proxy_keys_hold_and_nobody_is_unnamed_any_more(proxied: httpx.Client) -> None:
    _, key = KeyStore(load_settings().memory_place).create("robot", "read", user="robot")
    assert proxied.get("/v1/documents", headers=bearer(key)).status_code == 200
    assert proxied.get("/v1/documents", headers={"X-Forwarded-User": "mori"}).status_code == 200
    time.sleep(1.1)
    assert proxied.get("/v1/documents").status_code == 401
    spoilt = bearer(f"{key}x") | {"X-Forwarded-User": "mori"}
    assert proxied.get("/v1/documents", headers=spoilt).status_code == 401


# -- commands -------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(keys: KeyStore, run: Run) -> None:
    code, out, err = run("keys", "create", "ci", "--scope", "write", "--user", "robot", "--expires", "30")
    assert code == 0
    key = out.strip()
    assert keys.check(key, str).user == "robot"
    assert "cannot be shown again" in err
    assert key not in err
    rows = json.loads(run("keys", "list", "--json")[1])["keys"]
    assert [(row["name"], row["scope"], row["state"]) for row in rows] == [("ci", "write", "active")]
    secret = key.split("_", 2)[2]
    for text in (run("keys", "list")[1], run("keys", "list", "--json")[1]):
        assert secret not in text
        assert keys.listed()[0].digest not in text
    assert run("keys", "revoke", "ci")[0] == 0
    assert json.loads(run("keys", "list", "--json")[1])["keys"][0]["state"] == "revoked"
    assert run("keys", "revoke", "ci")[0] == 2
    code, out, err = run("keys", "create", "x", "--scope", "root")
    assert (code, out) == (2, "")
    assert "read, write, admin" in err.strip().splitlines()[-1]


def test_a_page_that_others_reach_needs_users_or_a_word_that_it_is_meant(
    run: Run,
) -> None:
    code, out, err = run("chat", "--host", "0.0.0.0", "--port", "18474")
    assert (code, out) == (2, "")
    assert "user_header" in err
    assert "--anyone" in err


def test_a_server_that_others_reach_needs_a_key_or_users(
    keys: KeyStore, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run("serve", "--host", "0.0.0.0", "--port", "18473")
    assert (code, out) == (2, "")
    line = err.strip().splitlines()[-1]
    assert "tekio keys create NAME --scope read" in line
    assert "user_header" in line
    with closing(Tekio(load_settings())) as tekio:
        for host in ("127.0.0.1", "::1", "localhost"):
            require_guard(tekio, host)
        for host in ("0.0.0.0", "::", "192.168.0.3", "tekio.example"):
            assert not is_loopback(host)
            with pytest.raises(UsageError):
                require_guard(tekio, host)
        keys.create("a", "read")
        time.sleep(1.1)
        require_guard(tekio, "0.0.0.0")
    monkeypatch.setenv("TEKIO_USER_HEADER", "X-Forwarded-User")
    with closing(Tekio(load_settings(index="elsewhere"))) as tekio:
        require_guard(tekio, "0.0.0.0")


def test_a_server_that_others_reach_serves_nobody_when_its_keys_are_gone(
    scripted: type[ScriptedTekio],
) -> None:
    from starlette.testclient import TestClient

    with TestClient(create_app(scripted(load_settings()), exposed=True), base_url="http://localhost") as http:
        assert http.get("/v1/documents").status_code == 401
        assert http.get("/healthz").status_code == 200
