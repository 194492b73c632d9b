"""Conversations over the API and as files: each user's alone, and no text of a document is markup in them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from pypdf import PdfReader

from kernel import app
from kernel.conversations import Conversations
from kernel.settings import load_settings
from plugins.memory.conversations import Conversation, KeptTurn
from plugins.memory.turns import Turn
from retrieval.access import caller
from retrieval.errors import UsageError
from tests.ui.conftest import make_answer
from tests.ui.serving import served
from ui.conversation_export import exported

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

HOSTILE = "<script>1</script> ![x](http://evil.example/p.png) *b* # h"
AKI, BEN = {"X-User": "aki"}, {"X-User": "ben"}


@pytest.fixture
def http(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server that tells users apart, with a conversation of Aki's."""
    monkeypatch.setenv("TEKIO_USER_HEADER", "X-User")
    settings = load_settings()
    kept = Conversations(settings.memory_place, settings.memory)
    kept.keep("shift/1", make_answer("保証期間は?", "24か月です [1]。", language="ja"), caller=caller("aki"))
    kept.keep_unfinished("shift/1", "And why?", "Beca", caller=caller("aki"))
    kept.keep("other", make_answer("Where is the pump?"), caller=caller("aki"))
    with served(app.Tekio) as base, httpx.Client(base_url=base, headers=AKI) as client:
        yield client


def test_conversations_are_listed_searched_read_renamed_and_deleted(http: httpx.Client) -> None:
    listed = http.get("/v1/conversations").json()["conversations"]
    assert [(row["id"], row["title"], row["turns"]) for row in listed] == [
        ("other", "Where is the pump?", 1),
        ("shift/1", "保証期間は?", 2),
    ]
    found = http.get("/v1/conversations", params={"search": "24か月"}).json()["conversations"]
    assert [row["id"] for row in found] == ["shift/1"]
    whole = http.get("/v1/conversations/shift/1").json()
    assert [(turn["text"], turn["finished"]) for turn in whole["said"]] == [
        ("24か月です [1]。", True),
        ("Beca", False),
    ]
    assert whole["said"][0]["answer"]["citations"][0]["quote"] == "The warranty lasts 24 months."
    renamed = http.patch("/v1/conversations/shift/1", json={"title": "保証"})
    assert renamed.json()["title"] == "保証"
    assert http.delete("/v1/conversations/shift/1").json() == {"deleted": 2}
    assert http.get("/v1/conversations/shift/1").status_code == 404


def test_nobody_reaches_the_conversation_of_another(http: httpx.Client) -> None:
    http.headers.update(BEN)
    assert http.get("/v1/conversations").json() == {"conversations": []}
    for answer in (
        http.get("/v1/conversations/shift/1"),
        http.get("/v1/conversations/shift/1/export"),
        http.patch("/v1/conversations/shift/1", json={"title": "mine"}),
        http.delete("/v1/conversations/shift/1"),
    ):
        assert answer.status_code == 404
    http.headers.update(AKI)
    assert len(http.get("/v1/conversations").json()["conversations"]) == 2


def test_a_conversation_is_taken_away_in_each_form_and_japanese_reads_in_the_pdf(http: httpx.Client) -> None:
    address = "/v1/conversations/shift/1/export"
    markdown = http.get(address, params={"language": "ja"})
    assert markdown.headers["content-type"].startswith("text/markdown")
    assert "24か月です [1]。" in markdown.text
    assert "**出典**" in markdown.text
    held = json.loads(http.get(address, params={"format": "json"}).content)
    assert [turn["question"] for turn in held["turns"]] == ["保証期間は?", "And why?"]
    pdf = http.get(address, params={"format": "pdf", "language": "ja"})
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert "24か月です [1]。" in text
    assert "出典" in text
    assert http.get(address, params={"format": "docx"}).status_code == 422


def test_what_documents_and_models_wrote_is_no_markup_in_a_file() -> None:
    row = Conversation("c", HOSTILE, 1, "2026-03-01T12:00:00+00:00")
    turns = [KeptTurn(1, Turn(HOSTILE, f"{HOSTILE} [1]\n- a\n1. b"), row.at)]
    markdown = exported(row, turns, "markdown", "en").decode()
    assert r"\<script\>1\</script\> \!\[x\](http://evil.example/p.png) \*b\* \# h" in markdown
    assert "[1]\n\\- a\n\\1. b" in markdown
    pdf = PdfReader(io.BytesIO(exported(row, turns, "pdf", "en")))
    assert "<script>1</script>" in pdf.pages[0].extract_text().replace("\n", "")
    assert "/Annots" not in pdf.pages[0]
    with pytest.raises(UsageError, match="markdown, json, pdf"):
        exported(row, turns, "docx", "en")
