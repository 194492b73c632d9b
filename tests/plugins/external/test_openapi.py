"""An OpenAPI description as functions: a real FastAPI application over HTTP, and descriptions as others write them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from plugins.external.attached import AttachedFunctions, AttachedState
from plugins.external.attachment import Attachment
from plugins.external.bounded_http import bounded_client
from plugins.external.offered import FunctionFailedError, OfferedFunction
from plugins.external.openapi_description import Operation, operations, parse_description
from plugins.external.openapi_source import request_of
from tests.plugins.external.conftest import serve

AWKWARD = """
openapi: 3.0.3
paths:
  /a/{id}:
    summary: of the path
    parameters: [{$ref: "#/components/parameters/id"}]
    get:
      parameters:
        - {name: n, in: query, schema: {type: integer, minimum: 0, exclusiveMinimum: true, nullable: true}}
    delete: {operationId: drop, requestBody: {content: {text/xml: {}}}}
  /tree:
    post:
      operationId: plant
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}
  /far:
    get: {operationId: far, parameters: [{name: x, in: query, schema: {$ref: "other.json#/X"}}]}
components:
  parameters:
    id: {name: id, in: path, required: true, schema: {type: string}}
  schemas:
    Tree:
      type: object
      required: [name]
      properties:
        name: {type: string}
        children: {type: array, items: {$ref: "#/components/schemas/Tree"}}
