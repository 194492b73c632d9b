"""Whole documents on the command line, over the API and on the page, over a real index."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import access
from tests.ui.conftest import Run
from ui.chat_documents import work_html
from ui.rest import create_app

TEXT = "# Pump P-3\n\nThe pump P-3 is greased every 200 hours. Its filter is changed after two weeks by the mechanic.\n"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "greased_hours": {"type": "integer", "description": "hours after which the pump is greased"}
    },
    "required": ["greased_hours"],
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Path:
    root = tmp_path_factory.mktemp("reading")
    (root / "docs").mkdir()
    (root / "docs" / "old.md").write_text(TEXT)
    (root / "docs" / "new.md").write_text(
        TEXT.replace("200", "250") + "\n![x](http://evil.example/p.png) is shown.\n"
    )
    (root / "docs" / "secret.md").write_text(TEXT)
    app = Tekio(Settings(index=root / "index", cache=model_store.cache))
    app.ingest([root / "docs"])
    app.share(["secret.md"], access("aoki", []))
    app.close()
    return root / "index"


@pytest.fixture
def run(index: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(*args, "--index", str(index))


def test_a_summary_and_a_comparison_are_printed_with_their_sources(run: Run) -> None:
    code, out, _ = run("summarize", "old.md", "--variant", "extractive", "--sentences", "1")
    assert code == 0
    assert '[1] old.md: "' in out
    code, out, _ = run("compare", "old.md", "new.md", "--variant", "extractive")
    assert code == 0
    assert "- figures: 200 hour / 250 hour" in out
    held = json.loads(run("compare", "old.md", "new.md", "--variant", "extractive", "--json")[1])
    assert (held["first"], held["changed"][0]["differs_in"]) == ("old.md", ["figures"])


def test_facts_are_printed_as_json_and_a_schema_that_is_not_met_ends_with_3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    code, out, _ = run("extract", "old.md", "--schema", "schema.json", "--variant", "extractive", "--json")
    assert (code, json.loads(out)["data"]) == (0, {"greased_hours": 200})
    wanted = {**SCHEMA, "required": ["greased_hours", "price"]}
    wanted["properties"] = {
        **SCHEMA["properties"],
        "price": {"type": "number", "description": "price in yen"},
    }
    (tmp_path / "schema.json").write_text(json.dumps(wanted))
    code, out, err = run("extract", "old.md", "--schema", "schema.json", "--variant", "extractive", "--json")
    held = json.loads(out)
    assert (code, held["valid"], held["data"]) == (3, False, {"greased_hours": 200})
    assert "the schema is not met at /price: no value was found" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("summarize", "odl.md"), "did you mean old.md"),
        (("summarize", "secret.md", "--as", "baba"), "no document is named 'secret.md'"),
        (("compare", "old.md", "old.md"), "both names are of one document"),
        (("extract", "old.md", "--schema", "missing.json"), "missing.json cannot be read"),
        (("extract", "nothing.md", "--schema", "schema.json"), "no document is named 'nothing.md'"),
    ],
)
def test_wrong_usage_is_one_line(run: Run, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_the_api_reads_what_the_caller_may_read(index: Path, model_store: ModelStore) -> None:
    tekio = Tekio(Settings(index=index, cache=model_store.cache, user_header="X-User"))
    extractive = {"variant": "extractive"}
    with TestClient(create_app(tekio), base_url="http://localhost") as http:

        def post(path: str, body: dict[str, Any], user: str = "") -> Any:
            return http.post(path, json=body | extractive, headers={"X-User": user} if user else {})

        assert post("/v1/summarize", {"document": "old.md"}).json()["citations"]
        assert post("/v1/summarize", {"document": "secret.md"}).status_code == 422
        assert post("/v1/summarize", {"document": "secret.md"}, "aoki").status_code == 200
        assert post("/v1/compare", {"first": "old.md", "second": "secret.md"}).status_code == 422
        got = post("/v1/extract", {"document": "old.md", "schema": SCHEMA})
        assert got.json()["data"] == {"greased_hours": 200}
        assert post("/v1/extract", {"document": "secret.md", "schema": SCHEMA}).status_code == 422
        hidden = post("/v1/extract", {"question": "When is pump P-3 greased?", "schema": SCHEMA}).json()
        assert {item["document"] for item in hidden["passages"]} <= {"old.md", "new.md"}
        wrong = post("/v1/extract", {"document": "old.md", "schema": {"type": "nothing"}})
        assert (wrong.status_code, "schema is not valid" in wrong.json()["error"]["message"]) == (422, True)
    tekio.close()


async def test_what_a_document_says_is_never_live_on_the_page(index: Path, model_store: ModelStore) -> None:
    tekio = Tekio(Settings(index=index, cache=model_store.cache))
    try:
        compared = await tekio.compare("old.md", "new.md", variant="extractive")
        summary = await tekio.summarize("new.md", variant="extractive")
    finally:
        tekio.close()
    for work in (compared, summary):
        html = work_html(work, "en")
        assert "<img" not in html
        assert "href" not in html
    assert "200 hour / 250 hour" in work_html(compared, "en")
