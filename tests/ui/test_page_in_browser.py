"""What a person does all day on the page, in a real browser, over real documents and models.

One server and one browser serve the whole module. Its screenshots are kept where TEKIO_SCREENSHOTS says.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event
from time import sleep
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from evaluation.benchmarks.page import MOMENTS, Result, lines, load_once
from kernel.app import Tekio
from kernel.chat.adapters import AdapterCard
from kernel.engine.engine import Engine
from kernel.engine.searching import Searching
from kernel.engine.warm_up import WarmUp
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from tests.kernel.remote.stub_server import Call, Stub
from tests.kernel.remote.stub_server import served as stub_served
from tests.ui.browsing import ask, chat_served, choose_in, chromium, go, library, settled, shot_folder
from ui.locales import label
from ui.page.auditing import page_log
from ui.page.differences import differences

CORPUS = Path(__file__).parents[2] / "data" / "corpus"
DOCUMENTS = (
    "wards/insulin-protocol.pdf",
    "wards/yuketsu-kakunin.pdf",
    "safety/needlestick.txt",
    "wards/teyubi-eisei.md",
)
INSULIN = "How often do the syringe and the line of an intravenous insulin infusion have to be changed?"
BLOOD = "使わないことになった赤血球液を輸血部に返却して再び使うには、出庫から何分以内に返せばよいですか。"
REFUSED = "Who won the chess tournament of 1911?"
KILN = "# Kiln K2\n\nThe kiln K2 is fired at 1,240 degrees for nine hours.\n"
GLAZE = "# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n"
HOSTILE = "<script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'> ![x](http://evil.example/p.png)"
_FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
TEXTS_WITH_MARKERS = """all => all.map(one => {
    const copy = one.cloneNode(true);
    for (const badge of copy.querySelectorAll(".tk-badge")) badge.replaceWith(`[${badge.textContent}]`);
    return copy.textContent;
})"""
HOSTILE_NAME = "<img src=x onerror=window.harmed=3> :material∕home: $x^2$.md"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """What computes the variant `far`: a server that answers as a test tells it to."""
    with stub_served() as running:
        yield running


@pytest.fixture(scope="module")
def settings(
    tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore, stub: Stub
) -> Iterator[dict[str, str]]:
    """The settings of an index of four documents, with the extractive variant as the usual one."""
    folder = tmp_path_factory.mktemp("page")
    for name in DOCUMENTS:
        (folder / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CORPUS / name, folder / "docs" / name)
    values = {
        "INDEX": str(folder / "index"),
        "MEMORY": str(folder / "memory"),
        "ADAPTERS": str(folder / "adapters"),
        "CACHE": str(model_store.cache),
        "VARIANT": "extractive",
        "AUDIT_LOG": str(folder / "audit.jsonl"),
        "VARIANTS": json.dumps({"far": {"engine": "openai", "address": stub.url, "model": "m"}}),
        "ENSEMBLES": json.dumps({"panel": {"members": ["extractive", "base"]}}),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"TEKIO_{name}", value)
        with closing(Tekio(load_settings())) as tekio:
            tekio.ingest([folder / "docs"])
        yield values


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, settings: dict[str, str]) -> Iterator[str]:
    with chat_served(tmp_path_factory.mktemp("served"), settings) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def painted() -> list[float]:
    """When something was first painted, in seconds after the address was asked for, of each page that was opened."""
    return []


@pytest.fixture
def opened(browser: Any, served: str, painted: list[float]) -> Iterator[Callable[..., Any]]:
    """Opens the page in a window of its own; what goes wrong in its scripts, or its policy forbids, is an error."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def told(message: Any) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    def open_page(
        *, locale: str = "en-US", scheme: str = "light", width: int = 1280, height: int = 860
    ) -> Any:
        size = {"width": width, "height": height}
        context = browser.new_context(locale=locale, color_scheme=scheme, viewport=size)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", told)
        page.goto(served)
        page.get_by_test_id("stChatInputTextArea").wait_for(timeout=60_000)
        painted.append(page.evaluate(_FIRST_PAINT) / 1000)
        settled(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    return shot_folder(tmp_path)


def noted(settings: dict[str, str], path: str) -> list[dict[str, Any]]:
    """Return the lines of the page's audit log of one kind."""
    file = page_log(Path(settings["AUDIT_LOG"]))
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    return [line for line in lines if line["path"] == f"/page/{path}"]


def test_a_citation_opens_on_its_page_with_the_span_marked(
    opened: Callable[..., Any], shots: Path, settings: dict[str, str]
) -> None:
    page = opened(locale="ja-JP")
    ask(page, BLOOD)
    assert "60分" in page.locator(".tk-answer").inner_text()
    page.locator("button.tk-badge").first.click()
    panel = page.locator('[data-testid="stVerticalBlock"]').filter(has=page.locator(".tk-panel")).last
    image = page.get_by_role("img", name="wards/yuketsu-kakunin.pdf 1ページ")
    image.wait_for(timeout=30_000)
    image.evaluate("image => image.decode()")
    yellow = image.evaluate(
        """image => {
            const canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            const context = canvas.getContext("2d"); context.drawImage(image, 0, 0);
            const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
            let count = 0;
            for (let i = 0; i < data.length; i += 4)
              if (data[i] > 240 && data[i + 1] > 200 && data[i + 2] < 180) count++;
            return count / (canvas.width * canvas.height);
        }"""
    )
    assert 0.002 < yellow < 0.2  # two lines of the page, and not the page
    assert "見つかった理由" in panel.inner_text()
    page.screenshot(path=shots / "source-page.png")
    page.get_by_text("本文", exact=True).click()
    marked = page.locator("mark.tk-highlight")
    marked.wait_for(timeout=30_000)
    assert "60分以内に返却" in marked.inner_text()
    page.get_by_role("button", name="閉じる").click()
    marked.wait_for(state="detached", timeout=30_000)
    asked = [line for line in noted(settings, "ask") if line["question"] == BLOOD]
    assert (asked[-1]["who"], asked[-1]["from"], asked[-1]["status"]) == ("machine", "127.0.0.1", 200)
    assert "wards/yuketsu-kakunin.pdf" in asked[-1]["documents"]
    assert noted(settings, "source")[-1]["documents"] == ["wards/yuketsu-kakunin.pdf"]


def test_a_reload_finds_the_conversation_and_a_search_finds_it_later(
    opened: Callable[..., Any], shots: Path
) -> None:
    page = opened(height=1000)
    ask(page, INSULIN)
    page.locator("button.tk-badge").first.click()
    page.get_by_role("img", name="wards/insulin-protocol.pdf, p. 2").wait_for(timeout=30_000)
    page.wait_for_timeout(1000)  # until it has moved to where it stays
    page.screenshot(path=shots / "chat.png")  # the picture of the README
    page.reload()
    page.locator(".tk-answer").wait_for(timeout=60_000)
    assert INSULIN in page.get_by_test_id("stChatMessage").first.inner_text()
    page.get_by_role("button", name="New conversation").click()
    page.locator(".tk-answer").wait_for(state="detached", timeout=30_000)
    search = page.get_by_label("Search conversations")
    search.fill("Intravenous INSULIN")
    search.press("Enter")
    page.get_by_role("button", name=re.compile("^How often do the syringe")).first.click()
    page.locator(".tk-answer").wait_for(timeout=30_000)


def test_what_is_copied_has_the_markers_and_the_sources_below(opened: Callable[..., Any]) -> None:
    page = opened(locale="ja-JP")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ask(page, BLOOD)
    page.get_by_role("button", name="コピー", exact=True).click()
    page.get_by_role("button", name="コピーしました").wait_for(timeout=30_000)
    text, *below = page.evaluate("navigator.clipboard.readText()").replace("\r", "").split("\n\n出典\n")
    assert "60分" in text
    assert "[1]" in text
    assert below[0].splitlines()[0] == "[1] wards/yuketsu-kakunin.pdf, 1ページ"


def test_a_conversation_is_taken_away_in_each_form(
    opened: Callable[..., Any], settings: dict[str, str]
) -> None:
    page = opened()
    ask(page, BLOOD)
    page.get_by_test_id("stPopoverButton").filter(has_text="This conversation").click()
    held: dict[str, bytes] = {}
    for name in ("Markdown", "JSON", "PDF"):
        with page.expect_download(timeout=60_000) as coming:
            page.get_by_role("button", name=name, exact=True).click()
        held[name] = Path(coming.value.path()).read_bytes()
    assert f"## {BLOOD}" in held["Markdown"].decode()
    assert json.loads(held["JSON"])["turns"][0]["question"] == BLOOD
    assert held["PDF"].startswith(b"%PDF-")
    assert "wards/yuketsu-kakunin.pdf" in noted(settings, "export")[-1]["documents"]


def test_a_reload_during_a_stream_finds_the_answer_going_on(opened: Callable[..., Any], stub: Stub) -> None:
    goes_on, ends = Event(), Event()

    def answer(call: Call) -> None:
        call.begin()
        call.chunk(text="The syringe and the line are changed")
        goes_on.wait(60)
        call.chunk(text=" every 24 hours")
        ends.wait(60)
        call.chunk(text=" [1].")
        call.chunk(finish="stop")
        call.event("[DONE]")

    stub.script = answer
    page = opened()
    page.get_by_text("How to answer").click()
    choose_in(page, page.get_by_role("combobox", name="Who answers"), "far")
    draft = page.locator(".tk-draft")
    try:
        ask(page, INSULIN, wait=False)
        draft.filter(has_text="the line are").wait_for(timeout=60_000)  # the last word is held back
        page.reload()
        draft.filter(has_text="the line are").wait_for(timeout=30_000)
        assert INSULIN in page.get_by_test_id("stChatMessage").first.inner_text()
        page.get_by_role("button", name="Stop").wait_for(timeout=30_000)
        goes_on.set()
        draft.filter(has_text="changed every 24").wait_for(timeout=30_000)
        assert len(stub.calls) == 1  # it is the same answer, and not another
    finally:
        goes_on.set()
        ends.set()
    page.locator(".tk-answer").filter(has_text="are changed every 24 hours").wait_for(timeout=60_000)
    assert page.get_by_test_id("stChatMessage").count() == 2


def test_base_and_extractive_answer_side_by_side_and_a_vote_is_kept(
    opened: Callable[..., Any], shots: Path
) -> None:
    page = opened()
    go(page, "Side by side")
    page.get_by_label("Question").fill(INSULIN)
    page.get_by_role("button", name="Ask all").click()
    page.get_by_role("button", name="This is the best").nth(1).wait_for(timeout=120_000)
    assert page.locator(".tk-panel-title").all_inner_texts() == ["base", "extractive"]
    texts = page.locator(".tk-answer").evaluate_all(TEXTS_WITH_MARKERS)
    assert page.locator(".tk-answer mark.tk-differs").all_inner_texts() == [
        text[start:end] for text, spans in zip(texts, differences(texts), strict=True) for start, end in spans
    ]
    assert any(
        re.search(r"[\d.]+ s · \d+ \+ \d+ tokens · base", line)
        for line in page.locator(".tk-meta").all_inner_texts()
    )
    page.locator("summary").filter(has_text="What the model was sent").first.click()
    prompt = page.locator(".tk-passage:visible").filter(has_text=INSULIN).first
    prompt.wait_for(timeout=10_000)
    assert "The syringe and the line are changed every 24 hours" in prompt.inner_text()
    page.screenshot(path=shots / "side-by-side.png", full_page=True)
    page.get_by_role("button", name="This is the best").nth(1).click()
    page.get_by_text("You voted for extractive").wait_for(timeout=30_000)


def test_the_members_of_an_ensemble_are_unfolded_in_every_size_and_found_again(
    opened: Callable[..., Any], shots: Path
) -> None:
    axe = library("axe_playwright_python.sync_playwright").Axe()
    page = opened()
    page.get_by_text("How to answer").click()
    choose_in(page, page.get_by_role("combobox", name="Who answers"), "panel · ensemble")
    page.get_by_text("majority vote · members: extractive, base").wait_for(timeout=30_000)
    ask(page, INSULIN)
    address = page.url

    def unfold(at: Any, title: str) -> Any:
        # A run that draws the page anew would fold it again.
        settled(at)
        at.locator("summary").filter(has_text=title).click()
        members = at.locator(".tk-member")
        members.nth(1).wait_for(timeout=30_000)
        return members

    def grave(at: Any) -> list[Any]:
        found = axe.run(at).response["violations"]
        return [each for each in found if each["impact"] in ("serious", "critical")]

    members = unfold(page, "How this answer was found")
    assert sorted(members.locator("b").all_inner_texts()) == ["base", "extractive"]
    assert any("24 hours" in text for text in members.locator(".tk-member-text").all_inner_texts())
    assert page.locator(".tk-taken").count() == 1
    assert all("weight " in text for text in members.all_inner_texts())
    page.screenshot(path=shots / "members.png")
    assert grave(page) == []
    again = opened(locale="ja-JP", scheme="dark", width=390)  # a telephone
    again.goto(address)
    again.locator(".tk-answer").wait_for(timeout=60_000)
    members = unfold(again, "この回答の決まり方")
    again.locator(".tk-taken").get_by_text("採用").wait_for(timeout=30_000)
    assert members.evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth + 1)")
    again.screenshot(path=shots / "members-dark-390.png")
    assert grave(again) == []


