"""The page, run by Streamlit's own test driver."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kernel.answer import FinishReason, ShortAnswer
from kernel.conversations import Conversations
from kernel.memories import Memories
from kernel.settings import load_settings
from plugins.memory.conversations import KeptTurn
from plugins.memory.store import MemoryStore
from retrieval.errors import TekioError, UsageError
from ui import chat_engine, chat_view
from ui.document_list import fitting
from ui.page import documents
from ui.page.asking import Asking
from ui.page.here import Here

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

PAGE = Path(__file__).parents[2] / "ui" / "chat.py"


@pytest.fixture
def page(scripted: type[ScriptedTekio]) -> Iterator[AppTest]:
    st.cache_resource.clear()
    assert scripted.opened == 0
    scripted.repeats = True
    yield AppTest.from_file(str(PAGE), default_timeout=30)
    st.cache_resource.clear()


def html_of(page: AppTest) -> str:
    """Return all HTML on the page."""
    return "\n".join(str(element.proto.body) for element in page.get("html"))


def markdown_of(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def ask(page: AppTest, question: str = "How long?") -> AppTest:
    return page.chat_input[0].set_value(question).run()


def test_a_rerun_does_not_load_the_engine_again(page: AppTest, scripted: type[ScriptedTekio]) -> None:
    page.run()
    ask(page)
    page.run()
    assert not page.exception
    assert scripted.opened == 1


def test_an_answer_with_its_source_survives_a_rerun(page: AppTest) -> None:
    ask(page.run())
    for _ in range(2):
        shown = html_of(page)
        assert 'data-source="0:1" aria-label="Open source 1: manual.pdf, p. 3"' in shown
        assert '<mark class="tk-unsupported">It is gold.</mark>' in shown
        assert "manual.pdf" in shown
        assert "p. 3" in shown
        assert "another variant answered" in shown
        assert "1.2 s" in shown
        assert "50 + 9 tokens" in shown
        page.run()


def test_a_source_that_is_opened_stands_beside_its_answer_with_the_span_marked(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    scripted.quoted = "So it is said before."
    ask(page.run())
    page.session_state["talk"].opened = (0, 1)
    shown = html_of(page.run())
    assert '<mark class="tk-highlight">The warranty lasts 24 months.</mark>' in shown
    assert "… So it is said before." in shown
    assert "no. 2 by meaning" in shown
    assert "2024-05-06" in shown
    page.button(key="close_source").click().run()
    assert '<mark class="tk-highlight">' not in html_of(page)


def test_a_source_that_is_gone_is_shown_as_it_was_and_said_to_be_gone(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    scripted.quoted = None
    ask(page.run())
    page.session_state["talk"].opened = (0, 1)
    shown = html_of(page.run())
    assert "no longer in the index" in shown
    assert '<mark class="tk-highlight">The warranty lasts 24 months.</mark>' in shown


def test_a_conversation_is_found_again_by_its_address_and_by_nobody_else(
    page: AppTest, scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(page.run(), "How long is the warranty?")
    name = page.session_state["talk"].name
    again = AppTest.from_file(str(PAGE), default_timeout=30)
    again.query_params["c"] = name
    shown = html_of(again.run())
    assert "How long is the warranty?" in shown
    assert "24 months" in shown
    assert scripted.opened == 1
    monkeypatch.setenv("TEKIO_USER_HEADER", "X-User")  # so that nobody in particular asks
    st.cache_resource.clear()
    stranger = AppTest.from_file(str(PAGE), default_timeout=30)
    stranger.query_params["c"] = name
    assert "24 months" not in html_of(stranger.run())


def test_the_list_of_conversations_is_searched_and_one_is_opened_renamed_and_deleted(page: AppTest) -> None:
    ask(page.run(), "How long is the warranty?")
    page.button(key="clear").click().run()
    ask(page, "Where is the pump?")
    name = page.session_state["talk"].name
    page.text_input(key="search_conversations").set_value("ＬＯＮＧ is").run()
    (found,) = [button for button in page.button if str(button.key).startswith("open_")]
    assert found.label == "How long is the warranty?"
    found.click().run()
    assert page.session_state["talk"].turns[0].question == "How long is the warranty?"
    other = page.session_state["talk"].name
    page.text_input(key=f"title_{other}").set_value("Papers").run()
    page.text_input(key="search_conversations").set_value("papers").run()
    assert page.button(key=f"open_{other}").label == "Papers"
    assert page.button(key="delete_conversation").disabled
    page.checkbox(key=f"sure_{other}").check().run()
    page.button(key="delete_conversation").click().run()
    page.text_input(key="search_conversations").set_value("").run()
    assert [b.key for b in page.button if str(b.key).startswith("open_")] == [f"open_{name}"]


def test_an_answer_can_be_asked_for_again_and_its_question_changed(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    ask(page.run(), "First?")
    ask(page, "Second?")
    page.button(key="icon_retry_1").click().run()
    assert scripted.asked[-1] == scripted.asked[-2] | {"cache": False}
    page.button(key="icon_edit_0").click().run()
    page.text_area(key="edited_0").set_value("Changed?")
    next(button for button in page.button if button.label == "Ask again").click().run()
    assert [turn.question for turn in page.session_state["talk"].turns] == ["Changed?"]
    assert [turn.turn.question for turn in kept(page)] == ["Changed?"]


def kept(page: AppTest) -> list[KeptTurn]:
    """Return the turns of the conversation at hand as they are kept."""
    name = page.session_state["talk"].name
    return Conversations(load_settings().memory_place, load_settings().memory).read(name)


def test_an_answer_is_corrected_below_it_in_two_clicks_even_after_a_thumbs_down(
    page: AppTest, scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Memories, "_cited", lambda self, answer, caller: ())
    monkeypatch.setattr(MemoryStore, "add", lambda *given, **named: None)  # needs the embedder
    scripted.answer = scripted.answer.model_copy(update={"answer": "It lasts 24 months [1]. It is gold. [?]"})
    ask(page.run())
    page.button(key="icon_down_0").click().run()
    page.button(key="icon_correct_0").click().run()
    page.button(key="icon_correct_0").click().run()
    assert not [area for area in page.text_area if area.key == "right_turn_0"]
    page.button(key="icon_correct_0").click().run()
    assert page.text_area(key="right_turn_0").value == "It lasts 24 months [1]. It is gold."
    page.text_area(key="right_turn_0").set_value("36 months.")
    next(button for button in page.button if button.label == "Save").click().run()
    assert not page.exception
    assert "it is remembered for this question" in html_of(page)
    assert "It is no worked example: the answer cites no passage" in html_of(page)
    assert [row.approved for row in scripted(load_settings()).memory.feedback()] == ["", "36 months."]
    assert not [button for button in page.button if button.key == "icon_correct_0"]
    ask(page, "Again?")
    page.button(key="icon_up_1").click().run()
    assert not [button for button in page.button if button.key == "icon_correct_1"]  # it is right


class Impatient(Asking):
    """Stopped a second after it began, as by the button."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        Timer(1, self.stop).start()


