"""A client made from the API's own description by a generator: it asks a real server, and gets what is declared."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

GENERATOR = "openapi_python_client"
PACKAGE = "tekio_client"


@pytest.fixture(scope="module")
def said(library: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What the generator said; what it made can be imported meanwhile."""
    if importlib.util.find_spec(GENERATOR) is None:
        pytest.skip("no generator: make test installs it, or pip install --no-deps openapi-python-client")
    folder = tmp_path_factory.mktemp("generated")
    described = folder / "openapi.json"
    described.write_text(httpx.get(f"{library}/openapi.json", timeout=60).text, "utf-8")
    made = [f"--path={described}", f"--output-path={folder / PACKAGE}", "--meta=none"]
    done = subprocess.run(
        [sys.executable, "-m", GENERATOR, "generate", *made], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield done.stdout + done.stderr
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
            del sys.modules[name]


def part(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.{name}")


def test_a_question_is_asked_by_it_and_the_answer_is_typed(
    said: str, library: str, mri: dict[str, Any]
) -> None:
    client = part("client").Client(base_url=library, timeout=httpx.Timeout(180))
    asked = part("models").AskRequest(question="Which zone is the magnet room?", conversation="generated")
    with client:
        answer = part("api.answers.ask_v1_ask_post").sync(client=client, body=asked)
        assert isinstance(answer, part("models").Answer)
        assert answer.citations
        assert {each.document for each in answer.citations} == {mri["document"]}
        kept = part("api.conversations.conversation_v1_conversations_conversation_get").sync(
            client=client, conversation="generated"
        )
        assert [turn.question for turn in kept.said] == [asked.question]
        part("api.conversations.forget_v1_conversations_conversation_delete").sync(
            client=client, conversation="generated"
        )
        refused = part("api.answers.ask_v1_ask_post").sync(
            client=client, body=part("models").AskRequest(question=" ")
        )
        assert isinstance(refused, part("models").ErrorResponse)
        assert (refused.status, bool(refused.remedy)) == (422, True)


def test_the_generator_passes_over_nothing_but_the_form_of_page_images(
    said: str, library: str, mri: dict[str, Any]
) -> None:
    warned = [line for line in said.splitlines() if line.startswith("WARNING")]
    assert ["pages/{page}.png" in line for line in warned] == [True], said
    page = part("api.documents.page_image_v1_documents_document_id_pages_page_png_get")
    with part("client").Client(base_url=library, timeout=httpx.Timeout(180)) as client:
        drawn = page.sync_detailed(client=client, document_id=mri["id"], page=1)
        assert drawn.content.startswith(b"\x89PNG")