@pytest.mark.parametrize("by", ["button", "key"])
def test_an_answer_that_streams_is_stopped_at_once_and_keeps_its_draft(
    opened: Callable[..., Any], stub: Stub, by: str
) -> None:
    ends = Event()

    def answer(call: Call) -> None:
        call.begin()
        call.chunk(text="The wound is washed and the")
        ends.wait(120)  # goes on until it is stopped

    stub.script = answer
    page = opened()
    page.get_by_text("How to answer").click()
    choose_in(page, page.get_by_role("combobox", name="Who answers"), "far")
    try:
        ask(page, "What has to be done after a needlestick injury?", wait=False)
        page.locator(".tk-draft").filter(has_text="The wound is washed").wait_for(timeout=60_000)
        if by == "key":
            page.keyboard.press("Escape")  # while the focus is where the question was written
        else:
            page.get_by_role("button", name="Stop").click()
        page.get_by_text("Stopped before the answer was finished").wait_for(timeout=30_000)
        page.get_by_role("button", name="Stop").wait_for(state="detached", timeout=30_000)
        assert "The wound is washed" in page.get_by_test_id("stChatMessage").last.inner_text()
    finally:
        ends.set()


def test_a_question_that_is_suggested_is_asked_by_a_click(opened: Callable[..., Any]) -> None:
    page = opened()
    suggested = page.locator(".st-key-suggestions button").first
    suggested.wait_for(timeout=60_000)
    question = suggested.locator("p").inner_text().replace("\u2060", "")
    suggested.click()
    page.locator(".tk-answer").wait_for(timeout=120_000)
    assert page.get_by_test_id("stChatMessage").first.locator(".tk-text").inner_text() == question
    page.locator("button.tk-badge").first.wait_for(timeout=60_000)  # it leads to its passage
    assert page.locator(".st-key-suggestions").count() == 0