def test_a_question_that_is_stopped_keeps_its_draft(
    page: AppTest, scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.stuck = True
    monkeypatch.setattr(chat_engine, "Asking", Impatient)
    ask(page.run(), "How long?")
    assert "Stopped before the answer was finished" in html_of(page)
    assert "It is gold." in html_of(page)
    (turn,) = kept(page)
    assert (turn.finished, turn.data["draft"]) == (False, "".join(scripted.tokens))
    assert scripted.cancelled == 1


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


def test_links_images_and_tags_of_documents_and_models_stay_text(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    hostile = "![x](http://evil.example/p.png) <img src=x> [l](javascript:1) $x^2$ :red[c]"
    scripted.answer = scripted.answer.model_copy(
        update={"answer": hostile, "notices": [hostile], "unsupported": [hostile]}
    )
    ask(page.run(), hostile)
    parser = _Tags()
    parser.feed(html_of(page))
    assert not parser.tags & {"img", "a", "script", "iframe", "link"}
    assert "evil.example" in html_of(page)  # shown, as text
    assert "evil.example" not in markdown_of(page)
    assert not page.exception


def test_a_refusal_shows_the_nearest_passages(page: AppTest, scripted: type[ScriptedTekio]) -> None:
    scripted.answer = scripted.answer.model_copy(
        update={"refused": True, "citations": [], "unsupported": [], "finish_reason": FinishReason.REFUSED}
    )
    ask(page.run())
    assert "Nearest passages" in html_of(page)
    assert "Sources" not in html_of(page)


def test_an_answer_that_was_stopped_says_so(page: AppTest, scripted: type[ScriptedTekio]) -> None:
    scripted.answer = scripted.answer.model_copy(update={"finish_reason": FinishReason.CANCELLED})
    ask(page.run())
    assert "stopped before its end" in html_of(page)


@pytest.mark.parametrize("error", [TekioError("no model; fetch it"), RuntimeError("no\nmodel; fetch it")])
def test_an_error_is_one_line_and_the_page_goes_on(
    page: AppTest, scripted: type[ScriptedTekio], error: Exception
) -> None:
    scripted.error = error
    ask(page.run())
    assert not page.exception
    assert "no model; fetch it" in html_of(page)
    assert "Traceback" not in html_of(page)
    scripted.error = None
    ask(page, "Again?")
    assert "24 months" in html_of(page)


def test_an_error_is_told_in_the_language_of_the_page_also_when_that_changes(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    scripted.error = UsageError("there is no variant 'far'; there are base, extractive")
    ask(page.run())
    assert escape("there is no variant 'far'") in html_of(page)
    page.radio(key="language").set_value("ja").run()
    assert "回答者「far」はありません。使えるのは base, extractive です" in html_of(page)


def test_without_an_index_the_page_names_the_command(page: AppTest, scripted: type[ScriptedTekio]) -> None:
    scripted.has_index = False
    page.run()
    assert "There is no index in" in html_of(page)
    assert page.code[0].value.startswith("ingest PATH --index ")
    assert page.chat_input[0].disabled


def test_the_language_switch_changes_the_labels(page: AppTest) -> None:
    ask(page.run())
    page.radio(key="language").set_value("ja").run()
    assert not page.exception
    assert "出典" in html_of(page)
    assert "3ページ" in html_of(page)
    assert page.chat_input[0].placeholder == "文書について質問してください"


def test_a_wrong_setting_is_one_line(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEKIO_TOP_K", "many")
    page.run()
    assert not page.exception
    assert "TEKIO_TOP_K" in html_of(page)


def test_the_words_that_answer_stand_out_and_stay_text(scripted: type[ScriptedTekio]) -> None:
    short = ShortAnswer(text="<b>24</b> months", marker=1, start=0, end=16)
    text = "The warranty lasts <b>24</b> months. [1]"
    answer = scripted.answer.model_copy(update={"answer": text, "short_answer": short, "unsupported": []})
    shown = chat_view.answer_html(answer)
    assert '<mark class="tk-short">&lt;b&gt;24&lt;/b&gt; months</mark>' in shown
    without = chat_view.answer_html(answer.model_copy(update={"short_answer": None}))
    assert "tk-short" not in without


def test_overlapping_quotes_are_marked_once(scripted: type[ScriptedTekio]) -> None:
    citation = scripted.answer.citations[0]
    longer = citation.model_copy(update={"start": citation.start - 7, "quote": "Intro. " + citation.quote})
    answer = scripted.answer.model_copy(update={"citations": [citation, longer]})
    shown = chat_view.sources_html(answer, "en")
    assert shown.count("<details") == 1
    assert '<mark class="tk-highlight">Intro. The warranty lasts 24 months.</mark>' in shown


def test_the_choice_of_who_answers_is_left_to_the_facade_unless_made(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    ask(page.run())
    page.selectbox(key="variant_en").set_value("extractive").run()
    ask(page, "Again?")
    assert [options["variant"] for options in scripted.asked] == [None, "extractive"]


def test_a_suggested_question_stands_as_text_and_is_asked_when_it_is_clicked(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    suggested = page.run().button(key="suggested_0")
    assert suggested.label.startswith(r"What of \!\[x\]\(http:")  # no image
    suggested.click().run()
    assert not page.exception
    assert [each["question"] for each in scripted.asked] == scripted(load_settings()).suggestions("en")
    assert "24 months" in html_of(page)
    assert not [button for button in page.button if str(button.key).startswith("suggested")]


def test_a_technique_that_is_chosen_is_the_one_that_is_asked_with(
    page: AppTest, scripted: type[ScriptedTekio]
) -> None:
    ask(page.run())
    page.selectbox(key="technique_en").set_value("few_shot").run()
    ask(page, "Again?")
    assert [options["technique"] for options in scripted.asked] == ["zero_shot", "few_shot"]


def test_a_new_conversation_begins_empty(page: AppTest) -> None:
    ask(page.run())
    page.button(key="clear").click().run()
    assert "24 months" not in html_of(page)
    assert "Ask a question below" in html_of(page)
    assert not page.query_params


def test_choices_outlive_a_change_of_language(page: AppTest) -> None:
    page.run()
    page.selectbox(key="variant_en").set_value("extractive").run()
    page.radio(key="language").set_value("ja").run()
    assert page.selectbox(key="variant_ja").value == "extractive"
    assert page.selectbox(key="technique_ja").options[0] == "ゼロショット"


def test_a_long_list_of_documents_is_cut_and_filtered_by_all_its_words(
    scripted: type[ScriptedTekio],
) -> None:
    (row,) = scripted(load_settings()).documents()
    engine = chat_engine.Engine(load_settings())
    here = Here(engine, None, "en", load_settings())
    shown = documents.documents_html(here, [row] * (chat_view.LISTED_DOCUMENTS + 5), "")
    assert shown.count('tk-document tk-open"') == chat_view.LISTED_DOCUMENTS
    assert "… and 5 more" in shown
    assert fitting([row], "PDF manual") == [row]
    assert fitting([row], "manual docx") == []
    engine.close()
