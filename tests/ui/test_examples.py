"""Examples and prompt functions on the command line and over the API."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from kernel.app import Tekio
from kernel.settings import Settings
from tests.ui.conftest import Run
from tests.ui.serving import served
from ui.rest import create_app

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

EXAMPLE = {
    "question": "How often is pump P-3 greased?",
    "passages": ["Pump P-3 is greased every 200 hours."],
    "answer": "Every 200 hours [1].",
}


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a command in an empty folder; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    return run


def answer_json(scripted: type[ScriptedTekio], **changes: Any) -> str:
    whole = {"answer": "The warranty lasts 24 months [1].", "unsupported": []}
    return scripted.answer.model_copy(update=whole | changes).model_dump_json()


def test_an_example_is_added_by_options_listed_shown_and_deleted(run: Run) -> None:
    options = [
        "--question",
        EXAMPLE["question"],
        "--passage",
        EXAMPLE["passages"][0],
        "--answer",
        EXAMPLE["answer"],
    ]
    code, out, _ = run("examples", "add", *map(str, options), "--json")
    assert code == 0
    (added,) = json.loads(out)["examples"]
    assert (added["new"], added["language"], added["origin"]) == (True, "en", "added")
    listed = json.loads(run("examples", "list", "--language", "en", "--json")[1])["examples"]
    assert [row["id"] for row in listed].count(added["id"]) == 1
    assert len(listed) > 1, "shipped ones are listed too"
    assert "Pump P-3 is greased every 200 hours." in run("examples", "show", added["id"][:5])[1]
    assert run("examples", "delete", added["id"])[0] == 0
    code, _, err = run("examples", "show", added["id"])
    assert (code, "no example has the id" in err) == (2, True)


def test_examples_are_added_from_a_file_of_several(run: Run, tmp_path: Path) -> None:
    rows = [EXAMPLE, {**EXAMPLE, "question": "ポンプP-3は何時間ごとに給脂しますか。"}]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8-sig")
    code, out, _ = run("examples", "add", "--file", "rows.json", "--json")
    assert code == 0
    assert [row["language"] for row in json.loads(out)["examples"]] == ["en", "ja"]


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("add",), "give --question, --passage and --answer"),
        (("add", "--question", "Q?", "--file", "x"), "or --file FILE"),
        (("add", "--question", "Q?", "--passage", "P.", "--answer", "Yes."), "must cite its passages"),
        (("add", "--file", "missing.json"), "missing.json cannot be read"),
        (("add", "--file", "broken.json"), "not valid JSON"),
        (("add", "--from-answer", "broken.json"), "not the JSON of an answer"),
        (("list", "--language", "fr"), "en or ja, not 'fr'"),
        (("delete", ""), "no example has the id"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    (tmp_path / "broken.json").write_text("{")
    code, out, err = run("examples", *args)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_an_approved_answer_becomes_an_example_of_what_it_quotes(
    scripted: type[ScriptedTekio], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = scripted.answer.citations[0].model_copy(
        update={"document": "manual ![x](http://evil.example/p.png).pdf"}
    )
    text = answer_json(scripted, citations=[document])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, _ = run("examples", "add", "--from-answer", "-", "--json")
    assert code == 0
    (added,) = json.loads(out)["examples"]
    assert added["passages"] == ["The warranty lasts 24 months."]
    assert (added["answer"], added["origin"]) == ("The warranty lasts 24 months [1].", "answer")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"refused": True}, "is a refusal"),
        ({"unsupported": ["It is gold."]}, "no passage supports a sentence"),
        ({"finish_reason": "length"}, "did not end by itself"),
        ({"citations": []}, "without a quote"),
        ({"answer": "It lasts.", "citations": []}, "cites no passage"),
        ({}, "not in this index"),
    ],
)
def test_an_answer_that_cannot_be_shown_is_refused(
    scripted: type[ScriptedTekio], run: Run, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    held = json.loads(answer_json(scripted)) | changes
    (tmp_path / "answer.json").write_text(json.dumps(held))
    code, _, err = run("examples", "add", "--from-answer", "answer.json")
    assert (code, says in err) == (2, True), err


def test_prompt_functions_are_listed_with_what_is_wrong(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".tekio" / "prompts" / "mine").mkdir(parents=True)
    code, out, err = run("prompts", "--json")
    assert code == 0
    states = {row["name"]: row for row in json.loads(out)["prompts"]}
    assert states["zero_shot"]["answers"]
    assert states["mine"]["problem"] == "it has no skprompt.txt"
    code, out, err = run("prompts")
    assert "1 cannot be used" in err
    code, _, err = run("ask", "Why?", "--technique", "theirs")
    assert (code, "there are zero_shot" in err and "mine" in err) == (2, True)


@pytest.fixture
def client(tmp_path: Path, model_store: Any) -> Callable[..., httpx.Client]:
    """Give clients of a real facade with given settings."""

    def make(**more: Any) -> httpx.Client:
        settings = Settings(
            index=tmp_path / "index", examples=tmp_path / "examples", cache=model_store.cache, **more
        )
        transport = httpx.ASGITransport(create_app(Tekio(settings)))
        return httpx.Client(transport=_Sync(transport), base_url="http://localhost")

    return make


class _Sync(httpx.BaseTransport):
    """Runs an application's answers without a server."""

    def __init__(self, transport: httpx.ASGITransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        import asyncio

        async def answer() -> httpx.Response:
            given = httpx.Request(
                request.method, request.url, headers=request.headers, content=request.read()
            )
            response = await self._transport.handle_async_request(given)
            return httpx.Response(
                response.status_code, headers=response.headers, content=await response.aread()
            )

        return asyncio.run(answer())


def test_examples_are_closed_to_the_api_unless_the_operator_opens_them(
    client: Callable[..., httpx.Client],
) -> None:
    with client() as http:
        for response in (
            http.get("/v1/examples"),
            http.post("/v1/examples", json=EXAMPLE),
            http.delete("/v1/examples/abc"),
        ):
            assert response.status_code == 403
            assert "edit_examples" in response.json()["error"]["message"]


def test_the_api_lists_adds_and_deletes_examples(client: Callable[..., httpx.Client]) -> None:
    with client(edit_examples=True) as http:
        made = http.post("/v1/examples", json=EXAMPLE)
        assert made.status_code == 201
        key = made.json()["id"]
        assert key in {row["id"] for row in http.get("/v1/examples").json()["examples"]}
        assert http.post("/v1/examples", json={**EXAMPLE, "answer": "No marker."}).status_code == 422
        assert http.post("/v1/examples", json={}).status_code == 422
        assert http.delete(f"/v1/examples/{key}").status_code == 204
        assert key not in {row["id"] for row in http.get("/v1/examples").json()["examples"]}


def test_users_see_and_delete_their_own_examples_alone(client: Callable[..., httpx.Client]) -> None:
    with client(edit_examples=True, user_header="X-User") as http:
        aoki, baba = {"X-User": "aoki"}, {"X-User": "baba"}
        key = http.post("/v1/examples", json=EXAMPLE, headers=aoki).json()["id"]
        seen = [row["owner"] for row in http.get("/v1/examples", headers=aoki).json()["examples"]]
        assert "aoki" in seen
        for headers in (baba, {}):
            assert key not in {
                row["id"] for row in http.get("/v1/examples", headers=headers).json()["examples"]
            }
        assert http.delete(f"/v1/examples/{key}", headers=baba).status_code == 422
        shipped = http.get("/v1/examples", headers=baba).json()["examples"][0]["id"]
        assert "not yours" in http.delete(f"/v1/examples/{shipped}", headers=baba).json()["error"]["message"]
        assert http.post("/v1/examples", json=EXAMPLE).status_code == 403


def test_samples_reach_the_facade(scripted: type[ScriptedTekio]) -> None:
    with served(scripted) as base, httpx.Client(base_url=base, timeout=60) as http:
        body = {"question": "How long?", "technique": "hybrid", "samples": 5}
        assert http.post("/v1/ask", json=body).status_code == 200
        assert scripted.asked[-1]["samples"] == 5
        assert http.post("/v1/ask", json={**body, "samples": 11}).status_code == 422