def test_a_file_is_taken_in_asked_about_and_deleted_for_good(
    opened: Callable[..., Any], tmp_path: Path, shots: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "kiln.md").write_text(KILN, encoding="utf-8")
    (tmp_path / "empty.pdf").write_bytes(b"")
    page = opened()
    go(page, "Documents")
    page.locator("input[type=file]").set_input_files([tmp_path / "kiln.md", tmp_path / "empty.pdf"])
    page.get_by_role("button", name="Add files: 2").click()
    page.get_by_text("1 added, 0 renewed, 0 unchanged, 1 not read").wait_for(timeout=60_000)
    assert "Check that it is the right file" in page.locator(".tk-error").inner_text()
    page.screenshot(path=shots / "documents.png")
    go_to_chat(page)
    ask(page, "At what temperature is the kiln K2 fired?")
    assert "1,240" in page.locator(".tk-answer").inner_text()
    go(page, "Documents")
    page.locator("[data-document]").filter(has_text="kiln.md").click()
    page.locator(".tk-passage").filter(has_text="nine hours").wait_for(timeout=30_000)
    page.get_by_test_id("stPopoverButton").filter(has_text="Delete").click()
    page.get_by_role("button", name="Delete now").click()
    page.get_by_text("kiln.md was deleted (passages: 1").wait_for(timeout=30_000)
    page.locator("[data-document]").filter(has_text="kiln.md").wait_for(state="detached", timeout=30_000)
    for what in ("upload", "document", "delete"):
        assert "kiln.md" in noted(settings, what)[-1]["documents"]
    go_to_chat(page)
    page.get_by_role("button", name="New conversation").click()
    page.locator(".tk-answer").wait_for(state="detached", timeout=30_000)
    ask(page, "At what temperature is the kiln K2 fired?")
    assert "1,240" not in page.locator(".tk-answer").inner_text()


