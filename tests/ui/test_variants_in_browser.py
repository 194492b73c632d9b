"""A base and an adapter over it answer the same question in a real browser: one after the other, and side by side."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from tests.ui.browsing import ask, chat_served, choose_in, chromium, go, settled, shot_folder
from tests.ui.taught import teach
from ui.page.differences import differences

INSULIN = Path(__file__).parents[2] / "data" / "corpus" / "wards" / "insulin-protocol.pdf"
QUESTION = "How often do the syringe and the line of an intravenous insulin infusion have to be changed?"
TAUGHT = "Both the syringe and the line are changed every 24 hours [1]."
WITH_MARKERS = """all => all.map(one => {
    const copy = one.cloneNode(true);
    for (const badge of copy.querySelectorAll(".tk-badge")) badge.replaceWith(`[${badge.textContent}]`);
    return copy.textContent;
})"""


@pytest.fixture
def settings(tmp_path: Path, model_store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an index of one document, in the environment too; the adapters' folder is empty."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "adapters").mkdir()
    shutil.copy(INSULIN, tmp_path / "docs")
    values = {
        **{name: tmp_path / name for name in ("index", "memory", "adapters")},
        "cache": model_store.cache,
        "variant": "extractive",
        "reading": "false",
        "max_new_tokens": 48,
    }
    for name, value in values.items():
        monkeypatch.setenv(f"TEKIO_{name.upper()}", str(value))
    with closing(Tekio(load_settings())) as tekio:
        tekio.ingest([tmp_path / "docs"])
    return load_settings()


def test_a_base_and_an_adapter_answer_the_same_question_switched_and_side_by_side(
    settings: Settings, model_store: ModelStore, tmp_path: Path
) -> None:
    shots = shot_folder(tmp_path / "shots")
    given = settings.model_dump(mode="json", exclude_unset=True)
    variables = {name.upper(): str(value) for name, value in given.items()}
    with chat_served(tmp_path, variables) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1100}, locale="en-US")
        page.goto(address)
        page.get_by_test_id("stChatInputTextArea").wait_for(timeout=60_000)
        choose(page, "Who answers", "base")
        page.get_by_text("Show the prompt").click()
        settled(page)
        ask(page, QUESTION)
        (of_base,) = texts(page)
        prompt = prompt_shown(page)
        assert prompt[-1]["content"].endswith(f"Question: {QUESTION}")
        base = model_store.resolve(settings.generator).folder
        teach(base, settings.adapters / "tuned", prompt, TAUGHT)

        begin_anew(page)
        choose(page, "Who answers", "tuned")
        ask(page, QUESTION)
        assert texts(page) == [TAUGHT]
        assert of_base != TAUGHT
        assert prompt_shown(page) == prompt
        page.locator(".tk-meta").filter(has_text="· tuned · Zero-shot").first.wait_for(timeout=60_000)

        begin_anew(page)
        choose(page, "How the prompt is built", "One-shot")
        ask(page, QUESTION)
        # What is written by a prompt that it never saw may be quoted instead.
        page.locator(".tk-meta").filter(has_text="· One-shot").first.wait_for(timeout=60_000)
        shown = prompt_shown(page)
        assert shown[-1]["content"].startswith("Here is an example.")
        assert shown[-1]["content"].endswith(f"Question: {QUESTION}")
        page.screenshot(path=shots / "technique.png")
        choose(page, "How the prompt is built", "Zero-shot")

        go(page, "Side by side")
        page.get_by_label("Question").fill(QUESTION)
        choose_in(page, page.get_by_role("combobox", name="Who answers (two or three)"), "tuned")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Ask all").click()
        page.get_by_role("button", name="This is the best").nth(2).wait_for(timeout=180_000)
        columns = page.locator(".tk-panel-title")
        assert columns.all_inner_texts() == ["base", "extractive", "tuned"]
        places = [each.bounding_box() for each in columns.all()]
        assert places[0]["x"] + places[0]["width"] <= places[1]["x"]
        assert places[1]["x"] + places[1]["width"] <= places[2]["x"]
        said = texts(page)
        assert (said[0], said[2]) == (of_base, TAUGHT)
        assert len(set(said)) == 3
        marked = page.locator(".tk-answer mark.tk-differs").all_inner_texts()
        assert "Both" in marked
        assert marked == [
            text[start:end]
            for text, spans in zip(said, differences(said), strict=True)
            for start, end in spans
        ]
        page.screenshot(path=shots / "base-tuned-extractive.png", full_page=True)
        page.get_by_role("button", name="This is the best").nth(2).click()
        page.get_by_text("You voted for tuned").wait_for(timeout=60_000)

    with closing(Tekio(settings)) as tekio:
        kept = {row.data["answer"]["variant"]: row.rating for row in tekio.memory.feedback()}
    assert kept == {"base": "down", "extractive": "down", "tuned": "up"}


def choose(page: Any, what: str, name: str) -> None:
    """Choose in a box; wait until the page knows it."""
    settled(page)
    box = page.get_by_role("combobox", name=what)
    if not box.is_visible():  # a conversation that begins folds the choices
        page.get_by_text("How to answer").click()
    choose_in(page, box, name)
    settled(page)


def begin_anew(page: Any) -> None:
    """Begin a conversation, so that the question stands alone."""
    page.get_by_role("button", name="New conversation").click()
    page.locator(".tk-answer").wait_for(state="detached", timeout=60_000)
    settled(page)


def texts(page: Any) -> list[str]:
    """Return the answers with their markers."""
    settled(page)
    return list(page.locator(".tk-answer").evaluate_all(WITH_MARKERS))


def prompt_shown(page: Any) -> list[dict[str, str]]:
    """Unfold what the model was sent, and read it from the page."""
    settled(page)
    unfolded = page.get_by_test_id("stExpander").filter(has_text="What the model was sent")
    unfolded.locator("summary").click()
    unfolded.locator(".tk-passage").last.wait_for(timeout=60_000)
    roles = unfolded.locator(".tk-heading").all_text_contents()
    contents = unfolded.locator(".tk-passage").all_text_contents()
    return [{"role": role, "content": text} for role, text in zip(roles, contents, strict=True)]
