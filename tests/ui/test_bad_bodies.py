"""Bodies that no client should send, to every address that takes one, of a real server: a 4xx, and never more."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.ui.test_connections import connected

BROKEN = {
    "cut": b'{"question": "',
    "no text": b"\xff\xfe\x00",
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "rather deep": b'{"schema":' * 120 + b"{}" + b"}" * 120,
    "long number": b'{"question": ' + b"9" * 10_000 + b"}",
    "not a number": b'{"question": NaN, "query": Infinity, "text": -Infinity}',
    "nothing": b"",
    "null": b"null",
    "text": b'"question"',
    "twice": b'{"question": "a"} {"question": "b"}',
    "half in bytes": b'{"question": "a\xed\xa0\x80b", "query": "\xed\xb0\x80", "text": "\xed\xa0\xbd"}',
    "another code": '{"question": "\u7aaf", "query": "\u7aaf", "text": "\u7aaf"}'.encode("utf-16"),
    "half a character": rb'{"question": "a\ud800b", "query": "\udc00", "text": "\ud83d"}',
}
TEXTS = {
    "whole pair": "\U0001f525",
    "zero": "a\x00b",
    "turned around": "a\u202eb",
    "line": "a\r\nSet-Cookie: x",
}
FILL: dict[str, Any] = {
    "/v1/ask": {"question": 0},
    "/v1/search": {"query": 0},
    "/v1/summarize": {"document": 0, "variant": "extractive"},
    "/v1/compare": {"first": 0, "second": 0, "variant": "extractive"},
    "/v1/extract": {"question": 0, "schema": {"type": "object"}, "variant": "extractive"},
    "/v1/memory": {"text": 0, "answer": 0, "conversation": 0},
    "/v1/chat/completions": {"model": "extractive", "messages": [{"role": "user", "content": 0}]},
    "/v1/embeddings": {"model": "multilingual-e5-small", "input": 0},
}


@pytest.fixture(scope="module")
def http(library: str, mri: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=library, timeout=60) as client:
        yield client
        client.delete("/v1/memory?all=true")


def taking_json(http: httpx.Client) -> list[tuple[str, str]]:
    described = http.get("/openapi.json").json()["paths"]
    return [
        (method, path)
        for path, methods in described.items()
        for method, operation in methods.items()
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ] + [("post", "/mcp")]


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_body_of_its_address_is_refused_in_the_one_form(http: httpx.Client, kind: str) -> None:
    addresses = taking_json(http)
    assert len(addresses) > 8
    for method, path in addresses:
        one = path.replace("{", "").replace("}", "")
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        response = http.request(method, one, content=BROKEN[kind], headers=headers)
        assert 400 <= response.status_code < 500, (method, path, response.text)
        assert response.json()["error"], (method, path)


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_that_is_odd_breaks_nothing(http: httpx.Client, kind: str) -> None:
    for path, body in FILL.items():
        sent = json.dumps(body).replace(": 0", f": {json.dumps(TEXTS[kind])}")
        response = http.post(path, content=sent, headers={"Content-Type": "application/json"})
        assert response.status_code < 500, (path, response.text)
        assert "Set-Cookie" not in response.headers
        response.json()
    for path in ("/v1/conversations", "/v1/memory", "/v1/documents"):
        asked = http.get(path, params={"search": "a\x00b", "conversation": "a\x00\u202eb"})
        assert asked.status_code < 500, (path, asked.text)


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="\xff\xfe.md"\r\n\r\n# A\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\n\xff=\xfe\r\n--x--\r\n',
        b"--x\r\nContent-Disposition: form-data\r\n\r\n# A\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.md"\r\n\r\n# cut off',
        b"--x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n--x--\r\n",
        b"".join(b'--x\r\nContent-Disposition: form-data; name="tag"\r\n\r\na=b\r\n' for _ in range(1500))
        + b"--x--",
        b"no form at all",
        b"",
    ],
    ids=["name", "field", "nameless", "cut", "headers", "fields", "text", "nothing"],
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data", "text/plain"])
def test_a_form_that_is_none_is_refused(http: httpx.Client, body: bytes, kind: str) -> None:
    before = http.get("/v1/documents").json()
    response = http.post("/v1/documents", content=body, headers={"Content-Type": kind})
    if response.status_code == 201:  # a name that is odd is cleaned
        for file in response.json()["files"]:
            http.delete(f"/v1/documents/{file['id']}")
    else:
        assert 400 <= response.status_code < 500, response.text
        assert response.json()["error"]
    assert http.get("/v1/documents").json() == before


@pytest.mark.parametrize("declared", [True, False])
def test_a_gigabyte_is_refused_before_it_has_come(http: httpx.Client, library: str, declared: bool) -> None:
    length = f"Content-Length: {2**30}" if declared else "Transfer-Encoding: chunked"
    kind = "Content-Type: multipart/form-data; boundary=x"
    head = f"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\n{kind}\r\n{length}"
    begins = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'
    piece = b"a" * 2**20
    before, sent = http.get("/v1/documents").json(), 0
    with connected(library, f"{head}\r\n\r\n".encode()) as raw:
        while not select.select([raw], [], [], 20 if declared or sent > 2**27 else 0)[0]:
            assert not declared, "it waits for what it was told will be too much"
            assert sent < 2**27
            for each in (piece,) if sent else (begins, piece):
                raw.sendall(b"%x\r\n%s\r\n" % (len(each), each))
                sent += len(each)
        assert raw.recv(100).startswith(b"HTTP/1.1 413 ")
    assert http.get("/v1/documents").json() == before