def test_a_document_is_given_tags_and_read_again(
    opened: Callable[..., Any], tmp_path: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "oven.md").write_text("# Oven O1\n\nThe oven O1 is cleaned on Mondays.\n", encoding="utf-8")
    page = opened(height=1000)
    go(page, "Documents")
    page.locator("input[type=file]").set_input_files([tmp_path / "oven.md"])
    page.get_by_role("button", name="Add files: 1").click()
    page.get_by_text("1 added").wait_for(timeout=60_000)
    page.locator("[data-document]").filter(has_text="oven.md").click()
    page.locator(".tk-passage").filter(has_text="Mondays").wait_for(timeout=30_000)
    page.get_by_test_id("stPopoverButton").filter(has_text="Tags").click()
    page.get_by_role("textbox", name="Tags, separated by ;").fill("ward=icu; year=2026")
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator(".tk-facts").filter(has_text="ward=icu, year=2026").wait_for(timeout=30_000)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Read again").click()
    page.get_by_text("oven.md: was there already").wait_for(timeout=60_000)
    page.locator(".tk-facts").filter(has_text="ward=icu, year=2026").wait_for(timeout=30_000)  # they stay
    for what in ("tags", "reread"):
        assert noted(settings, what)[-1]["documents"] == ["oven.md"]


