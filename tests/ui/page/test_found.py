"""The panel that says how an answer was found: members and steps as plain text, what was taken marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kernel.pipelines.events import PipelineResult, StepFailedError
from kernel.settings import load_settings
from retrieval.errors import TekioError
from tests.ui.composed import HOSTILE, ensemble_answer, pipeline_answer, policy_answer
from tests.ui.conftest import make_answer
from ui.answer_text import money
from ui.chat_engine import Engine
from ui.chat_view import meta_html
from ui.page.found import found_html
from ui.page.here import Here
from ui.page.settings_view import settings_html

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

CHAT = Path(__file__).parents[3] / "ui" / "chat.py"
_TAG = re.compile(r"<[^>]*>")


@pytest.fixture(autouse=True)
def cleared() -> Iterator[None]:
    st.cache_resource.clear()
    yield
    st.cache_resource.clear()


def test_an_answer_says_what_it_cost_but_not_to_who_compares_without_knowing_who_answered() -> None:
    free = make_answer()
    paid = free.model_copy(update={"usage": free.usage.model_copy(update={"cost": 0.000812})})
    assert "cost 0.000812" in meta_html(paid, "en")
    assert "費用 0.000812" in meta_html(paid, "ja")
    assert "cost" not in meta_html(paid, "en", blind=True) + meta_html(free, "en")


@pytest.mark.parametrize(
    ("cost", "shown"),
    [(1234.5, "1,234.50"), (0.5, "0.5"), (0.00001, "0.00001"), (1e-9, "< 0.000001"), (1, "1.00")],
)
def test_a_cost_is_told_from_nothing(cost: float, shown: str) -> None:
    assert money(cost) == shown


def test_each_member_is_shown_with_what_it_counted_and_the_taken_one_is_marked() -> None:
    shown = found_html(ensemble_answer(tie=True), "ja")
    assert shown.count('<li class="tk-member') == 5
    taken = shown.split('<li class="tk-member tk-taken">')[1].split("</li>")[0]
    assert "✓ 採用" in taken
    assert "重み 0.5 · スコア 0.81 · 確信度 72% · 保存済みの回答 · 1.2秒" in taken
    assert "同じ内容の回答: 2件" in shown
    assert "回答を控えた" in shown
    assert "回答なし: it took longer than 5 s" in shown
    assert "票が同数だった回答:" in shown
    assert "先の回答が十分に確かだったため、尋ねなかったメンバー: big" in shown


def test_words_that_no_other_member_says_are_marked() -> None:
    shown = found_html(ensemble_answer(), "en")
    assert '<mark class="tk-differs">36</mark>' in shown
    assert "Marked: words that no other member says" in shown
    answer = ensemble_answer()
    assert answer.ensemble is not None
    members = [
        each.model_copy(update={"answer": f"word{place} " * 400})
        for place, each in enumerate(answer.ensemble.members)
    ]
    many = answer.ensemble.model_copy(update={"members": members})
    assert "tk-differs" not in found_html(answer.model_copy(update={"ensemble": many}), "en")


def test_steps_and_a_choice_are_shown() -> None:
    shown = found_html(pipeline_answer(failed=True), "en")
    assert shown.index("2. mood") < shown.index("It stopped here: it gave no label")
    assert shown.index("It stopped here") < shown.index("none behind it ran")
    assert "&quot;months&quot;: 24" in found_html(pipeline_answer(), "en")
    assert "選択確率 85%" in found_html(policy_answer(), "ja")
    assert found_html(make_answer(), "en") == ""


def test_what_members_wrote_is_never_a_tag() -> None:
    shown = found_html(ensemble_answer(text=HOSTILE), "en")
    assert "&lt;script&gt;" in re.sub("</?mark[^>]*>", "", shown)
    assert {tag.split()[0].strip("</>") for tag in _TAG.findall(shown)} <= {
        "div",
        "ul",
        "li",
        "span",
        "b",
        "mark",
    }
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("language", "told"), [("en", "majority vote · members: extractive, base"), ("ja", "多数決")]
)
def test_the_page_of_settings_tells_whom_composed_variants_ask(
    scripted: type[ScriptedTekio], language: str, told: str
) -> None:
    Path("tekio.toml").write_text('[ensembles.panel]\nmembers = ["extractive", "base"]\n', "utf-8")
    here = Here(Engine(load_settings()), None, language, load_settings())
    assert told in settings_html(here, "ensembles", changed_only=True)


OUTCOME = """
import streamlit as st
from kernel.settings import load_settings
from tests.ui.composed import ensemble_answer
from ui.answer_text import money
from ui.chat_engine import Engine
from ui.chat_view import meta_html
from ui.page.here import Here
from ui.page.outcome import show_outcome
from ui.page.turn import Turn

if "engine" not in st.session_state:
    st.session_state["engine"] = Engine(load_settings())
here = Here(st.session_state["engine"], None, "en", load_settings())
show_outcome(here, Turn("How long?", answer=ensemble_answer(), blind={blind}), None)
"""


def test_steps_before_one_that_failed_are_kept_with_the_question_and_shown(
    scripted: type[ScriptedTekio],
) -> None:
    report = pipeline_answer(failed=True).pipeline
    assert report is not None
    result = PipelineResult(pipeline="round", output=None, output_type="text", steps=report.steps)
    scripted.error = StepFailedError(
        "the step 'mood' failed: it gave no label", result, TekioError("no label")
    )
    page = AppTest.from_file(str(CHAT), default_timeout=30).run()
    page.chat_input[0].set_value("How long?").run()
    for _ in range(2):  # as it was asked, and as it is found again
        shown = "\n".join(str(element.proto.body) for element in page.get("html"))
        assert "the step &#x27;mood&#x27; failed: it gave no label" in shown
        assert "1. to-english" in shown
        assert "It stopped here: it gave no label" in shown
        name = page.query_params["c"]
        page = AppTest.from_file(str(CHAT), default_timeout=30)
        page.query_params["c"] = name
        page.run()


@pytest.mark.parametrize("blind", [False, True])
def test_who_answered_is_not_told_where_it_is_not_to_be(scripted: type[ScriptedTekio], blind: bool) -> None:
    page = AppTest.from_string(OUTCOME.format(blind=blind), default_timeout=30).run()
    assert not page.exception
    shown = "\n".join(str(element.proto.body) for element in page.get("html"))
    assert [each.label for each in page.expander] == ([] if blind else ["How this answer was found"])
    assert ("tk-member" in shown) is not blind


def test_a_composed_variant_is_chosen_by_its_kind_and_tells_whom_it_asks(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tekio.toml").write_text('[ensembles.panel]\nmembers = ["extractive", "base"]\n', "utf-8")
    monkeypatch.setattr(scripted, "variants", lambda self: ["base", "extractive", "panel"])
    page = AppTest.from_file(str(CHAT), default_timeout=30).run()
    chosen = next(box for box in page.selectbox if "panel · ensemble" in box.options)
    chosen.set_value("panel").run()
    assert not page.exception
    told = "\n".join(str(element.proto.body) for element in page.get("html"))
    assert "majority vote · members: extractive, base" in told
