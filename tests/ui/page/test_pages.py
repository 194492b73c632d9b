"""The pages of quality, settings and adaptation, run by Streamlit's own test driver."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from adaptation.advice.rules import options
from adaptation.finetuning.methods import METHODS
from evaluation.adapters.judging import FIGURES
from ingest.untaken import LeftOut, Untaken
from kernel.memories import Memories
from kernel.settings import Settings, load_settings
from plugins.memory.feedback import Feedback
from retrieval.access import caller
from retrieval.filter_text import parse_filter
from retrieval.records import DocumentSummary
from tests.ui.conftest import make_answer
from ui.chat_engine import Engine
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import EvaluationJob
from ui.jobs.records import Job, JobsFolder
from ui.locales import LANGUAGES, label
from ui.page.collections import NO_COLLECTION, collections_of, where_of, within
from ui.page.documents import documents_html
from ui.page.evaluations import history
from ui.page.feedback import fitting
from ui.page.here import Here
from ui.page.setting_costs import setting_costs
from ui.page.setting_meanings import japanese_meanings
from ui.page.settings_view import settings_html
from ui.page.streamlit_texts import texts as streamlit_texts
from ui.page.training import methods
from ui.page.uploader import css_text

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

SCRIPT = """
import streamlit as st
from kernel.settings import load_settings
from retrieval.access import caller
from ui.chat_engine import Engine
from ui.page.here import Here
from ui.page.{module} import {draw}