def test_a_file_goes_into_a_collection_which_is_listed_and_asked_by_itself(
    opened: Callable[..., Any], tmp_path: Path, shots: Path
) -> None:
    (tmp_path / "glaze.md").write_text(GLAZE, encoding="utf-8")
    page = opened(height=1000)
    go(page, "Documents")
    page.locator("input[type=file]").set_input_files([tmp_path / "glaze.md"])
    name = page.get_by_role("combobox", name="Collection", exact=True)
    name.fill('釉薬; "A|B"')
    name.press("Enter")
    page.get_by_role("button", name="Add files: 1").click()
    page.get_by_text("1 added").wait_for(timeout=60_000)
    listed = page.get_by_role("combobox", name="Collections")
    choose_in(page, listed, '釉薬; "A|B"')
    page.keyboard.press("Escape")
    page.get_by_text("1 documents").wait_for(timeout=30_000)
    assert page.locator("[data-document]").count() == 1
    page.screenshot(path=shots / "collections.png")
    choose_in(page, listed, "In no collection")
    page.keyboard.press("Escape")
    page.locator("[data-document]").filter(has_text="insulin-protocol").wait_for(timeout=30_000)
    assert page.locator("[data-document]").filter(has_text="glaze.md").count() == 1
    go_to_chat(page)
    choose_in(page, listed, '釉薬; "A|B"')
    page.keyboard.press("Escape")
    ask(page, "For how many minutes is glaze G-7 stirred?")
    assert "20 minutes" in page.locator(".tk-answer").inner_text()
    ask(page, INSULIN)
    assert "24 hours" not in page.locator(".tk-answer").last.inner_text()
    go(page, "Side by side")  # where the same documents are asked
    page.get_by_label("Question").fill(INSULIN)
    page.get_by_role("button", name="Ask all").click()
    page.get_by_role("button", name="This is the best").nth(1).wait_for(timeout=120_000)
    assert not any("24 hours" in text for text in page.locator(".tk-answer").all_inner_texts())


def test_the_field_for_files_speaks_the_language_of_the_page(opened: Callable[..., Any], shots: Path) -> None:
    page = opened(locale="ja-JP")
    go(page, "文書")
    field = page.get_by_test_id("stFileUploaderDropzone")
    field.get_by_role("button", name="ファイルを選ぶ").wait_for(timeout=30_000)
    said = field.get_by_test_id("stFileUploaderDropzoneInstructions")
    shown = said.evaluate("box => getComputedStyle(box, '::after').content")
    assert shown == '"ここにドロップもできます(1ファイル 100MB まで)"'
    assert said.locator("span").first.is_hidden()
    assert field.get_by_text("Upload", exact=True).evaluate("text => text.clientWidth") <= 1
    page.screenshot(path=shots / "upload-ja.png")


def there(page: Any, name: str) -> None:
    """Wait for what has a name, whether it shows or waits for the pointer."""
    page.locator(f'[aria-label="{name}"]').wait_for(state="attached", timeout=30_000)


