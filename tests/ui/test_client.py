"""The Python client against a real server."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import ui.client
from kernel.answer import AnswerEvent, PassagesEvent
from retrieval.errors import TekioError
from tests.ui.browsing import ROOT
from tests.ui.serving import MRI, served
from ui.client import ApiError, Client
from ui.jobs.kinds import IngestJob
from ui.views import CitationView, DoneView

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

QUESTION = "How long is a completed MR-07 valid?"


@pytest.fixture(scope="module")
def client(library: str) -> Iterator[Client]:
    with Client(library) as made:
        yield made


def test_a_document_is_uploaded_asked_about_looked_at_and_deleted(
    client: Client, library: str, tmp_path: Path
) -> None:
    file = tmp_path / "lathe.md"
    file.write_text("# Lathe\n\nThe lathe is oiled every 40 hours.\n")
    (made,) = client.upload(file, tags=["shop=north"]).files
    assert made.id is not None
    assert client.document(made.id).tags == {"shop": ["north"]}
    assert made.id in {row.id for row in client.documents()}
    assert [row.id for row in client.documents(search="lathe", where=["tag.shop=north"], limit=5)] == [
        made.id
    ]
    answer = client.ask("How often is the lathe oiled?", where=["tag.shop=north"])
    assert answer.citations[0].document == "lathe.md"
    body = {"answer": answer.model_dump(mode="json"), "rating": "down", "comment": "too short"}
    assert httpx.post(f"{library}/v1/feedback", json=body, timeout=60).status_code == 200
    said = client.feedback(rating="down", limit=1)
    assert (said.feedback[0].comment, said.feedback[0].cited) == ("too short", ["lathe.md"])
    assert client.feedback(everybody=True).total >= said.total
    assert client.search("lathe", top_k=1)[0].document_id == made.id
    assert "40 hours" in client.passages(made.id).passages[0].text
    assert client.original(made.id) == file.read_bytes()
    assert client.reread(made.id).outcome == "unchanged"
    assert client.delete(made.id).file == "deleted"


def test_a_stream_is_typed(client: Client, mri: dict[str, Any]) -> None:
    events = list(client.stream(QUESTION))
    assert isinstance(events[0], PassagesEvent)
    (answer,) = [event.answer for event in events if isinstance(event, AnswerEvent)]
    citation = next(event for event in events if isinstance(event, CitationView))
    assert citation.document_id == mri["id"]
    image = client.page_image(
        citation.document_id, citation.page or 0, start=citation.start, end=citation.end
    )
    assert image.startswith(b"\x89PNG")
    assert isinstance(events[-1], DoneView)
    assert events[-1].finish_reason is answer.finish_reason


def test_what_is_said_kept_and_shown_is_typed_too(client: Client, mri: dict[str, Any]) -> None:
    name = "who asks/1?"
    answer = client.ask(QUESTION, conversation=name)
    (listed,) = client.conversations(search="MR-07")
    assert (listed.id, client.rename(name, "Forms").title) == (name, "Forms")
    assert client.conversation(name).said[0].answer == answer
    assert QUESTION.encode() in client.export(name, "json")
    kept = client.rate(answer, "down", correction="For a year.", conversation=name)
    assert kept is not None
    assert client.rate(answer, "down") is None
    assert [memory.answer for memory in client.memories()] == ["For a year."]
    assert client.forget(kept.id) == 1
    assert client.forget_conversation(name) == 1
    assert client.conversations() == []

    fact = client.remember("The kiln is K2.")
    assert client.change_memory(fact.id, confirm=True).confirmed == 1
    assert client.forget(fact.id) == 1
    assert client.memories() == []

    before = client.examples()
    added = client.add_example("Which kiln?", ["The kiln is K2."], "K2 [1].")
    approved = client.approve(answer)
    assert len(client.examples()) == len(before) + 2
    for example in (added, approved):
        client.delete_example(example.id)
    assert client.examples() == before


def test_documents_as_a_whole_are_read_by_the_client(
    client: Client, mri: dict[str, Any], tmp_path: Path
) -> None:
    document = mri["document"]
    assert client.summarize(document, sentences=2).document == document
    (file := tmp_path / "drill.md").write_text("# Drill\n\nThe drill is oiled every 30 hours.\n")
    (other,) = client.upload(file).files
    assert client.compare("drill.md", document, about="oil").first == "drill.md"
    client.delete(other.id or "")
    schema = {"type": "object", "properties": {"form": {"type": "string"}}}
    assert client.extract(schema, question=QUESTION).passages
    assert client.pipelines() == []
    with pytest.raises(ApiError) as raised:
        client.run_pipeline("nonesuch", "text")
    assert raised.value.status == 404


def test_what_could_not_be_read_is_an_answer(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "empty.md"
    file.write_bytes(b"")
    found = client.upload(file)
    assert (found.failed, found.files[0].outcome) == (1, "empty")


def test_what_is_refused_is_an_error_with_its_remedy(client: Client) -> None:
    with pytest.raises(ApiError, match="no such document") as raised:
        client.document("0" * 24)
    assert raised.value.status == 404
    assert raised.value.problem is not None
    assert raised.value.problem.error.type == "not_found"
    with pytest.raises(ApiError) as refused:
        list(client.stream(QUESTION, variant="nonesuch"))
    assert refused.value.status == 422
    with pytest.raises(ApiError, match="job_roots"):
        client.start(IngestJob(kind="ingest", paths=["anything"]))
    assert client.jobs() == []


def test_the_client_loads_no_engine() -> None:
    code = "import sys, tekio.client; sys.exit(bool({'kernel.app', 'torch', 'semantic_kernel'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=120).returncode == 0


def test_an_error_in_a_stream_is_raised(scripted: type[ScriptedTekio]) -> None:
    scripted.error = TekioError("the model is missing")
    with served(scripted) as base, Client(base) as client:
        with pytest.raises(ApiError, match="the model is missing"):
            list(client.stream("q"))
        assert client.variants().default_variant == "base"


def test_a_server_that_is_not_there_is_told() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(TekioError, match="tekio serve"):
        client.documents()


def test_the_example_runs(library: str, mri: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The example of the module, over this server and a file that is there."""
    text = inspect.cleandoc(ui.client.__doc__ or "").partition("\n\n")[2]
    text = inspect.cleandoc(text).replace("http://127.0.0.1:8400", library)
    text = text.replace('"manual.pdf"', repr(str(MRI))).replace("How long is the warranty?", QUESTION)
    exec(compile(text, "example", "exec"), {})
    assert "mri" in capsys.readouterr().out
    with Client(library) as client:
        (again,) = [row for row in client.documents() if row.document == MRI.name]
        client.delete(again.id)
