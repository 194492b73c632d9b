"""Who finds what, over the real facade, by each way in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from semantic_kernel.exceptions import FunctionExecutionException, KernelInvokeException
from semantic_kernel.functions.kernel_arguments import KernelArguments
from streamlit.testing.v1 import AppTest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from plugins.retrieval_plugin import PLUGIN_NAME
from retrieval.access import Caller, access, caller
from retrieval.errors import UsageError
from retrieval.records import Passage
from tests.ui.conftest import Run
from tests.ui.serving import served

DOCUMENTS = {
    "kiln.md": "# Kiln\n\nThe kiln is fired at 1,240 degrees for nine hours.\n",
    "pay.md": "# Pay\n\nThe pay of the kiln workers is 310,000 yen a month.\n",
    "釉薬.md": "# 釉薬\n\n釉薬G-7は5度から25度の棚Cに保管する。\n",
}
QUESTION = "What is the pay of the kiln workers?"
MORI = caller("mori")


def made(folder: Path) -> None:
    """Make an index in which mori alone may read the pay, and the group of the glazers the Japanese file."""
    (folder / "docs").mkdir(parents=True)
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    with closing(Tekio(load_settings())) as tekio:
        tekio.ingest([folder / "docs"])
        assert tekio.share(["pay.md"], access("mori", [])) == 1
        assert tekio.share(["釉*"], access("", ["group:glazers"])) == 1


def settle(patch: pytest.MonkeyPatch, folder: Path, model_store: ModelStore) -> None:
    patch.chdir(folder)
    patch.setenv("TEKIO_INDEX", str(folder / "index"))
    patch.setenv("TEKIO_CACHE", str(model_store.cache))
    patch.setenv("TEKIO_VARIANT", "extractive")
    patch.setenv("TEKIO_USER_HEADER", "X-Forwarded-User")
    patch.setenv("TEKIO_GROUPS_HEADER", "X-Forwarded-Groups")


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Path:
    """An index for tests that change nothing."""
    folder = tmp_path_factory.mktemp("common")
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, folder, model_store)
        made(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Path:
    settle(monkeypatch, tmp_path, model_store)
    made(tmp_path)
    return tmp_path


@pytest.fixture
def settled(common: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(monkeypatch, common, model_store)


@pytest.fixture(scope="module")
def tekio(common: Path, model_store: ModelStore) -> Iterator[Tekio]:
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, common, model_store)
        opened = Tekio(load_settings())
    yield opened
    opened.close()


async def found(tekio: Tekio, who: Caller | None) -> set[str]:
    return {passage.document for passage in await tekio.search("kiln", top_k=50, caller=who)}


async def test_an_answer_comes_from_what_its_caller_may_read(tekio: Tekio) -> None:
    answer = await tekio.ask(QUESTION, caller=MORI)
    assert "310,000" in answer.answer
    for who in (caller("sato"), Caller()):
        answer = await tekio.ask(QUESTION, caller=who)
        assert "310,000" not in answer.model_dump_json()
        assert "pay.md" not in answer.model_dump_json()
    assert await found(tekio, caller("sato", ["glazers"])) == {"kiln.md", "釉薬.md"}
    assert await found(tekio, None) == set(DOCUMENTS)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"top": 0},
        {"top": -1},
        {"top": "100"},
        {"skip": -1},
        {"top": [50]},
        {"document": "pay.md"},
        {"filters": ["document=pay.md"]},
        {"filters": "document!=kiln.md"},
        {"filters": ["readers=user:mori"]},
        {"caller": "mori"},
        {"caller": {"user": "mori", "groups": []}},
        {"where": None},
        {"user": "mori", "principals": ["user:mori"]},
    ],
)
async def test_no_argument_that_a_model_writes_widens_what_the_function_finds(
    tekio: Tekio, arguments: dict[str, Any]
) -> None:
    engine = await tekio._started()
    kernel = engine.flow(Caller())._means.kernel
    call = kernel.invoke(
        plugin_name=PLUGIN_NAME,
        function_name="search",
        arguments=KernelArguments(None, **{"query": "kiln pay", "top": 50, **arguments}),
    )
    passages: list[Passage] = []
    with suppress(
        KernelInvokeException, FunctionExecutionException, UsageError
    ):  # what is refused finds nothing
        result = await call
        passages = result.value if result is not None else []
    assert {passage.document for passage in passages} <= {"kiln.md"}


async def test_the_kernel_of_one_caller_is_not_that_of_another(tekio: Tekio) -> None:
    engine = await tekio._started()
    before = engine.flow(None)
    engine.flow(Caller())
    arguments = KernelArguments(query="kiln pay", top=50)
    result = await before._means.kernel.invoke(
        plugin_name=PLUGIN_NAME, function_name="search", arguments=arguments
    )
    assert result is not None
    assert {passage.document for passage in result.value} == set(DOCUMENTS)


def test_reading_a_changed_file_again_and_moving_it_keep_its_readers(folder: Path) -> None:
    (folder / "docs" / "pay.md").write_text("# Pay\n\nThe pay of the kiln workers is 320,000 yen.\n")
    tekio = Tekio(load_settings())
    tekio.ingest([folder / "docs"])
    assert {row.document for row in tekio.documents(caller=Caller())} == {"kiln.md"}
    (folder / "docs" / "pay.md").rename(folder / "docs" / "wages.md")
    tekio.ingest([folder / "docs"])
    assert {row.document for row in tekio.documents(caller=Caller())} == {"kiln.md"}
    assert {row.document for row in tekio.documents(caller=MORI)} == {"kiln.md", "wages.md"}
    tekio.ingest([folder / "docs"], access=access("", ["everyone"]))  # nothing to read, readers to change
    assert len(tekio.documents(caller=Caller())) == 3
    tekio.close()


def test_names_that_fit_no_document_change_nothing(tekio: Tekio) -> None:
    with pytest.raises(UsageError, match=r"nonesuch.*tekio documents"):
        tekio.share(["kiln.md", "nonesuch"], access("mori", []))
    assert {row.document for row in tekio.documents(caller=Caller())} == {"kiln.md"}


# -- the API ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def http(common: Path, model_store: ModelStore) -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as patch:
        settle(patch, common, model_store)
        yield from client()


def client() -> Iterator[httpx.Client]:
    with served(Tekio) as base, httpx.Client(base_url=base, timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], {"kiln.md"}),
        ([("X-Forwarded-User", "")], {"kiln.md"}),
        ([("x-forwarded-user", "mori")], {"kiln.md", "pay.md"}),
        ([("X-Forwarded-User", "sato"), ("X-Forwarded-Groups", "office, glazers,")], {"kiln.md", "釉薬.md"}),
        ([("X-Forwarded-Groups", "glazers")], {"kiln.md"}),  # of nobody
    ],
)
def test_the_api_answers_whom_the_proxy_names(
    http: httpx.Client, headers: list[tuple[str, str]], expected: set[str]
) -> None:
    listed = http.get("/v1/documents", headers=headers).json()["documents"]
    assert {row["document"] for row in listed} == expected
    body = {"query": "kiln", "top_k": 50}
    passages = http.post("/v1/search", json=body, headers=headers).json()["passages"]
    assert {row["document"] for row in passages} == expected
    for stream in (False, True):
        answer = http.post("/v1/ask", json={"question": QUESTION, "stream": stream}, headers=headers).text
        assert ("310,000" in answer) == ("pay.md" in expected)
        assert ("pay.md" in answer) == ("pay.md" in expected)


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "sato"), ("X-Forwarded-User", "mori")],
        [("X-Forwarded-User", "x" * 300)],
        [("X-Forwarded-User", "sato"), ("X-Forwarded-Groups", "a"), ("X-Forwarded-Groups", "glazers")],
    ],
)
@pytest.mark.parametrize("path", ["/v1/documents", "/v1/search", "/v1/ask"])
def test_a_header_that_only_one_hand_can_have_written_is_refused_when_there_are_two(
    http: httpx.Client, path: str, headers: list[tuple[str, str]]
) -> None:
    if path == "/v1/documents":
        response = http.get(path, headers=headers)
    else:
        response = http.post(path, json={"query": "kiln", "question": QUESTION}, headers=headers)
    assert response.status_code in (400, 422)
    assert "pay" not in response.text


def test_a_user_in_the_body_or_a_name_in_utf_8_is_read_as_what_it_is(http: httpx.Client) -> None:
    body = {"query": "kiln", "top_k": 50, "caller": {"user": "mori"}, "user": "mori"}
    response = http.post("/v1/search", json=body)
    assert response.status_code == 422 or "pay.md" not in response.text
    headers = [(b"X-Forwarded-User", "森".encode())]
    assert http.get("/v1/documents", headers=headers).status_code == 200


# -- the page -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(("user", "may"), [("mori", True), ("sato", False), (None, False)])
def test_the_page_lists_and_answers_what_its_user_may_read(
    monkeypatch: pytest.MonkeyPatch, user: str | None, may: bool
) -> None:
    headers = [user] if user else []
    monkeypatch.setattr(
        "streamlit.runtime.context.StreamlitHeaders.get_all",
        lambda _self, name: headers if name == "X-Forwarded-User" else [],
    )
    st.cache_resource.clear()
    page = AppTest.from_file(str(Path(__file__).parents[2] / "ui" / "chat.py"), default_timeout=120).run()
    page.chat_input[0].set_value(QUESTION).run()
    assert not page.exception
    shown = "\n".join(str(element.proto.body) for element in page.get("html"))
    shown += "\n".join(element.value for element in page.markdown)
    assert ("310,000" in shown) == may
    assert ("pay.md" in shown) == may
    st.cache_resource.clear()


# -- the command line ---------------------------------------------------------------------------------------


def documents_of(output: str) -> set[str]:
    return {row["document"] for row in json.loads(output)["documents"]}


@pytest.mark.usefixtures("folder")
def test_the_command_line_shares_and_asks_for_somebody(run: Run) -> None:
    assert documents_of(run("documents", "--json")[1]) == set(DOCUMENTS)
    assert documents_of(run("documents", "--json", "--as", "")[1]) == {"kiln.md"}
    assert documents_of(run("documents", "--json", "--as", "mori", "--group", "glazers")[1]) == set(DOCUMENTS)
    code, out, _ = run("ask", QUESTION, "--as", "sato", "--json")
    assert code == 0
    assert "310,000" not in out
    code, out, _ = run("search", "kiln pay", "--as", "mori", "--json")
    assert "310,000" in out
    code, _, err = run("access", "pay.md", "--owner", "mori", "--share", "user:sato")
    assert code == 0
    assert "1 document can be read by user:mori, user:sato" in err
    assert documents_of(run("documents", "--json", "--as", "sato")[1]) == {"kiln.md", "pay.md"}
    code, _, err = run("ingest", "docs", "--share", "everyone")
    assert code == 0
    assert documents_of(run("documents", "--json", "--as", "")[1]) == set(DOCUMENTS)
    assert "user:mori" not in run("documents")[1]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("access", "kiln.md"), "--owner"),
        (("access", "kiln.md", "--share", "mori"), "user:NAME"),
        (("access", "nonesuch.md", "--share", "everyone"), "nonesuch.md"),
        (("search", "kiln", "--group", "glazers"), "groups need a user"),
        (("ingest", "docs", "--share", "role:x"), "user:NAME"),
    ],
)
def test_a_wrong_name_is_one_line_and_exit_2(run: Run, args: tuple[str, ...], says: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