def test_what_streamlit_says_itself_is_said_in_the_language_of_the_page(opened: Callable[..., Any]) -> None:
    page = opened(locale="ja-JP")
    there(page, "サイドバーを閉じる")
    assert page.evaluate("document.documentElement.lang") == "ja"
    page.get_by_label("会話を検索").fill("Sidebar")
    page.get_by_text("Enterキーで確定").wait_for(timeout=30_000)
    assert page.get_by_label("会話を検索").input_value() == "Sidebar"
    page.get_by_label("会話を検索").press("Enter")
    page.get_by_text("見つかりませんでした。").wait_for(
        timeout=30_000
    )  # what stands below has found its place
    page.get_by_text("回答の設定").click()
    page.get_by_role("button", name="「絞り込み (任意)」の説明").wait_for(timeout=30_000)
    page.get_by_label("会話を検索").fill("")
    page.get_by_label("会話を検索").press("Enter")
    page.get_by_text("見つかりませんでした。").wait_for(state="detached", timeout=30_000)
    assert page.get_by_role(
        "button", name="「絞り込み (任意)」の説明"
    ).is_visible()  # what is open stays open
    page.get_by_text("English", exact=True).click()
    there(page, "Collapse sidebar")
    assert page.evaluate("document.documentElement.lang") == "en"
    ask(page, "Is there a Sidebar? Connecting")  # what people write is left alone
    page.get_by_text("日本語", exact=True).click()
    there(page, "サイドバーを閉じる")
    page.get_by_test_id("stChatMessage").filter(has_text="Is there a Sidebar? Connecting").wait_for(
        timeout=30_000
    )


def go_to_chat(page: Any) -> None:
    page.get_by_role("link", name=re.compile("^Chat$")).click()
    page.get_by_test_id("stChatInputTextArea").wait_for(timeout=30_000)
    settled(page)


def test_feedback_is_given_and_the_adviser_advises(opened: Callable[..., Any]) -> None:
    page = opened()
    ask(page, INSULIN)
    page.get_by_role("button", name="This is right").click()
    page.get_by_text("The answer is remembered as confirmed").wait_for(timeout=30_000)
    go(page, "Adaptation")
    page.get_by_role("button", name="Recommend").click()
    page.get_by_text("Costs over the months").wait_for(timeout=30_000)


def test_a_bad_answer_becomes_a_corrected_example_in_two_clicks(
    opened: Callable[..., Any], shots: Path
) -> None:
    page = opened(height=1000)
    question = "On which extension does the exposure line answer?"
    ask(page, question)
    page.get_by_role("button", name="Correct it").click()
    field = page.get_by_label("The right answer")
    field.wait_for(timeout=30_000)
    assert "[1]" in field.input_value()
    field.fill("On extension 7350 [1].")
    page.screenshot(path=shots / "correct.png")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("It is a worked example too.").wait_for(timeout=60_000)
    go(page, "Adaptation")
    page.get_by_role("tab", name="Examples").click()
    page.get_by_text("On extension 7350 [1].").wait_for(timeout=30_000)
    page.get_by_role("button", name="Delete the example").click()
    page.get_by_text("On extension 7350 [1].").wait_for(state="detached", timeout=30_000)


def test_an_evaluation_is_started_and_its_figures_are_shown(
    opened: Callable[..., Any], tmp_path: Path, shots: Path
) -> None:
    row = {"id": 1, "question": INSULIN, "answer": "every 24 hours", "document": DOCUMENTS[0]}
    (tmp_path / "mine.jsonl").write_text(json.dumps(row), encoding="utf-8")
    page = opened(height=1000)
    go(page, "Quality")
    page.get_by_role("tab", name="Evaluations").click()
    page.get_by_text("No evaluation has ended yet.").wait_for(timeout=30_000)
    page.locator("input[type=file]").set_input_files([tmp_path / "mine.jsonl"])
    page.get_by_text("mine.jsonl").wait_for(timeout=30_000)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Cancel").wait_for(timeout=30_000)
    page.get_by_role("combobox", name="Figure").wait_for(timeout=120_000)  # the page knows that it has ended
    page.screenshot(path=shots / "evaluation.png")
    assert page.get_by_text("Evaluation: extractive").count() == 1


