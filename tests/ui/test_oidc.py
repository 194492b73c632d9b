"""Tokens of an issuer: a real key pair, a real HTTP server that offers its public half."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kernel.api_keys import KeyStore
from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError
from tests.ui.serving import served
from ui.oidc import TokenVerifier

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

AUDIENCE = "tekio"


class Issuer:
    """An issuer of tokens, with what goes wrong set by its attributes."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked: list[str] = []
        self.down = False
        self.answering = threading.Event()
        self.answering.set()
        self.named = ""
        self.keys = [self._public("first")]
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.answering.wait(20)
                found: dict[str, Any] = {"keys": issuer.keys}
                if self.path.endswith("openid-configuration"):
                    found = {"issuer": issuer.named or issuer.address, "jwks_uri": f"{issuer.address}/keys"}
                body = json.dumps(found).encode()
                self.send_response(503 if issuer.down else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _public(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return found | {"kid": number, "use": "sig", "alg": "RS256"}

    def token(
        self, *, key: Any = None, kid: str | None = "first", algorithm: str = "RS256", **more: Any
    ) -> str:
        claims = {"iss": self.address, "aud": AUDIENCE, "sub": "mori", "exp": time.time() + 300} | more
        claims = {name: value for name, value in claims.items() if value is not None}
        headers = {} if kid is None else {"kid": kid}
        return jwt.encode(claims, self.key if key is None else key, algorithm=algorithm, headers=headers)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


@pytest.fixture
def verifier(issuer: Issuer) -> TokenVerifier:
    issuer.asked.clear()
    return TokenVerifier(issuer.address, AUDIENCE, user_claim="sub", groups_claim="groups")


def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(TekioError) as raised:
        verifier.check(token)
    assert token not in str(raised.value)
    return str(raised.value)


def test_a_token_names_its_user_and_groups_and_the_keys_are_fetched_once(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    for _ in range(3):
        who = verifier.check(issuer.token(groups=["office", "", "glazers"]))
        assert (who.user, who.groups) == ("mori", ("office", "glazers"))
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
    assert verifier.check(issuer.token(aud=["other", AUDIENCE], groups="office")).groups == ("office",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"exp": 1_700_000_000}, "expired"),
        ({"exp": None}, "lacks the claim 'exp'"),
        ({"aud": "another"}, "oidc_audience"),
        ({"aud": None}, "lacks the claim 'aud'"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"iss": None}, "lacks the claim 'iss'"),
        ({"sub": None}, "lacks the claim 'sub'"),
        ({"sub": 7}, "no name"),
        ({"sub": ""}, "no name"),
        ({"sub": "a\nb"}, "no names"),
        ({"groups": {"a": 1}}, "no list"),
        ({"nbf": 4_000_000_000}, "does not hold yet"),
        ({"kid": "unknown"}, "does not have"),
        ({"kid": None}, "does not have"),
    ],
)
def test_a_token_that_is_not_for_here_is_refused_with_its_reason(
    issuer: Issuer, verifier: TokenVerifier, more: dict[str, Any], says: str
) -> None:
    assert says in refused(verifier, issuer.token(**more))


def test_only_the_issuers_own_signature_counts(issuer: Issuer, verifier: TokenVerifier) -> None:
    unsigned = jwt.encode({"sub": "mori"}, None, algorithm="none", headers={"kid": "first"})  # type: ignore[arg-type]
    assert "not signed by a key pair" in refused(verifier, unsigned)
    shared = issuer.token(key=issuer.keys[0]["n"], algorithm="HS256")  # as if what is public were a secret
    assert "not signed by a key pair" in refused(verifier, shared)
    assert "its issuer signed" in refused(verifier, issuer.token(key=issuer.stranger))
    good = issuer.token()
    head, body, signature = good.split(".")
    other = issuer.token(sub="chief").split(".")[1]
    for spoilt in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        "x",
        "..",
        "a" * 20_000,
    ):
        refused(verifier, spoilt)


