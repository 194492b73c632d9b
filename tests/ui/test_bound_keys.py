"""Keys for a part of the documents, address by address over real HTTP: nothing beyond it is shown, changed or kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from kernel.answer import Answer
from kernel.app import Tekio
from kernel.model_store import ModelStore
from retrieval.access import Bound, Caller
from tests.ui.conftest import Run
from tests.ui.serving import MRI, own_settings, served
from ui.rest import create_app

KILN = "# Kiln\n\n## Firing\n\nThe kiln is fired at 1,240 degrees for nine hours by Aoyama.\n"
PAY = "# Pay\n\n## Bando\n\nThe pay of the kiln workers is 310,000 yen a month, says Bando.\n"
BOTH = "# Shared\n\nThe kiln stands in the yard of both houses.\n"
QUESTION = "What is the pay of the kiln workers?"
OWN = {"kiln.md", "both.md"}
SECRET = ("310,000", "Bando", "pay.md", "MR-07", "mri.pdf")
"""What is in the other collection alone."""
DOCUMENTS = {  # address: whether a document, or text of one, is behind it; a new address has to say
    "/v1/ask": True,
    "/v1/search": True,
    "/v1/summarize": True,
    "/v1/compare": True,
    "/v1/extract": True,
    "/v1/documents": True,
    "/v1/documents/{document_id}": True,
    "/v1/documents/{document_id}/passages": True,
    "/v1/documents/{document_id}/original": True,
    "/v1/documents/{document_id}/pages/{page}.png": True,
    "/v1/documents/{document_id}/reread": True,
    "/v1/conversations": True,
    "/v1/conversations/{conversation:path}": True,
    "/v1/conversations/{conversation:path}/export": True,
    "/v1/memory": True,
    "/v1/memory/{memory_id}": True,
    "/v1/feedback": True,
    "/v1/feedback/opened": False,
    "/v1/pipelines": False,
    "/v1/pipelines/{name}": True,
    "/v1/policies": False,
    "/v1/policies/{name}": False,
    "/v1/policies/{name}/activate": False,
    "/v1/policies/{name}/rollback": False,
    "/v1/examples": True,
    "/v1/examples/{key}": True,
    "/v1/jobs": True,
    "/v1/jobs/{job_id}": True,
    "/v1/jobs/{job_id}/events": True,
    "/v1/chat/completions": True,
    "/mcp": True,
    "/v1/embeddings": False,
    "/v1/models": False,
    "/v1/models/{model:path}": False,
    "/v1/variants": False,
    "/": False,
    "/docs": False,
    "/openapi.json": False,
    "/healthz": False,
    "/readyz": False,
    "/metrics": False,
}


@dataclass
class Parted:
    base: str
    tekio: Tekio
    keys: dict[str, str]
    ids: dict[str, str]

    def http(self, who: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        return httpx.Client(base_url=self.base, headers=headers, timeout=120)


@pytest.fixture(scope="module", params=["folder", "postgresql"])
def parted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore
) -> Iterator[Parted]:
    """A server over two collections, and keys for one, for both by a tag, and for all."""
    folder, store = tmp_path_factory.mktemp("parted"), ""
    if request.param == "postgresql":
        store = f"{request.getfixturevalue('postgresql')}&schema=t{uuid.uuid4().hex[:12]}"
    steps = [{"name": "answer", "kind": "answer", "variant": "extractive"}]
    settings = own_settings(
        folder,
        model_store,
        store=store,
        edit_examples=True,
        prometheus=True,
        pipelines={"plain": {"steps": steps}},
    )
    with closing(Tekio(settings)) as tekio:
        make = tekio.keys.create
        keys = {
            "own": make("own", "write", tags={"collection": ("house-a",)})[1],
            "reader": make("reader", "read", tags={"collection": ("house-a",)})[1],
            "either": make("either", "write", tags={"collection": ("house-a", "house-c")})[1],
            "user": make("user", "write", user="mori", tags={"collection": ("house-a",)})[1],
            "all": make("all", "admin")[1],
        }
        with served(Tekio, settings) as base:
            parted = Parted(base, tekio, keys, {})
            with parted.http("all") as http:
                for collections, files in (
                    (["house-a"], {"kiln.md": KILN.encode()}),
                    (["house-b"], {"pay.md": PAY.encode(), "mri.pdf": MRI.read_bytes()}),
                    (["house-a", "house-b"], {"both.md": BOTH.encode()}),
                    ([], {"loose.md": b"# Loose\n\nThe kiln of nobody, says Bando.\n"}),
                ):
                    tags = [f"collection={each}" for each in collections]
                    sent = [("files", file) for file in files.items()]
                    made = http.post("/v1/documents", files=sent, data={"tag": tags}).json()["files"]
                    parted.ids |= {each["document"]: each["id"] for each in made}
            yield parted


@pytest.fixture
def own(parted: Parted) -> Iterator[httpx.Client]:
    with parted.http("own") as http:
        yield http


def silent(response: httpx.Response) -> httpx.Response:
    """A response, if it tells nothing of the other collection."""
    assert response.status_code < 500, response.text
    said = response.text.replace(json.dumps(QUESTION)[1:-1], "")
    assert not [word for word in SECRET if word in said], response.text
    return response


def test_every_address_is_known_here(parted: Parted) -> None:
    paths = {getattr(route, "path", "") for route in create_app(parted.tekio).routes}
    assert paths == set(DOCUMENTS), "say in DOCUMENTS whether a document is behind it, and test it here"


@pytest.mark.parametrize("who", ["own", "reader", "either", "user"])
def test_lists_searches_and_answers_are_of_the_collection_alone(parted: Parted, who: str) -> None:
    with parted.http(who) as http:
        listed = silent(http.get("/v1/documents")).json()
        assert {row["document"] for row in listed["documents"]} == OWN
        assert (listed["total"], listed["counts"]["documents"]) == (2, 2)
        silent(http.get("/v1/documents", params={"where": "tag.collection=house-b"}))
        for where in ([], ["tag.collection=house-b"], ["document=pay.md"], ["tag.collection!=house-a"]):
            for more in ({}, {"parent": True}, {"merge": True, "mode": "dense"}, {"mode": "keyword"}):
                body = {"query": "kiln pay", "top_k": 50, "where": where, **more}
                found = silent(http.post("/v1/search", json=body)).json()["passages"]
                assert {row["document"] for row in found} <= OWN
                assert found or where
        for said in ({}, {"stream": True}, {"technique": "few_shot"}, {"where": ["document=pay.md"]}):
            answer = silent(http.post("/v1/ask", json={"question": QUESTION, **said}))
            assert answer.status_code == 200
    with parted.http("all") as http:
        assert "310,000" in http.post("/v1/ask", json={"question": QUESTION}).text, (
            "also after theirs was stored"
        )
    with parted.http(who) as http:
        silent(http.post("/v1/ask", json={"question": QUESTION}))


@pytest.mark.parametrize("name", ["pay.md", "mri.pdf", "loose.md"])
def test_a_document_beyond_it_is_not_there_by_any_address(
    parted: Parted, own: httpx.Client, name: str
) -> None:
    one = f"/v1/documents/{parted.ids[name]}"
    for ending in ("", "/passages", "/original", "/pages/1.png"):
        assert silent(own.get(one + ending)).status_code == 404, ending
    assert silent(own.post(f"{one}/reread")).status_code == 404
    assert silent(own.delete(one)).status_code == 404
    for path, body in (
        ("/v1/summarize", {"document": name, "variant": "extractive"}),
        ("/v1/compare", {"first": "kiln.md", "second": name, "variant": "extractive"}),
        ("/v1/extract", {"document": name, "variant": "extractive", "schema": {"type": "object"}}),
    ):
        refused = own.post(path, json=body)
        assert refused.status_code == 422, refused.text
        assert "310,000" not in refused.text
    schema = {"type": "object", "properties": {"pay": {"type": "string"}}}
    body = {"question": QUESTION, "variant": "extractive", "schema": schema}
    silent(own.post("/v1/extract", json=body))
    with parted.http("all") as http:
        assert http.get(one).status_code == 200


def test_a_document_within_it_is_read_by_every_address(parted: Parted, own: httpx.Client) -> None:
    one = f"/v1/documents/{parted.ids['kiln.md']}"
    assert own.get(one).json()["document"] == "kiln.md"
    assert "1,240" in own.get(f"{one}/passages").text
    assert own.get(f"{one}/original").text == KILN
    assert own.post(f"{one}/reread").json()["outcome"] == "unchanged"
    assert own.get("/v1/variants").status_code == 200
    assert "1,240" in own.post("/v1/ask", json={"question": "How hot is the kiln fired?"}).text


@pytest.mark.parametrize("parted", ["folder"], indirect=True)  # what differs by store is tested there
def test_uploads_land_in_the_collection_and_replace_nothing_beyond_it(
    parted: Parted, own: httpx.Client
) -> None:
    def upload(http: httpx.Client, name: str, text: str, *tags: str) -> httpx.Response:
        return http.post(
            "/v1/documents",
            files={"files": (name, text.encode())},
            data={"tag": list(tags)} if tags else None,
        )

    with parted.http("reader") as http:
        assert upload(http, "x.md", "# X\n\nNothing.\n").status_code == 403
    mine = upload(own, "pay.md", "# Pay\n\nNobody is paid here.\n").json()["files"][0]
    assert mine["outcome"] == "ok"
    assert own.get(f"/v1/documents/{mine['id']}").json()["tags"] == {"collection": ["house-a"]}
    with parted.http("all") as http:
        theirs = http.get(f"/v1/documents/{parted.ids['pay.md']}")
        assert theirs.status_code == 200, "of the same name, and of another collection"
    again = upload(own, "pay.md", "# Pay\n\nStill nobody.\n").json()["files"][0]
    assert again["replaced"]
    assert own.delete(f"/v1/documents/{again['id']}").status_code == 200
    refused = upload(own, "x.md", "# X\n\nNothing.\n", "collection=house-b")
    assert refused.status_code == 403
    assert "collection=house-a" in refused.text
    claims = upload(own, "claims.md", "---\ncollection: house-b\n---\n# Claim\n\nThe kiln is free.\n")
    assert claims.status_code == 422
    assert "says of itself collection=house-b" in claims.text
    with parted.http("all") as http:
        assert "claims.md" not in http.get("/v1/documents").text
    with parted.http("either") as http:
        undecided = upload(http, "x.md", "# X\n\nNothing.\n")
        assert undecided.status_code == 422
        assert "collection=house-a, collection=house-c" in undecided.text
        chosen = upload(http, "x.md", "# X\n\nNothing.\n", "collection=house-c").json()["files"][0]
        assert own.get(f"/v1/documents/{chosen['id']}").status_code == 404
        assert http.delete(f"/v1/documents/{chosen['id']}").status_code == 200


def test_conversations_memories_and_feedback_are_the_keys_own(parted: Parted, own: httpx.Client) -> None:
    with parted.http("all") as http:
        answer = http.post("/v1/ask", json={"question": QUESTION}).json()
        parted.tekio.conversations.keep("wages", Answer.model_validate(answer))
        assert http.post("/v1/feedback", json={"answer": answer, "rating": "up"}).status_code == 200
        http.post("/v1/memory", json={"text": "Bando pays on Fridays."})
        kept = http.get("/v1/memory").json()["memories"]
        theirs = http.get("/v1/conversations").json()["conversations"]
        assert [row["id"] for row in theirs] == ["wages"]
    try:
        assert silent(own.get("/v1/conversations")).json()["conversations"] == []
        for path in ("/v1/conversations/wages", "/v1/conversations/wages/export"):
            assert silent(own.get(path)).status_code == 404
        assert own.patch("/v1/conversations/wages", json={"title": "x"}).status_code == 404
        assert own.delete("/v1/conversations/wages").status_code == 404
        assert silent(own.get("/v1/memory")).json()["memories"] == []
        for row in kept:
            assert silent(own.patch(f"/v1/memory/{row['id']}", json={"text": "x"})).status_code >= 400
            assert silent(own.delete(f"/v1/memory/{row['id']}")).status_code >= 400
        assert own.post("/v1/feedback", json={"answer": answer, "rating": "up"}).status_code == 422
        assert silent(own.get("/v1/feedback")).json() == {"feedback": [], "total": 0}
        assert silent(own.get("/v1/feedback?everybody=true")).status_code == 403
        silent(own.post("/v1/ask", json={"question": QUESTION, "conversation": "wages"}))
        own.post("/v1/memory", json={"text": "Aoyama is on the left."})
        with parted.http("user") as http:
            assert http.get("/v1/memory").json()["memories"] == []
        with parted.http("all") as http:
            assert "Aoyama is" not in http.get("/v1/memory").text
            assert "310,000" in http.get("/v1/conversations/wages").text
    finally:
        for who in ("all", "own"):
            with parted.http(who) as http:
                http.delete("/v1/memory?all=true")


def test_a_conversation_by_the_api_goes_on_for_its_key_alone(parted: Parted, own: httpx.Client) -> None:
    one = "/v1/conversations/firing"
    body = {"conversation": "firing", "variant": "extractive"}
    first = own.post("/v1/ask", json={"question": "How hot is the kiln fired?", **body})
    assert "1,240" in first.json()["answer"]
    follow = {"question": "And for how many hours?", **body}
    answer = own.post("/v1/ask", json=follow).json()
    assert (answer["conversation"]["turns"], "kiln" in answer["asked"]) == (1, True)
    said = own.get(one).json()["said"]
    assert [turn["question"] for turn in said] == ["How hot is the kiln fired?", follow["question"]]
    assert said[1]["asked"] == answer["asked"]
    for who in ("user", "reader", "all"):
        with parted.http(who) as http:
            assert http.get(one).status_code == 404
            assert http.post("/v1/ask", json=follow).json()["conversation"] is None
            assert len(http.get(one).json()["said"]) == 1
    assert own.delete(one).json() == {"deleted": 2}
    assert own.get(one).status_code == 404
    with parted.http("all") as http:
        assert http.delete(one).json() == {"deleted": 1}


def test_examples_and_jobs_are_not_for_a_part_of_the_documents(parted: Parted, own: httpx.Client) -> None:
    example = {
        "question": "What does Bando earn?",
        "passages": ["Bando earns 310,000 yen."],
        "answer": "Bando earns 310,000 yen [1].",
    }
    with parted.http("all") as http:
        added = http.post("/v1/examples", json=example).json()
    listed = silent(own.get("/v1/examples")).json()["examples"]
    assert {row["origin"] for row in listed} == {"shipped"}
    assert silent(own.post("/v1/examples", json={**example, "question": "Mine?"})).status_code == 403
    for row in (added, listed[0]):
        assert silent(own.delete(f"/v1/examples/{row['id']}")).status_code == 403
    silent(own.post("/v1/ask", json={"question": "What does Aoyama earn?", "technique": "one_shot"}))
    job = f"/v1/jobs/{'0' * 24}"
    for method, path in (("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", job), ("GET", f"{job}/events")):
        assert own.request(method, path, json={"kind": "ingest"}).status_code == 403
    assert own.delete(job).status_code == 403
    assert not [word for word in SECRET if word in own.get("/metrics").text]


def test_openais_protocol_and_mcp_keep_to_it(parted: Parted, own: httpx.Client) -> None:
    client = OpenAI(base_url=f"{parted.base}/v1", api_key=parted.keys["own"])
    messages: Any = [{"role": "user", "content": QUESTION}]
    whole = client.chat.completions.create(model="extractive", messages=messages)
    streamed = client.chat.completions.create(model="extractive", messages=messages, stream=True)
    for said in (whole.model_dump_json(), "".join(piece.model_dump_json() for piece in streamed)):
        assert not [word for word in SECRET if word in said]

    def call(name: str, **arguments: object) -> httpx.Response:
        params = {"name": name, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return silent(own.post("/mcp", json=body, headers={"Accept": "application/json, text/event-stream"}))

    found = call("documents").json()["result"]["structuredContent"]["documents"]
    assert {row["document"] for row in found} == OWN
    passages = call("search", query="kiln pay", top_k=50).json()["result"]["structuredContent"]["passages"]
    assert {row["document"] for row in passages} == OWN
    assert not call("ask", question=QUESTION).json()["result"].get("isError")
    assert call("read", document="kiln.md").json()["result"]["structuredContent"]["text"].startswith("Kiln")
    refused = own.post(
        "/mcp",
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "read", "arguments": {"document": "pay.md"}},
        },
        headers={"Accept": "application/json, text/event-stream"},
    )
    assert refused.json()["result"]["isError"]
    assert "310,000" not in refused.text


@pytest.mark.parametrize("who", ["own", "reader", "user"])
def test_a_pipeline_answers_from_the_collection_alone(parted: Parted, who: str) -> None:
    with parted.http(who) as http:
        ran = silent(http.post("/v1/pipelines/plain", json={"text": QUESTION}))
        assert ran.status_code == 200, ran.text
        assert "plain" in silent(http.get("/v1/pipelines")).text
    with parted.http("all") as http:
        assert "310,000" in http.post("/v1/pipelines/plain", json={"text": QUESTION}).text


def test_questions_are_suggested_of_the_collection_alone(parted: Parted) -> None:
    who = Caller(bound=Bound("k", (("collection", ("house-a",)),), owns=True))
    suggested = parted.tekio.suggestions("en", caller=who)
    assert suggested
    assert not [word for word in SECRET if word in " ".join(suggested)]


def test_the_command_binds_a_key_and_an_admin_is_bound_to_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_MEMORY", str(tmp_path / "memory"))
    given = ["--collection", "house-a", "--collection", "窯", "--tag", "ward=icu"]
    code, out, _ = run("keys", "create", "bound", *given, "--json")
    assert code == 0
    expected = ["collection=house-a", "collection=窯", "ward=icu"]
    assert json.loads(out)["tags"] == expected
    (row,) = json.loads(run("keys", "list", "--json")[1])["keys"]
    assert row["tags"] == expected
    code, _, err = run("keys", "create", "chief", "--scope", "admin", "--collection", "house-a")
    assert code == 2
    assert "read or write" in err
    assert run("keys", "create", "x", "--tag", "nothing")[0] == 2