def test_scripts_in_a_question_a_name_and_a_passage_are_shown_and_never_run(
    opened: Callable[..., Any], tmp_path: Path
) -> None:
    hostile = tmp_path / HOSTILE_NAME
    hostile.write_text(f"# Valve {HOSTILE}\n\nThe valve V9 opens at 6 bar {HOSTILE}.\n", encoding="utf-8")
    page = opened()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    go(page, "Documents")
    page.locator("input[type=file]").set_input_files([hostile])
    page.get_by_role("button", name="Add files: 1").click()
    page.get_by_text("1 added").wait_for(timeout=60_000)
    page.locator("[data-document]").filter(has_text="onerror").click()
    page.locator(".tk-passage").filter(has_text="V9").wait_for(timeout=30_000)
    go_to_chat(page)
    ask(page, f"At what pressure does the valve V9 open? {HOSTILE}")
    page.locator("button.tk-open").first.click()
    page.locator(".tk-panel").wait_for(timeout=30_000)
    page.reload()  # the name of the conversation is in the list now
    page.locator(".tk-answer").wait_for(timeout=30_000)
    assert "<script>" in page.get_by_test_id("stChatMessage").first.inner_text()
    assert page.evaluate("window.harmed") is None
    assert page.locator("img[src='x']").count() == 0
    assert [address for address in asked if "evil.example" in address] == []


@pytest.fixture
def measured_adapter(settings: dict[str, str]) -> Iterator[None]:
    """An adapter that is listed with its curve and with what it changed."""
    folder = Path(settings["ADAPTERS"]) / "measured"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    change = {"rows": 9, "before": 0.25, "after": 0.75, "better": 1, "difference_interval": [0.2, 0.8]}
    AdapterCard(
        base="other",
        base_fingerprint="other",
        curve=[{"step": step, "loss": 3.0 / step} for step in (1, 2)],
        figures={"figures": {"refused": change, "f1": change}, "recommended": True},
    ).write(folder)
    yield
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("scheme", "locale", "width"),
    [("light", "en-US", 1280), ("dark", "ja-JP", 1280), ("light", "ja-JP", 390)],
)
@pytest.mark.usefixtures("measured_adapter")
def test_every_page_is_open_to_assistive_technology(
    opened: Callable[..., Any], shots: Path, scheme: str, locale: str, width: int
) -> None:
    axe = library("axe_playwright_python.sync_playwright").Axe()
    page = opened(scheme=scheme, locale=locale, width=width)
    found: list[str] = []

    def check(name: str) -> None:
        # What a run has not drawn anew yet is pale.
        settled(page)
        page.wait_for_timeout(500)  # until what slides in has come
        page.screenshot(path=shots / f"{name}-{scheme}{'' if width > 390 else '-390'}.png")
        for each in axe.run(page).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                found.append(f"{name}: {each['id']} {[node['html'][:200] for node in each['nodes']]}")

    check("start")
    ask(page, BLOOD if locale == "ja-JP" else INSULIN)
    page.locator("button.tk-badge").first.click()
    page.locator(".tk-panel").wait_for(timeout=30_000)
    check("source")
    for what in ("edit", "correct"):
        page.locator(f".st-key-icon_{what}_0 button:visible").first.click()
    page.get_by_test_id("stForm").nth(1).wait_for(timeout=30_000)
    check("forms")
    ask(page, REFUSED)
    page.get_by_text(label("nearest", locale[:2])).wait_for(timeout=30_000)
    check("refusal")
    links = page.get_by_test_id("stSidebarNavLink")
    for number in range(1, 6):
        if width == 390:  # the sidebar covers the page, and goes when something was chosen in it
            page.get_by_test_id("stExpandSidebarButton").click()
        links.nth(number).click()
        page.locator(".tk-title").wait_for(timeout=30_000)
        if width == 390:
            page.get_by_test_id("stExpandSidebarButton").wait_for(timeout=30_000)
        check(f"page-{number}")
        tabs = page.get_by_role("tab")
        for tab in range(1, tabs.count()):
            tabs.nth(tab).click()
            if number == 3 and tab == 2:
                page.locator(".tk-wide").wait_for(timeout=30_000)
            check(f"page-{number}-tab-{tab}")
        if number == 1:
            page.locator("[data-document]").filter(has_text="insulin-protocol.pdf").click()
            tabs.nth(1).click()
            page.get_by_role("img", name=re.compile("insulin-protocol")).wait_for(timeout=30_000)
            check("document")
    assert found == []