def test_unknown_keys_do_not_have_the_issuer_asked_for_each_token(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    for number in range(10):
        refused(verifier, issuer.token(kid=f"made up {number}"))
    assert len(issuer.asked) == 2


def test_an_issuer_that_is_away_is_told_and_not_asked_for_each_token(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    issuer.down = True
    try:
        for _ in range(3):
            assert "cannot be fetched" in refused(verifier, issuer.token())
        assert len(issuer.asked) == 1
    finally:
        issuer.down = False


def test_a_discovery_document_of_another_issuer_is_not_believed(
    issuer: Issuer, verifier: TokenVerifier
) -> None:
    issuer.named = "https://evil.example"
    try:
        assert "cannot be fetched" in refused(verifier, issuer.token())
    finally:
        issuer.named = ""


# -- over the API -------------------------------------------------------------------------------------------


@pytest.fixture
def client(
    issuer: Issuer, scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> Iterator[httpx.Client]:
    monkeypatch.setenv("TEKIO_OIDC_ISSUER", issuer.address)
    monkeypatch.setenv("TEKIO_OIDC_AUDIENCE", AUDIENCE)
    monkeypatch.setenv("TEKIO_USER_SCOPE", "read")
    monkeypatch.setenv("TEKIO_ADMINS", '["group:chiefs"]')
    with ExitStack() as stack:
        base = stack.enter_context(served(scripted))
        yield stack.enter_context(httpx.Client(base_url=base, timeout=30))


def test_a_token_opens_the_api_and_its_claims_say_how_far(client: httpx.Client, issuer: Issuer) -> None:
    def status(method: str, path: str, token: str = "") -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return client.request(method, path, headers=headers).status_code

    assert status("GET", "/v1/documents") == 401
    assert status("GET", "/v1/documents", "made-up") == 401
    assert status("GET", "/v1/documents", issuer.token(exp=1_700_000_000)) == 401
    assert status("GET", "/v1/documents", issuer.token()) == 200
    assert status("DELETE", "/v1/memory?all=true", issuer.token()) == 403
    assert status("DELETE", "/v1/memory?all=true", issuer.token(groups=["chiefs"])) == 200
    _, key = KeyStore(load_settings().memory_place).create("robot", "write")
    assert status("DELETE", "/v1/memory?all=true", key) == 200


def test_an_issuer_that_is_away_is_a_503_not_an_open_door(client: httpx.Client, issuer: Issuer) -> None:
    issuer.down = True
    try:
        response = client.get("/v1/documents", headers={"Authorization": f"Bearer {issuer.token()}"})
        assert response.status_code == 503
        assert issuer.address in response.text
    finally:
        issuer.down = False


def test_an_issuer_that_does_not_answer_keeps_nobody_with_a_key_waiting(
    client: httpx.Client, issuer: Issuer
) -> None:
    _, key = KeyStore(load_settings().memory_place).create("robot", "read")
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    issuer.answering.clear()
    try:
        # More than the server has threads for whatever waits.
        with ThreadPoolExecutor(45) as waiting:
            asked = [waiting.submit(client.get, "/v1/documents", headers=headers) for _ in range(45)]
            time.sleep(0.7)
            began = time.monotonic()
            response = client.get("/v1/documents", headers={"Authorization": f"Bearer {key}"})
            took = time.monotonic() - began
            issuer.answering.set()
        assert response.status_code == 200
        assert took < 2.5
        assert {each.result().status_code for each in asked} <= {200, 503}
    finally:
        issuer.answering.set()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"TEKIO_OIDC_ISSUER": "https://login.example"}, "oidc_audience"),
        ({"TEKIO_OIDC_ISSUER": "http://login.example", "TEKIO_OIDC_AUDIENCE": "x"}, "https"),
        ({"TEKIO_ADMINS": '["mori"]'}, "admins"),
    ],
)
def test_settings_that_would_let_the_wrong_ones_in_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says):
        load_settings()