if "engine" not in st.session_state:
    st.session_state["engine"] = Engine(load_settings())
{draw}(Here(st.session_state["engine"], {who}, "{language}", load_settings()))
"""


def page(module: str, draw: str, who: str = "None", language: str = "en") -> AppTest:
    script = SCRIPT.format(module=module, draw=draw, who=who, language=language)
    return AppTest.from_string(script, default_timeout=30).run()


def html_of(page: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in page.get("html"))


@pytest.fixture(autouse=True)
def cleared() -> Iterator[None]:
    yield
    st.cache_resource.clear()


@pytest.fixture
def rated(scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch) -> Memories:
    """A memory in which a wrong answer was noted; what it cites stands in the documents."""
    memories = scripted(load_settings()).memory
    monkeypatch.setattr(Memories, "_cited", lambda self, answer, caller: ())
    memories.rate(make_answer("How <b>long</b>?"), "down")
    return memories


def test_a_bad_answer_becomes_a_corrected_one_in_two_clicks(
    rated: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(rated.store), "add", lambda *given, **named: None)  # needs the embedder
    shown = page("quality", "quality_page")
    assert not shown.exception
    assert "How &lt;b&gt;long&lt;/b&gt;?" in html_of(shown)
    shown.button(key="correct_1").click().run()
    assert shown.text_area(key="right_1").value == "The warranty lasts 24 months [1]. It is gold."
    shown.text_area(key="right_1").set_value("36 months.")
    next(button for button in shown.button if button.label == "Save").click().run()
    assert "it is remembered for this question" in html_of(shown)
    assert "It is no worked example: the answer cites no passage" in html_of(shown)
    assert [row.approved for row in rated.feedback()] == ["", "36 months."]
    shown.segmented_control(key="feedback_kind").set_value("uncorrected").run()
    assert "0 of 2" in html_of(shown)


@pytest.mark.parametrize(
    ("who", "name", "said"),
    [
        ("None", "", "It is a worked example too."),
        (
            "None",
            "other.pdf",
            "It is no worked example: the answer quotes other.pdf, which is not in this index",
        ),
        ("caller('aki')", "", "It is no worked example: Examples hold text of documents"),
    ],
)
def test_a_correction_that_keeps_its_marker_is_a_worked_example_where_it_may_be_one(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, who: str, name: str, said: str
) -> None:
    tekio = scripted(load_settings())
    (listed,) = tekio.documents()
    monkeypatch.setattr(Memories, "_cited", lambda self, answer, caller: ())
    monkeypatch.setattr(type(tekio.memory.store), "add", lambda *given, **named: None)  # needs the embedder
    answer = make_answer("How long?")
    cited = [each.model_copy(update={"document": name or listed.document}) for each in answer.citations]
    asker = None if who == "None" else caller("aki")
    tekio.memory.rate(answer.model_copy(update={"citations": cited}), "down", caller=asker)
    shown = page("quality", "quality_page", who)
    shown.button(key="correct_1").click().run()
    shown.text_area(key="right_1").set_value("It lasts 24 months [1].")
    next(button for button in shown.button if button.label == "Save").click().run()
    assert not shown.exception
    assert said in html_of(shown)
    assert tekio.memory.feedback(caller=asker)[-1].approved == "It lasts 24 months."
    made = [each.example for each in tekio.examples.examples() if each.origin == "answer"]
    assert [(each.question, each.passages, each.answer) for each in made] == (
        [("How long?", ("The warranty lasts 24 months.",), "It lasts 24 months [1].")]
        if "too" in said
        else []
    )


def test_feedback_is_filtered_by_kind_and_words() -> None:
    def row(number: int, user: str, rating: Any, question: str, **data: str) -> Feedback:
        return Feedback(number, user, "", rating, question, {"answer": {"answer": "It is."}, **data})

    rows = [
        row(1, "user:aki", "up", "Kiln?"),
        row(2, "user:aki", "down", "Glaze?"),
        row(3, "user:aki", "down", "Glaze?", correction="No."),
        row(4, "user:ben", "down", "Glaze?", comment="wrong year"),
    ]
    assert [each.id for each in fitting(rows, "all", "")] == [4, 3, 2, 1]
    assert [each.id for each in fitting(rows, "up", "")] == [1]
    assert [each.id for each in fitting(rows, "uncorrected", "")] == [4]
    assert [each.id for each in fitting(rows, "down", "YEAR glaze")] == [4]
    assert [each.id for each in fitting(rows, "uncorrected", "", mender="user:aki")] == []


def test_who_runs_the_service_sees_everybodys_feedback_and_others_their_own(
    rated: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEKIO_ADMINS", '["user:chief"]')
    for user in ("aki", "ben"):
        rated.rate(make_answer(f"What of {user}?"), "down", caller=caller(user))
    shown = html_of(page("quality", "quality_page", "caller('chief')"))
    assert all(each in shown for each in ("What of aki?", "What of ben?", "How &lt;b&gt;long", "3 of 3"))
    assert "You see what everybody said" in shown
    shown = html_of(page("quality", "quality_page", "caller('ben')"))
    assert "What of ben?" in shown
    assert "What of aki?" not in shown
    assert "You see what you said of answers yourself" in shown
    alone = html_of(page("quality", "quality_page"))
    assert "3 of 3" in alone
    assert "You see what" not in alone


def test_documents_are_listed_by_folder_with_what_to_do_about_those_that_need_it(
    scripted: type[ScriptedTekio],
) -> None:
    def row(name: str, outcome: str = "ok", message: str = "") -> DocumentSummary:
        return DocumentSummary(
            1, name, f"/{name}", name, "pdf", "en", 1, 0, 9, outcome, "2026", message=message
        )

    here = Here(Engine(load_settings()), None, "en", load_settings())
    rows = [row("a.md"), row("hr/pay.pdf", "encrypted", "a <b>password</b>"), row("hr/x/y.md"), row("z.md")]
    shown = documents_html(here, rows, "")
    places = [
        shown.index(each)
        for each in (">a.md<", ">z.md<", ">hr</div>", ">hr/pay.pdf<", ">hr/x</div>", ">hr/x/y.md<")
    ]
    assert places == sorted(places)
    assert "a &lt;b&gt;password&lt;/b&gt; · Save it without a password and add it again." in shown
    assert "tk-folder" not in documents_html(here, [row("a.md"), row("z.md")], "")


def test_files_that_were_not_taken_in_are_shown_with_reason_and_advice_to_who_runs_the_service(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = LeftOut((Untaken("/secret/x.bin", "x/<i>.bin", "unsupported", "it is a picture"),), more=True)
    monkeypatch.setattr(scripted, "left_out", lambda self: left)
    monkeypatch.setenv("TEKIO_ADMINS", '["user:chief"]')
    for who in ("None", "caller('chief')"):
        shown = page("documents", "documents_page", who)
        assert not shown.exception
        assert shown.expander[0].label == "Not taken in: 1"
        told = html_of(shown)
        assert "x/&lt;i&gt;.bin" in told
        assert "it is a picture" in told
        assert "Save it as PDF or in an office format." in told
        assert "There are more" in told
        assert "/secret/x.bin" not in told
    assert "it is a picture" not in html_of(page("documents", "documents_page", "caller('aki')"))


def test_settings_are_shown_without_what_is_secret(scripted: type[ScriptedTekio]) -> None:
    settings = Settings(
        store="postgresql://tekio:hidden@db/tekio",
        functions=[{"name": "hr", "mcp_url": "https://hr.example/hidden"}],
    )
    here = Here(Engine(load_settings()), None, "en", settings)
    shown = settings_html(here, "", changed_only=False)
    assert "hidden" not in shown
    assert "hr" in shown
    assert "<b>top_k</b>" in shown
    assert "<b>top_k</b>" not in settings_html(here, "", changed_only=True)
    assert "<b>store</b>" not in settings_html(here, "top_k", changed_only=False)


def test_models_at_hand_are_shown_with_what_they_take_and_techniques_with_their_tokens(
    scripted: type[ScriptedTekio], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "models" / "own <b>"
    own.mkdir(parents=True)
    (own / "config.json").write_text("{}")
    (own / "model.safetensors").write_bytes(bytes(3_000_000))
    gguf = tmp_path / "small.gguf"
    gguf.write_bytes(bytes(2_000_000))
    monkeypatch.setenv("TEKIO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TEKIO_GENERATOR", str(own))
    monkeypatch.setenv(
        "TEKIO_VARIANTS",
        json.dumps(
            {
                "small": {"engine": "llama.cpp", "model": str(gguf)},
                "far": {"engine": "openai", "address": "http://far.example/v1", "model": "hidden"},
            }
        ),
    )
    shown = page("settings_view", "settings_page")
    assert not shown.exception
    told = html_of(shown)
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", told)]
    assert rows[1:] == [
        ["embedder", "multilingual-e5-small", "not on this machine", "about 500 MB"],
        ["generator", "own &lt;b&gt;", "3 MB", ""],
        ["variants.small", "small.gguf", "2 MB", ""],
    ]
    assert str(tmp_path) not in told.split("</table>")[0]
    assert re.search(r"The process of this page takes [\d,]+ MB of memory now", told)
    assert "Several worked examples more in each prompt: about 250 tokens" in told


def test_collections_are_the_tag_of_the_documents_and_become_one_filter() -> None:
    def row(name: str, *collections: str) -> DocumentSummary:
        tags = {"collection": collections} if collections else {}
        return DocumentSummary(1, name, f"/{name}", name, "md", "en", None, 1, 9, "ok", "2026", tags=tags)

    rows = [row("a", "b", "a;"), row("b", "b"), row("c")]
    assert collections_of(rows) == ["a;", "b"]
    assert within(rows, []) == rows
    assert [each.document for each in within(rows, ["a;"])] == ["a"]
    assert [each.document for each in within(rows, ["a;", NO_COLLECTION])] == ["a", "c"]
    assert where_of([]) == ()
    (text,) = where_of(["a;", '"b"'])
    held = parse_filter(text)
    assert [held({"tags": {"collection": [name]}}) for name in ("a;", '"b"', "a")] == [True, True, False]
    (text,) = where_of(["a;", NO_COLLECTION])
    held = parse_filter(text)
    assert [held({"tags": tags}) for tags in ({}, {"collection": ["a;"]}, {"collection": ["b"]})] == [1, 1, 0]


def test_a_text_of_streamlits_comes_back_as_it_was() -> None:
    held = streamlit_texts()
    assert len(set(held["exact"].values())) == len(held["exact"])
    for en, ja in held["patterns"].items():
        assert en.count("(.+)") == ja.count("(.+)") == 1
        assert re.compile(en)


def test_no_text_ends_the_string_of_a_style() -> None:
    assert css_text("日本 a1") == '"日本 a1"'
    hostile = css_text('x"; } </style><script>1</script>\\\n')
    assert re.fullmatch(r'"(?:[\w ]|\\[0-9a-f]+ )*"', hostile)


def test_every_setting_says_what_it_costs_or_is_named_as_free() -> None:
    held = setting_costs()
    named = [*held.costs, *held.free]
    assert len(named) == len(set(named))
    assert set(named) == set(Settings.model_fields)
    for name, cost in held.costs.items():
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", cost.ja), name
        assert cost.en.isascii(), name


def test_every_setting_says_in_japanese_what_it_means() -> None:
    assert set(japanese_meanings()) == set(Settings.model_fields)
    for name, text in japanese_meanings().items():
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), name


@pytest.mark.parametrize(
    ("language", "reranker", "free"),
    [
        ("en", "Costs memory, time: One more model in memory", "Costs nothing."),
        ("ja", "影響(メモリ・時間): もう一つのモデル", "負担はありません。"),
    ],
)
def test_a_setting_is_shown_with_what_it_costs_in_the_language_of_the_page(
    scripted: type[ScriptedTekio], language: str, reranker: str, free: str
) -> None:
    here = Here(Engine(load_settings()), None, language, load_settings())
    assert reranker in settings_html(here, "reranker", changed_only=False)
    assert free in settings_html(here, "sample_seed", changed_only=False)
    meant = "一つの質問で探す箇所の数" if language == "ja" else Settings.model_fields["top_k"].description
    assert f"{meant} · TEKIO_TOP_K" in settings_html(here, str(meant), changed_only=False)


@pytest.mark.parametrize(
    ("module", "draw"), [("settings_view", "settings_page"), ("evaluations", "show_evaluations")]
)
def test_what_concerns_everyone_is_for_those_who_run_the_service(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, module: str, draw: str
) -> None:
    monkeypatch.setenv("TEKIO_ADMINS", '["user:chief"]')
    assert "for those who run the service" in html_of(page(module, draw, "caller('aki')"))
    assert "for those who run the service" not in html_of(page(module, draw, "caller('chief')"))


def test_who_may_only_read_is_offered_no_change_of_documents(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert page("documents", "documents_page", "caller('aki')").get("file_uploader")
    monkeypatch.setenv("TEKIO_USER_SCOPE", "read")
    shown = page("documents", "documents_page", "caller('aki')")
    assert not shown.exception
    assert not shown.get("file_uploader")


def job(folder: Path, kind: str, result: dict[str, Any], events: list[dict[str, Any]]) -> None:
    """Leave a job behind that has ended, as its process leaves it."""
    name, made = JobsFolder(folder).make()
    at = f"2026-03-0{len(list(folder.iterdir()))}T12:00:00+00:00"
    made.write(Job(name, kind, at, [], {"name": "domain"}, state="succeeded", ended_at=at))
    made.result_file.write_text(json.dumps(result), encoding="utf-8")
    made.events_file.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")


def test_a_training_shows_its_curve_and_what_it_changed(scripted: type[ScriptedTekio]) -> None:
    events = [
        {"n": n, "event": "progress", "done": n, "total": 3, "loss": 3.0 / n, "held_out": 3.5 / n}
        for n in (1, 2, 3)
    ]
    held = {
        "refused": {"rows": 9, "before": 0.25, "after": 0.75, "better": 1, "difference_interval": [0.2, 0.8]},
        "wrongly_refused": {"before": 0.1, "after": 0.3, "better": -1, "difference_interval": [0.1, 0.3]},
        "own": {"label": "<b>own</b>", "before": 0.5, "after": 0.6, "difference_interval": [-0.1, 0.3]},
    }
    report = {"figures": held, "general_perplexity": [40.0, 42.0], "recommended": False}
    job(load_settings().jobs, "fine_tune", {"figures": report}, events)
    shown = page("training", "show_training")
    assert not shown.exception
    told = re.findall("<tr>(.*?)</tr>", html_of(shown))
    assert [re.findall("<td>(.*?)</td>", row) for row in told][1:] == [
        ["Unanswerable: refused", "9", "0.25", "0.75", "better"],
        ["Answerable: refused (fewer is better)", "", "0.1", "0.3", "worse"],
        ["&lt;b&gt;own&lt;/b&gt;", "", "0.5", "0.6", "no"],
        ["Perplexity of general texts (less is better)", "", "40", "42", ""],
    ]
    assert "It did not win more than it lost" in html_of(shown)
    assert len(shown.get("vega_lite_chart")) + len(shown.get("arrow_vega_lite_chart")) == 1


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_method_and_figure_of_a_training_has_words_of_its_own(language: str) -> None:
    assert {"lora", "full", "dpo"} <= set(methods()) <= set(METHODS)
    names = [f"method_{name}" for name in methods()] + [f"figure_of_{name}" for name in FIGURES]
    assert all(label(name, language) for name in names)


def test_a_training_whose_name_is_none_is_refused_in_words(scripted: type[ScriptedTekio]) -> None:
    shown = page("training", "show_training")
    shown.text_input(key="training_name").set_value("../evil")
    next(button for button in shown.button if button.label == "Start").click().run()
    assert "A name has letters, digits" in html_of(shown)
    assert JobsFolder(load_settings().jobs).jobs() == []


def test_evaluations_are_plotted_over_time(scripted: type[ScriptedTekio]) -> None:
    for value in (0.5, 0.75):
        run = {
            "name": "base",
            "figures": {"f1": {"value": value}, "own": {"value": 3}, "note": {"value": None}},
        }
        job(load_settings().jobs, "evaluation", {"runs": [run]}, [])
    shown = page("evaluations", "show_evaluations")
    assert not shown.exception
    name = label("score_of_f1", "en")
    assert shown.selectbox(key="metric_en").options == [name, "own"]
    assert list(shown.dataframe[0].value[name]) == [0.75, 0.5]
    assert len(shown.get("vega_lite_chart")) + len(shown.get("arrow_vega_lite_chart")) == 1


def test_the_adviser_goes_by_the_answers_that_are_given(scripted: type[ScriptedTekio]) -> None:
    def first(shown: AppTest) -> str:
        shown.button(key="advise_now").click().run()
        assert not shown.exception
        return next(line for line in html_of(shown).splitlines() if "1. " in line)

    names = {option.id: option.name["en"] for option in options()}
    shown = page("adaptation", "adaptation_page")
    assert names["retrieval"] in first(shown)
    shown.selectbox(key="advice_need").set_value("behaviour")
    shown.selectbox(key="advice_accuracy").set_value("usual")
    shown.selectbox(key="advice_changes").set_value("never")
    shown.toggle(key="advice_sources_needed").set_value(False)
    shown.number_input(key="advice_rows").set_value(300)
    assert names["lora"] in first(shown)


QUESTIONS = b'{"id": 1, "question": "How long?", "answer": "24 months"}\n{"id": 2, "question": "Who?"}\n'


def test_an_evaluation_is_started_from_the_page_with_a_file_or_with_what_people_approved(
    rated: Memories, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[EvaluationJob] = []

    def note(self: Jobs, request: EvaluationJob, *, by: str = "") -> None:
        started.append(request)

    monkeypatch.setattr(Jobs, "start", note)  # that a process does it, the tests of jobs show
    monkeypatch.setattr(type(rated.store), "add", lambda *given, **named: None)  # needs the embedder
    shown = page("evaluations", "show_evaluations")

    def start(shown: AppTest) -> AppTest:
        return next(button for button in shown.button if button.label == "Start").click().run()

    shown = start(shown)
    assert "nobody has approved or corrected an answer yet" in html_of(shown)
    rated.rate(make_answer("How long?"), "down", correction="36 months.")
    shown.multiselect(key="evaluation_variants").set_value(["base", "extractive"])
    shown.multiselect(key="evaluation_techniques_en").set_value(["zero_shot", "few_shot"])
    shown.number_input(key="evaluation_limit").set_value(7)
    start(shown)
    shown.file_uploader[0].set_value(("mine.jsonl", QUESTIONS.replace(b"Who?", b""), "application/jsonl"))
    assert "mine.jsonl, line 2: not a question" in html_of(start(shown))
    shown.file_uploader[0].set_value(("mine.jsonl", QUESTIONS.split(b"\n")[0], "application/jsonl"))
    start(shown)
    assert not shown.exception
    asked, given = started
    assert [(row["question"], row["answer"]) for row in asked.rows] == [("How long?", "36 months.")]
    assert (asked.variants, asked.techniques) == (["base", "extractive"], ["zero_shot", "few_shot"])
    assert asked.limit == 7
    assert [row["id"] for row in given.rows] == [1]


def test_an_evaluation_that_runs_shows_its_progress_and_is_cancelled(scripted: type[ScriptedTekio]) -> None:
    job_id, made = JobsFolder(load_settings().jobs).make()
    progress = {"done": 3, "total": 4, "message": "3 of 4 answers, base"}
    with made.lock():  # as its process holds it
        made.write(Job(job_id, "evaluation", "2026-03-01T12:00:00+00:00", [], {}, progress=progress))
        shown = page("evaluations", "show_evaluations")
        assert not shown.exception
        assert "3 of 4 answers, base" in html_of(shown)
        assert not [button for button in shown.button if button.label == "Start"]
        shown.button(key=f"cancel_{job_id}").click().run()
    assert made.cancel_file.exists()


def test_a_job_speaks_the_language_of_the_page_on_its_way_and_when_it_fails(
    scripted: type[ScriptedTekio],
) -> None:
    job_id, made = JobsFolder(load_settings().jobs).make()
    progress = {"done": 3, "total": 4, "message": "3 of 4 answers, base"}
    with made.lock():
        made.write(Job(job_id, "evaluation", "2026-03-01T12:00:00+00:00", [], {}, progress=progress))
        assert "回答 3 / 4 件(base)" in html_of(page("evaluations", "show_evaluations", language="ja"))
    error = "tekio: there is no variant 'far'; there are base, extractive"
    made.write(Job(job_id, "evaluation", "2026-03-01T12:00:00+00:00", [], {}, state="failed", message=error))
    shown = page("evaluations", "show_evaluations", language="ja")
    assert "回答者「far」はありません。使えるのは base, extractive です" in html_of(shown)
    next(button for button in shown.button if button.label == "開始").click().run()
    assert "認められた回答や直された回答がまだありません" in html_of(shown)


def test_results_of_another_shape_are_passed_over() -> None:
    assert history([("2026", None), ("2026", {"runs": [{"figures": {}}]}), ("2026", [])]) == []


def test_who_answers_by_default_is_chosen_and_adapters_are_listed(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[str | None] = []
    monkeypatch.setattr(scripted, "keep_default_variant", lambda self, name: kept.append(name))
    shown = page("adapters", "show_adapters")
    assert not shown.exception
    assert "There are no adapters yet" in html_of(shown)
    assert shown.button(key="make_default").disabled
    shown.selectbox(key="default_variant").set_value("extractive").run()
    shown.button(key="make_default").click().run()
    assert kept == ["extractive"]
    assert "extractive answers by default now" in html_of(shown)


def test_an_example_is_added_changed_and_deleted_and_is_nobody_elses(scripted: type[ScriptedTekio]) -> None:
    def fill(shown: AppTest, answer: str) -> AppTest:
        shown.text_input[0].set_value("How hot is the kiln?")
        shown.text_area[0].set_value("The kiln is fired at 1,240 degrees.\n\nIt is red.")
        shown.text_area[1].set_value(answer)
        return next(button for button in shown.button if button.label == "Save").click().run()

    def own(shown: AppTest) -> list[str]:
        return [str(button.key) for button in shown.button if str(button.key).startswith("icon_delete_")]

    shown = page("examples", "show_examples")
    assert own(shown) == []
    fill(shown, "It is hot.")
    assert not shown.exception
    assert own(shown) == []  # it cites nothing
    fill(shown, "It is fired at 1,240 degrees [1].")
    (first,) = own(shown)
    shown.button(key=first.replace("delete", "change")).click().run()
    fill(shown, "At 1,240 degrees [1].")
    (second,) = own(shown)
    assert second == first  # of one question there is one example
    assert "At 1,240 degrees [1]." in html_of(shown)
    shown.button(key=second).click().run()
    assert own(shown) == []
    assert "the setting edit_examples opens them" in html_of(
        page("examples", "show_examples", "caller('aki')")
    )