"""
ALL = ["get_part", "find_parts", "order", "go_away", "huge", "long", "packed", "slow", "picture"]


@contextmanager
def attached(
    openapi: str, environment: dict[str, str] | None = None, **table: Any
) -> Iterator[AttachedFunctions]:
    table = {"name": "shop", "seconds": 60, "allow": ALL, **table}
    functions = AttachedFunctions([Attachment(openapi=openapi, **table)], environment)
    try:
        yield functions
    finally:
        functions.close()


async def only(functions: AttachedFunctions) -> AttachedState:
    (state,) = await functions.states()
    return state


def named(state: AttachedState, name: str) -> OfferedFunction:
    return next(each for each in state.functions if each.name == name)


async def test_an_operation_is_called_with_arguments_in_path_and_query(rest_server: str) -> None:
    with attached(f"{rest_server}/openapi.json") as functions:
        state = await only(functions)
        assert state.error == ""
        assert [each.name for each in state.functions] == ALL
        assert state.others == ("whoami",)
        answer = await named(state, "get_part").call({"part": "K2 ä?#", "spare": True})
        assert json.loads(answer) == {"part": "K2 ä?#", "spare": True, "in_stock": 17}
        found = json.loads(await named(state, "find_parts").call({"words": ["a b", "c&d"], "spare": True}))
        assert found == {"words": ["a b", "c&d"], "spare": True}


async def test_the_fields_of_a_body_are_arguments_beside_those_of_the_path(rest_server: str) -> None:
    with attached(f"{rest_server}/openapi.json") as functions:
        order = named(await only(functions), "order")
        assert order.parameters["required"] == ["part"]
        answer = json.loads(await order.call({"part": "K2", "count": 3, "marks": ["red"]}))
        assert answer == {"ordered": {"part": "K2", "count": 3, "marks": ["red"]}}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("go_away", "sends on to another address"),
        ("huge", "larger than 1,000,000 bytes"),
        ("packed", "packed its answer as gzip"),
        ("slow", "no answer within 1 s"),
        ("picture", "image/png, no text"),
    ],
)
async def test_what_cannot_be_used_is_one_clear_error_in_time(rest_server: str, name: str, said: str) -> None:
    with attached(f"{rest_server}/openapi.json", seconds=1) as functions:
        function = named(await only(functions), name)
        started = time.perf_counter()
        with pytest.raises(FunctionFailedError, match=said):
            await function.call({})
        assert time.perf_counter() - started < (3.5 if name == "slow" else 30)  # it takes 4 seconds


async def test_a_secret_header_is_sent_and_a_model_is_never_asked_for_it(rest_server: str) -> None:
    headers = {"Authorization": "SHOP_TOKEN"}
    with attached(
        f"{rest_server}/openapi.json",
        {"SHOP_TOKEN": "Bearer s3cret"},
        allow=["whoami"],
        headers_env=headers,
    ) as functions:
        whoami = named(await only(functions), "whoami")
        assert whoami.parameters["properties"] == {}
        assert json.loads(await whoami.call({})) == {"you": "Bearer s3cret"}


async def test_an_operation_that_needs_a_header_says_so(rest_server: str) -> None:
    with attached(f"{rest_server}/openapi.json", allow=["whoami"]) as functions:
        state = await only(functions)
        assert state.unusable == {"whoami": "it needs the header authorization; give it in headers_env"}


async def test_a_description_in_a_file_says_where_its_server_is_or_the_settings_do(
    rest_server: str, tmp_path: Path
) -> None:
    async with httpx.AsyncClient() as client:
        description = (await client.get(f"{rest_server}/openapi.json")).text
    file = tmp_path / "shop.json"
    file.write_text(description, encoding="utf-8")
    with attached(str(file)) as functions:
        assert "name it as server" in (await only(functions)).error
    with attached(str(file), server=rest_server) as functions:
        answer = await named(await only(functions), "get_part").call({"part": "K2"})
        assert json.loads(answer)["in_stock"] == 17


async def test_a_description_from_the_network_cannot_send_calls_to_another_host(rest_server: str) -> None:
    app = FastAPI(servers=[{"url": "http://169.254.169.254"}])

    @app.get("/x", operation_id="get_x")
    def get_x() -> str:
        return "x"

    with serve(app) as address, attached(f"{address}/openapi.json", allow=["get_x"]) as functions:
        assert "another host than its own" in (await only(functions)).error


async def test_a_client_goes_to_its_origin_alone(rest_server: str) -> None:
    async with bounded_client(rest_server, seconds=2) as client:
        assert (await client.get(f"{rest_server}/parts/a")).status_code == 200
        for other in ("http://127.0.0.2:1/", "https://127.0.0.1/", "http://example.com/"):
            with pytest.raises(FunctionFailedError, match="was not sent"):
                await client.get(other)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "neither JSON nor YAML"), ("swagger: '2.0'", "no OpenAPI 3"), ("[1]", "no OpenAPI 3")],
)
async def test_a_file_that_is_no_description_is_told(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    with attached(str(file)) as functions:
        assert said in (await only(functions)).error


def test_a_real_description_with_its_usual_faults_is_read_operation_by_operation() -> None:
    description = parse_description(AWKWARD)
    found = operations(description)
    get = found["get_a_id"]
    assert isinstance(get, Operation)
    assert get.parameters["properties"]["n"] == {"type": ["integer", "null"], "exclusiveMinimum": 0}
    assert get.places == {"id": "path", "n": "query"}
    plant = found["plant"]
    assert isinstance(plant, Operation)
    assert plant.parameters["required"] == ["name"]
    assert found["drop"] == "its body is text/xml, not JSON"
    assert found["far"] == "it refers to another file, which is not read"


@given(st.text())
def test_no_argument_leads_out_of_its_path(text: str) -> None:
    operation = Operation("get", "GET", "/parts/{part}/price", "", {}, {"part": "path"})
    try:
        url, _, _ = request_of(operation, "http://shop.example/api", {"part": text})
    except (FunctionFailedError, UnicodeEncodeError):
        return
    path = httpx.URL(url).raw_path.decode()
    assert path.startswith("/api/parts/")
    assert path.endswith("/price")
    assert path.count("/") == 4
    assert httpx.URL(url).host == "shop.example"


@pytest.mark.parametrize("text", ["..", ".", "../../admin", "%2e%2e%2fadmin", "a/b", "a\\b", ""])
def test_an_argument_that_would_lead_out_of_its_path_is_refused(text: str) -> None:
    operation = Operation("get", "GET", "/parts/{part}", "", {}, {"part": "path"})
    with pytest.raises(FunctionFailedError, match="leads out of the path"):
        request_of(operation, "http://shop.example", {"part": text})