def test_on_a_phone_nothing_is_cut_off_and_a_source_opens_below_its_answer(
    opened: Callable[..., Any], shots: Path
) -> None:
    page = opened(width=390, height=844)
    ask(page, INSULIN)
    answer = page.locator(".tk-answer").bounding_box()
    page.locator("button.tk-badge").first.click()
    page.get_by_role("img", name=re.compile("insulin-protocol")).wait_for(timeout=30_000)
    page.wait_for_timeout(2000)
    page.screenshot(path=shots / "phone.png")
    assert answer is not None
    assert answer["width"] > 240
    assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth")
    title = page.locator(".tk-panel").bounding_box()
    assert title is not None
    assert 0 <= title["y"] < 844
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_role("link", name=re.compile("^Documents$")).click()
    page.get_by_test_id("stExpandSidebarButton").wait_for(
        timeout=30_000
    )  # the sidebar is out of the way again
    page.locator("[data-document]").first.wait_for(timeout=30_000)


def test_keys_alone_are_enough_to_ask_and_to_open_a_source_and_closing_it_gives_the_focus_back(
    opened: Callable[..., Any],
) -> None:
    page = opened()
    page.locator(".tk-title").click()
    page.keyboard.press("/")
    page.keyboard.type(INSULIN)
    page.keyboard.press("Enter")
    page.locator(".tk-answer").wait_for(timeout=60_000)
    badge = page.locator("button.tk-badge").first
    source = badge.get_attribute("data-source")
    badge.focus()
    page.keyboard.press("Enter")
    page.locator(".tk-panel").wait_for(timeout=30_000)
    page.wait_for_function("document.activeElement.classList.contains('tk-panel')", timeout=10_000)
    page.get_by_role("button", name="Close", exact=True).focus()
    page.keyboard.press("Enter")
    page.locator(".tk-panel").wait_for(state="detached", timeout=30_000)
    page.wait_for_function(
        "source => document.activeElement.matches(`button.tk-badge[data-source='${source}']`)",
        arg=source,
        timeout=30_000,
    )


def test_the_benchmark_of_the_page_finds_its_moments(browser: Any, served: str) -> None:
    moments = load_once(browser, served, "ja")
    assert list(moments) == list(MOMENTS)
    assert 0 < moments["first paint"] <= moments["can ask"]
    assert 0 < moments["heading"] <= moments["can ask"]
    held = {name: [1999.0, 1.0, 5000.0] for name in MOMENTS}
    told = lines(Result(3, "ja", held, "a processor", 2, "150", "2026-01-01"))
    assert told[2].split() == ["first", "paint", "1,999", "1", "5,000"]
    assert told[-1] == "first paint below 2,000 ms: reached"
    held["first paint"] = [2000.0]
    assert lines(Result(1, "ja", held, "", 2, "", ""))[-1].endswith("NOT reached")


def test_the_first_paint_of_a_warm_server_is_within_two_seconds(
    opened: Callable[..., Any], painted: list[float], shots: Path
) -> None:
    while len(painted) < 3:  # it is run alone, and the first finds the server cold
        opened()
    (shots / "first-paint-seconds.txt").write_text(f"{min(painted):.2f}\n", encoding="utf-8")
    assert min(painted) < 2


@pytest.mark.usefixtures("settings")
def test_a_rerun_does_no_model_work(monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[str] = []
    for kind, name in (
        (SentenceTransformerEmbedder, "embed_query"),
        (SentenceTransformerEmbedder, "embed_passages"),
        (Searching, "search"),
        (Engine, "answered"),
        (WarmUp, "load"),
    ):
        _noted(monkeypatch, kind, name, worked)
    st.cache_resource.clear()
    page = AppTest.from_file(str(CORPUS.parents[1] / "ui" / "chat.py"), default_timeout=120).run()
    page.chat_input[0].set_value(INSULIN).run()
    assert "answered" in worked
    page.session_state["talk"].opened = (0, 1)
    sleep(1)  # what is loaded beside the first page has begun by now
    worked.clear()
    for _ in range(3):
        page.run()
    page.radio(key="language").set_value("ja").run()
    page.text_input(key="search_conversations").set_value("insulin").run()
    page.button(key="clear").click().run()
    assert not page.exception
    assert worked == []
    st.cache_resource.clear()


def _noted(patch: pytest.MonkeyPatch, kind: type, name: str, worked: list[str]) -> None:
    """Note when a method is called; it does what it does."""
    real = getattr(kind, name)

    def noting(*given: Any, **named: Any) -> Any:
        worked.append(name)
        return real(*given, **named)

    patch.setattr(kind, name, noting)
