"""What is remembered, by each way in, over the real facade: whose it is, only the caller's identity says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.access import caller
from tests.ui.conftest import Run
from tests.ui.serving import served

SECRET = "The code of the safe of the kiln is 4711."
QUESTION = "How many hours is the kiln fired?"
HEADER = "X-Forwarded-User"
AKI, BEN = {HEADER: "aki"}, {HEADER: "ben"}


def settle(patch: pytest.MonkeyPatch, folder: Path, store: ModelStore, *, header: bool = True) -> None:
    patch.chdir(folder)
    patch.setenv("TEKIO_INDEX", str(folder / "index"))
    patch.setenv("TEKIO_MEMORY", str(folder / "memory"))
    patch.setenv("TEKIO_CACHE", str(store.cache))
    patch.setenv("TEKIO_VARIANT", "extractive")
    if header:
        patch.setenv("TEKIO_USER_HEADER", HEADER)


def made(folder: Path) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "kiln.md").write_text("# Kiln\n\nThe kiln K2 is fired for nine hours.\n")
    with closing(Tekio(load_settings())) as tekio:
        tekio.ingest([folder / "docs"])


@pytest.fixture
def folder(tmp_path: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(monkeypatch, tmp_path, model_store)
    made(tmp_path)
    return tmp_path


@pytest.fixture
def http(folder: Path) -> Iterator[httpx.Client]:
    assert folder.is_dir()
    with served(Tekio) as base, httpx.Client(base_url=base, timeout=60) as client:
        yield client


def texts(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [row["text"] for row in response.json()["memories"]]


# -- the API ------------------------------------------------------------------------------------------------


def test_the_api_remembers_lists_changes_confirms_and_deletes_for_its_caller(http: httpx.Client) -> None:
    row = http.post("/v1/memory", json={"text": SECRET, "expires": "2999-01-01"}, headers=AKI).json()
    assert (row["kind"], row["source"], row["stale"]) == ("fact", "request", False)
    assert texts(http.get("/v1/memory", headers=AKI)) == [SECRET]
    path = f"/v1/memory/{row['id']}"
    changed = http.patch(path, json={"text": "The code is 0815.", "confirm": True}, headers=AKI).json()
    assert (changed["text"], changed["confirmed"], changed["expires"][:4]) == ("The code is 0815.", 1, "2999")
    assert http.delete(path, headers=AKI).json() == {"deleted": 1}
    assert http.delete(path, headers=AKI).status_code == 422
    assert http.delete("/v1/memory", headers=AKI).status_code == 422
    http.post("/v1/memory", json={"text": SECRET}, headers=AKI)
    assert http.delete("/v1/memory?all=true", headers=AKI).json() == {"deleted": 1}


def test_no_header_body_address_or_argument_reaches_anothers_memory(http: httpx.Client) -> None:
    row = http.post("/v1/memory", json={"text": SECRET}, headers=AKI).json()
    kept = http.post(
        "/v1/memory", json={"text": f"Privately: {SECRET}", "conversation": "c"}, headers=AKI
    ).json()
    question = {"question": "What is the code of the safe?", "conversation": "c"}
    strangers: list[dict[str, str]] = [
        BEN,
        {},
        {HEADER: ""},
        {HEADER: "Aki"},
        {HEADER: "machine"},
        {HEADER: "user:aki"},
        {"X-User": "aki", "X-Forwarded-Groups": "aki"},
    ]
    for headers in strangers:
        is_nobody = not headers.get(HEADER)
        refused = 403 if is_nobody else 422
        for query in ("", "?user=aki", "?conversation=c", "?owner=user:aki", "?caller=aki"):
            assert texts(http.get(f"/v1/memory{query}", headers=headers)) == []
        for memory in (row, kept):
            path = f"/v1/memory/{memory['id']}"
            assert http.patch(path, json={"confirm": True}, headers=headers).status_code == refused
            assert http.patch(path, json={"text": "mine"}, headers=headers).status_code == refused
            assert http.delete(path, headers=headers).status_code == refused
        for extra in ({}, {"user": "aki"}, {"caller": {"user": "aki"}}, {"memory": True}):
            answer = http.post("/v1/ask", json=question | extra, headers=headers)
            assert "4711" not in answer.text
        forgotten = http.delete("/v1/memory?all=true", headers=headers)
        assert forgotten.status_code == 403 if is_nobody else forgotten.json() == {"deleted": 0}
    for extra in ({"user": "aki"}, {"owner": "user:aki"}, {"id": row["id"]}):
        body = {"text": "I am in.", **extra}
        assert http.post("/v1/memory", json=body, headers=BEN).status_code == 422
    assert http.post("/v1/memory", json={"text": "x"}).status_code == 403  # of nobody
    twice = [(HEADER, "ben"), (HEADER, "aki")]
    assert http.get("/v1/memory", headers=twice).status_code == 422
    assert sorted(texts(http.get("/v1/memory", headers=AKI))) == sorted([SECRET, f"Privately: {SECRET}"])
    answer = http.post("/v1/ask", json=question, headers=AKI).json()
    assert len(answer["memories"]) == 2
    assert answer["citations"] == [] or "4711" not in json.dumps(answer["citations"])


def test_a_thumbs_up_over_the_api_remembers_the_answer_for_its_caller_alone(http: httpx.Client) -> None:
    answer = http.post("/v1/ask", json={"question": QUESTION}, headers=AKI).json()
    rated = http.post("/v1/feedback", json={"answer": answer, "rating": "up"}, headers=AKI).json()
    assert rated["memory"]["text"] == QUESTION
    assert rated["memory"]["cited"][0]["document"] == "kiln.md"
    again = http.post("/v1/ask", json={"question": QUESTION}, headers=AKI).json()
    assert again["memories"][0]["offered"]
    assert http.post("/v1/ask", json={"question": QUESTION}, headers=BEN).json()["memories"] == []
    forged = json.loads(json.dumps(answer))
    forged["citations"][0]["quote"] = "for ninety hours"
    for body in (
        {"answer": forged, "rating": "up"},
        {"answer": answer, "rating": "sideways"},
        {"answer": answer, "rating": "up", "user": "aki"},
        {"rating": "up"},
    ):
        assert http.post("/v1/feedback", json=body, headers=BEN).status_code == 422
    assert http.post("/v1/feedback", json={"answer": answer, "rating": "up"}).status_code == 403  # of nobody
    assert texts(http.get("/v1/memory", headers=BEN)) == []


def test_everybodys_feedback_is_listed_for_an_admin_and_for_others_their_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.is_dir()
    monkeypatch.setenv("TEKIO_ADMINS", '["user:chief"]')
    chief, path = {HEADER: "chief"}, "/v1/feedback"
    with served(Tekio) as base, httpx.Client(base_url=base, timeout=60) as http:
        answer = http.post("/v1/ask", json={"question": QUESTION}, headers=AKI).json()
        for headers, body in (
            (AKI, {"rating": "up", "conversation": "c"}),
            (BEN, {"rating": "down", "comment": "wrong oven"}),
            (BEN, {"rating": "down", "correction": "Ten hours."}),
        ):
            assert http.post(path, json={"answer": answer, **body}, headers=headers).status_code == 200
        whole = http.get(f"{path}?everybody=true", headers=chief).json()
        assert [(row["user"], row["rating"]) for row in whole["feedback"]] == [
            ("ben", "down"),
            ("ben", "down"),
            ("aki", "up"),
        ]
        assert (whole["feedback"][0]["correction"], whole["feedback"][1]["comment"]) == (
            "Ten hours.",
            "wrong oven",
        )
        assert whole["feedback"][2]["cited"] == ["kiln.md"]
        assert (whole["feedback"][2]["answer"], whole["total"]) == (answer["answer"], 3)
        page = http.get(f"{path}?everybody=true&rating=down&limit=1&offset=1", headers=chief).json()
        assert ([row["comment"] for row in page["feedback"]], page["total"]) == (["wrong oven"], 2)
        assert http.get(path, headers=chief).json() == {"feedback": [], "total": 0}
        own = http.get(path, headers=BEN).json()
        assert ([row["user"] for row in own["feedback"]], own["total"]) == (["ben", "ben"], 2)
        for headers in (AKI, BEN, {HEADER: "Chief"}, {}):
            refused = http.get(f"{path}?everybody=true", headers=headers)
            assert refused.status_code == 403
            assert refused.headers["content-type"] == "application/problem+json"
            assert "scope admin" in refused.json()["detail"]
            assert "ben" not in refused.text
        for query in ("limit=0", "limit=501", "offset=-1", "rating=sideways", "everybody=perhaps"):
            assert http.get(f"{path}?{query}", headers=chief).status_code == 422
        assert http.get(path).json() == {"feedback": [], "total": 0}  # of nobody


def test_a_history_over_the_api_makes_the_question_stand_alone(http: httpx.Client) -> None:
    history = [{"question": "How long is the kiln K2 fired?", "answer": "For nine hours [1]."}]
    body = {"question": "Why is it so long?", "history": history}
    answer = http.post("/v1/ask", json=body, headers=AKI).json()
    assert "kiln K2" in answer["asked"]
    assert answer["conversation"]["rewritten_by"] == "rules"
    long = http.post("/v1/ask", json=body | {"history": history * 1000}, headers=AKI)
    assert long.json()["conversation"]["turns"] == 1000
    for wrong in ({"history": history * 2001}, {"history": [{"answer": "x"}]}, {"follow_ups": "magic"}):
        response = http.post("/v1/ask", json=body | wrong, headers=AKI)
        assert response.status_code == 422
        assert "\n" not in response.json()["error"]["message"]


# -- the command line ---------------------------------------------------------------------------------------


@pytest.fixture
def run(folder: Path, run: Run) -> Run:
    assert folder.is_dir()
    return run


def rows(output: str) -> list[dict[str, Any]]:
    return list(json.loads(output)["memories"])


def test_the_command_line_keeps_each_users_memory_apart(run: Run) -> None:
    assert rows(run("memory", "list", "--json")[1]) == []
    (added,) = rows(run("memory", "add", SECRET, "--user", "aki", "--json")[1])
    assert [row["text"] for row in rows(run("memory", "list", "--user", "aki", "--json")[1])] == [SECRET]
    for user in ((), ("--user", "ben"), ("--user", "")):
        assert rows(run("memory", "list", "--json", *user)[1]) == []
        for command in (("confirm",), ("delete",), ("edit", "--text", "x"), ("expire", "--on", "2999-01-01")):
            code, out, err = run("memory", command[0], added["id"], *command[1:], *user)
            assert (code, out) == (2, "")
            assert "no memory" in err
    (edited,) = rows(run("memory", "edit", added["id"][:6], "--text", "x is y", "--user", "aki", "--json")[1])
    assert edited["text"] == "x is y"
    (held,) = rows(run("memory", "confirm", added["id"], "--user", "aki", "--json")[1])
    assert held["confirmed"] == 1
    (held,) = rows(run("memory", "expire", added["id"], "--on", "2999-01-01", "--user", "aki", "--json")[1])
    assert held["expires"].startswith("2999")
    assert json.loads(run("memory", "expire", "--user", "aki", "--json")[1]) == {"deleted": 0}
    code, out, _ = run("memory", "list", "--user", "aki")
    assert (code, "x is y" in out) == (0, True)
    assert json.loads(run("memory", "delete", "--all", "--user", "aki", "--json")[1]) == {"deleted": 1}


def test_a_conversation_with_a_name_goes_on_and_is_its_users(
    run: Run,
) -> None:
    code, out, _ = run("ask", "How long is the kiln K2 fired?", "--conversation", "plant", "--json")
    assert code == 0
    code, out, err = run("ask", "Why is it so long?", "--conversation", "plant")
    assert (code, "understood as: About kiln K2" in err) == (0, True)
    other = json.loads(
        run("ask", "Why is it so long?", "--conversation", "plant", "--as", "ben", "--json")[1]
    )
    assert other["conversation"] is None
    assert json.loads(run("memory", "list", "--json")[1])["conversations"] == {"plant": 2}
    assert json.loads(run("memory", "delete", "--conversation", "plant", "--json")[1]) == {"deleted": 2}
    code, out, err = run("ask", "Why?", "--conversation", "plant", "--as", "")
    assert (code, out) == (2, "")
    assert "must be named" in err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("memory", "add", " "), "4,000 characters"),
        (("memory", "add", "x", "--expires", "tomorrow"), "2027-01-31"),
        (("memory", "edit", "abc"), "--text"),
        (("memory", "delete"), "--all"),
        (("memory", "delete", "abc", "--all"), "--all"),
        (("memory", "expire", "abc"), "--on"),
        (("memory", "confirm", "abc"), "no memory"),
        (("memory", "feedback", "--everybody", "--user", "aki"), "owns the machine"),
    ],
)
def test_wrong_usage_is_one_line_with_exit_2(run: Run, args: tuple[str, ...], says: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


async def test_feedback_is_listed_with_its_pairs(run: Run) -> None:
    with closing(Tekio(load_settings())) as tekio:
        answer = await tekio.ask(QUESTION, caller=caller("aki"))
        tekio.memory.rate(answer, "down", correction="Nine hours.", caller=caller("aki"))
    listed = json.loads(run("memory", "feedback", "--json", "--user", "aki")[1])
    assert listed["feedback"][0]["approved"] == "Nine hours."
    assert listed["pairs"] == [{"question": QUESTION, "chosen": "Nine hours.", "rejected": answer.answer}]
    assert json.loads(run("memory", "feedback", "--json")[1])["feedback"] == []
    assert "aki" in run("memory", "feedback", "--everybody")[1]


# -- the page -----------------------------------------------------------------------------------------------


def page_of(monkeypatch: pytest.MonkeyPatch, user: str) -> AppTest:
    monkeypatch.setattr(
        "streamlit.runtime.context.StreamlitHeaders.get_all",
        lambda _self, name: [user] if name == HEADER and user else [],
    )
    st.cache_resource.clear()
    return AppTest.from_file(str(Path(__file__).parents[2] / "ui" / "chat.py"), default_timeout=120).run()


def shown(page: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in page.get("html"))


@pytest.mark.usefixtures("folder")
def test_the_page_remembers_shows_and_forgets_for_its_user(monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(monkeypatch, "aki")
    page.chat_input[0].set_value("How long is the kiln K2 fired?").run()
    page.button(key="icon_up_0").click().run()
    assert not page.exception
    assert "remembered as confirmed" in shown(page)
    page.chat_input[0].set_value("Why is it so long?").run()
    assert "understood as: About kiln K2" in shown(page)
    page.text_input(key="remember").set_value(f"<b>{SECRET}</b>").run()
    assert "&lt;b&gt;The code of the safe" in shown(page)
    (edit,) = [item for item in page.button if item.key and item.key.startswith("icon_edit_memory_")][:1]
    memory_id = str(edit.key).removeprefix("icon_edit_memory_")
    edit.click().run()
    page.text_area(key=f"text_{memory_id}").set_value(" ")
    next(button for button in page.button if button.label == "Save").click().run()
    assert "4,000 characters" in shown(page)
    page.text_area(key=f"text_{memory_id}").set_value("<i>The code of the safe is 0815.</i>")
    next(button for button in page.button if button.label == "Save").click().run()
    assert not page.exception
    assert "&lt;i&gt;The code of the safe is 0815." in shown(page)
    assert "4711" not in shown(page)
    assert next(item.key for item in page.button if str(item.key).startswith("icon_edit_memory_")) == edit.key
    (forget,) = [item for item in page.button if item.key and item.key.startswith("icon_forget_")][:1]
    forget.click().run()
    assert "The code of the safe" not in shown(page)
    page.text_input(key="remember").set_value(SECRET).run()
    for other in ("ben", ""):
        page = page_of(monkeypatch, other)
        assert not page.exception
        assert "4711" not in shown(page)
        assert bool([item for item in page.text_input if item.key == "remember"]) == bool(other)
    st.cache_resource.clear()
