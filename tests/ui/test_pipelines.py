"""`tekio pipeline` and /v1/pipelines, over the pipelines that ship as examples and a real index."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import access
from tests.kernel.remote.stub_server import Stub, endless
from tests.kernel.remote.stub_server import served as served_stub
from tests.ui.conftest import Run
from tests.ui.serving import events_of, own_settings, served

SHIPPED = (Path(__file__).parents[2] / "data/pipelines.toml").read_text(encoding="utf-8")
MORE = """
[variants.far]
engine = "openai"
address = "{address}"
model = "m"
retries = 0

[[pipelines.french.steps]]
name = "short"
kind = "summarise"
[[pipelines.french.steps]]
name = "french"
kind = "translate"
variant = "far"
anyway = true
from = "en"
to = "fr"

[[pipelines.asking.steps]]
name = "answer"
kind = "answer"
"""
PRAISE = "The new pump works perfectly and our staff love it."
COMPLAINT = "The delivery was late again and the box was broken."
QUESTION = "What is the pay of Aoki?"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with served_stub() as running:
        yield running


@pytest.fixture(scope="module")
def tables(stub: Stub) -> str:
    return f'variant = "extractive"\n{SHIPPED}\n{MORE.format(address=stub.url)}'


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore, tables: str
) -> tuple[Path, Settings]:
    root = tmp_path_factory.mktemp("pipelines")
    settings = own_settings(root, model_store, **tomllib.loads(tables))
    (root / "pay.md").write_text("# Pay\n\nThe pay of Aoki is 4,711 euros.\n", encoding="utf-8")
    app = Tekio(settings)
    app.ingest([root / "pay.md"], access=access("aoki", []))
    app.close()
    return root, settings


@pytest.fixture(scope="module")
def api(place: tuple[Path, Settings]) -> Iterator[str]:
    with served(Tekio, place[1].model_copy(update={"user_header": "X-User"})) as base:
        yield base


@pytest.fixture
def run(
    place: tuple[Path, Settings], tables: str, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_CACHE", str(place[1].cache))
    (tmp_path / "tekio.toml").write_text(tables, encoding="utf-8")
    index = ["--index", str(place[1].index)]
    return lambda *words: run(*words, *(index if words[1] == "run" and "--index" not in words else []))


def post(api: str, name: str, user: str = "aoki", **body: Any) -> httpx.Response:
    return httpx.post(f"{api}/v1/pipelines/{name}", json=body, headers={"X-User": user}, timeout=60)


def test_the_pipelines_are_listed_and_shown_with_their_steps(run: Run) -> None:
    code, out, _ = run("pipeline", "list")
    assert code == 0
    assert "sentiment\tshort > mood\tlabel\tno\tsummarise a text" in out
    assert "asking\tanswer\tanswer\tyes" in out
    code, out, _ = run("pipeline", "show", "sentiment", "--json")
    short, mood = json.loads(out)["steps"]
    assert (short["input"], mood["input"], mood["variant"]) == (["input"], ["short"], "extractive")
    code, _, err = run("pipeline", "show", "nonesuch")
    assert (code, "there is no pipeline 'nonesuch'; there are sentiment" in err) == (2, True)


def test_the_example_that_ships_tells_a_sentiment(run: Run) -> None:
    Path("letter.txt").write_text(COMPLAINT, encoding="utf-8")
    code, out, err = run("pipeline", "run", "sentiment", "--file", "letter.txt")
    assert code == 0, err
    assert "short: summarise" in err
    assert COMPLAINT in out
    assert "mood (classify" in out
    assert "   negative\n" in out


def test_a_text_needs_no_index_and_a_question_does(run: Run, tmp_path: Path) -> None:
    empty = str(tmp_path / "no-index")
    words = ("pipeline", "run", "sentiment", "--text", COMPLAINT, "--json")
    code, out, err = run(*words, "--index", empty)
    assert (code, json.loads(out)["output"]) == (0, "negative"), err
    assert not (tmp_path / "no-index").exists()
    code, _, err = run("pipeline", "run", "asking", "--text", QUESTION, "--index", empty)
    assert (code, "run `ingest PATH` first" in err) == (1, True)


def test_what_cannot_be_run_is_one_line(run: Run) -> None:
    for words, said in (
        ((), "one of --text, --file or --batch"),
        (("--text", "a", "--file", "b"), "one of --text, --file or --batch"),
        (("--batch", "a"), "--batch and --out go together"),
        (("--text", " "), "the text is empty"),
        (("--file", "missing"), "missing cannot be read"),
    ):
        code, _, err = run("pipeline", "run", "sentiment", *words)
        assert (code, said in err) == (2, True), err


def test_a_step_that_fails_is_named_and_what_was_made_is_printed(run: Run, stub: Stub) -> None:
    stub.script = lambda call: call.error(500, "out of order")
    code, out, err = run("pipeline", "run", "french", "--text", PRAISE)
    assert code == 1
    assert PRAISE in out
    assert "the step 'french' of the pipeline 'french' failed" in err
    code, out, _ = run("pipeline", "run", "french", "--text", PRAISE, "--json")
    result = json.loads(out)
    assert (code, result["output"], result["steps"][0]["output"]) == (1, None, PRAISE)


def test_a_batch_ends_with_3_where_rows_failed_and_goes_on_where_it_stopped(run: Run) -> None:
    rows = [{"id": "a", "text": PRAISE}, {"id": "b", "text": ""}, {"id": "c", "text": COMPLAINT}]
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    words = ("pipeline", "run", "sentiment", "--batch", "rows.jsonl", "--out", "out.jsonl", "--json")
    code, out, _ = run(*words)
    assert code == 3
    assert {"rows": 3, "kept": 0, "done": 2, "failed": 1}.items() <= json.loads(out).items()
    held = {line["id"]: line for line in map(json.loads, Path("out.jsonl").read_text("utf-8").splitlines())}
    assert [held[name]["output"] for name in "abc"] == ["positive", None, "negative"]
    assert "the text is empty" in held["b"]["error"]
    rows[1]["text"] = "The report has four parts."
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    code, out, _ = run(*words)
    assert (code, json.loads(out)["kept"], json.loads(out)["done"]) == (0, 2, 1)


def test_the_api_lists_runs_and_streams(api: str) -> None:
    listed = httpx.get(f"{api}/v1/pipelines", headers={"X-User": "aoki"}).json()["pipelines"]
    assert [each["name"] for each in listed] == ["sentiment", "french", "asking"]
    response = post(api, "sentiment", text=COMPLAINT)
    assert (response.status_code, response.json()["output"]) == (200, "negative"), response.text
    events = events_of(post(api, "sentiment", text=PRAISE, stream=True))
    assert [name for name, _ in events if name != "token"] == [
        "step",
        "step_done",
        "step",
        "step_done",
        "done",
    ]
    assert events[-1][1]["output"] == "positive"


def test_errors_are_problems_with_what_was_made_before(api: str, stub: Stub) -> None:
    stub.script = lambda call: call.error(500, "out of order")
    response = post(api, "french", text=PRAISE)
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert "the step 'french' of the pipeline 'french' failed" in problem["detail"]
    assert problem["result"]["steps"][0]["output"] == PRAISE
    name, streamed = events_of(post(api, "french", text=PRAISE, stream=True))[-1]
    assert (name, streamed["result"]["steps"][0]["output"]) == ("error", PRAISE)
    for name, body, status in (
        ("nonesuch", {"text": "x"}, 404),
        ("sentiment", {"text": " "}, 422),
        ("sentiment", {"text": "x", "language": "fr"}, 422),
        ("sentiment", {"txt": "x"}, 422),
        ("a%20b", {"text": "x"}, 422),
    ):
        assert post(api, name, **body).status_code == status, name


def test_a_caller_is_answered_from_what_they_may_read(api: str) -> None:
    seen = post(api, "asking", text=QUESTION).json()
    assert "4,711" in seen["output"]["answer"]
    assert seen["answer"]["citations"][0]["document"] == "pay.md"
    hidden = post(api, "asking", user="tanaka", text=QUESTION)
    assert hidden.status_code == 200
    assert "4,711" not in hidden.text


def test_a_client_that_leaves_ends_what_is_under_way(api: str, stub: Stub) -> None:
    for stream in (False, True):
        stub.calls.clear()
        stub.gone.clear()
        stub.script = endless
        body = {"text": PRAISE, "stream": stream}
        with (
            httpx.Client(headers={"X-User": "aoki"}, timeout=2) as client,
            pytest.raises((httpx.ReadTimeout, ConnectionError)),
            client.stream("POST", f"{api}/v1/pipelines/french", json=body) as response,
        ):
            for line in response.iter_lines():
                if '"french"' in line:
                    stub.wait_calls(1)
                    raise ConnectionError
        assert stub.gone.wait(20), stream
