"""The part of the adaptation page for ensembles and policies, run by Streamlit's own test driver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kernel.policies.making import policy_folder
from kernel.policies.registry import PolicyFolder
from kernel.settings import load_settings
from tests.kernel.policies.made import file_for
from ui.jobs.fits import EnsembleJob, PolicyJob
from ui.jobs.jobs import Jobs
from ui.jobs.kinds import AnyJob
from ui.jobs.records import Job, JobsFolder

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

SETTINGS = """
[policies.smart]
actions = [{variant = "extractive"}, {variant = "base"}]
[ensembles.careful]
rule = "weighted"
members = ["extractive", {variant = "base", weight = 2}]
[ensembles.plain]
members = ["extractive", "base"]
"""
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
QUESTIONS = b'{"id": "1", "question": "How long?", "answer": "24 months"}'
GAIN = {"value": 0.1, "low": -0.05, "high": 0.25}
VALUE: dict[str, Any] = {
    "doubly_robust": {"value": 0.6, "low": 0.5, "high": 0.7},
    "default": {"value": 0.5, "low": 0.4, "high": 0.6},
    "gain": GAIN,
    "fixed": [0.5, None],
    "beats_default": False,
}


def page(language: str = "en", module: str = "fits", draw: str = "show_fits", who: str = "None") -> AppTest:
    script = SCRIPT.format(module=module, draw=draw, who=who, language=language)
    return AppTest.from_string(script, default_timeout=60).run()


def html_of(shown: AppTest) -> str:
    assert not shown.exception
    return "\n".join(str(element.proto.body) for element in shown.get("html"))


@pytest.fixture(autouse=True)
def place(scripted: type[ScriptedTekio], tmp_path: Path) -> Iterator[Path]:
    """A working folder with an ensemble that can be fitted, one that cannot, and a policy."""
    (tmp_path / "tekio.toml").write_text(SETTINGS, encoding="utf-8")
    yield tmp_path
    st.cache_resource.clear()


def trained(*, made: str = "2026-11-29T00:00:00+00:00", better: bool) -> PolicyFolder:
    """Leave a policy behind as a training does."""
    settings = load_settings()
    value = VALUE | {"beats_default": better}
    folder = policy_folder("smart", settings)
    folder.keep_candidate(file_for(settings.policies["smart"], favours=1, value=value, made=made))
    return folder


def test_a_policy_is_shown_with_its_worth_put_to_serve_and_taken_out() -> None:
    shown = page()
    assert "Nothing serves that was trained: extractive" in html_of(shown)
    folder = trained(better=True)
    shown = page()
    assert "<td>Gain over the safe default</td><td>+0.100</td><td>[-0.050, +0.250]</td>" in html_of(shown)
    assert "never seen" in html_of(shown)
    shown.button(key="policy_activate_smart").click().run()
    assert "smart serves from the next question on." in html_of(shown)
    assert folder.serving.exists()
    assert not [button for button in shown.button if button.key == "policy_activate_smart"]
    shown.button(key="policy_back_smart").click().run()
    assert "smart was taken out" in html_of(shown)
    assert not folder.serving.exists()


def test_a_policy_that_is_not_better_serves_only_after_somebody_says_so_of_that_very_one() -> None:
    folder = trained(better=False)
    shown = page()
    assert shown.button(key="policy_activate_smart").disabled
    shown.checkbox[0].set_value(True).run()
    trained(made="2026-11-30T00:00:00+00:00", better=False)  # meanwhile it was trained again
    shown.run()
    assert shown.button(key="policy_activate_smart").disabled
    assert not folder.serving.exists()
    next(box for box in shown.checkbox if "2026-11-30" in str(box.key)).set_value(True).run()
    shown.button(key="policy_activate_smart").click().run()
    assert folder.serving.exists()


def test_fits_and_trainings_are_started_with_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[AnyJob] = []

    def note(self: Jobs, request: AnyJob, *, by: str = "") -> None:
        started.append(request)

    job_id, made = JobsFolder(load_settings().jobs).make()
    at = "2026-03-01T12:00:00+00:00"
    made.write(Job(job_id, "evaluation", at, [], {"variants": ["base"]}, state="succeeded", ended_at=at))
    (made.folder / "run.json").touch()
    monkeypatch.setattr(Jobs, "start", note)  # that a process does it, the tests of jobs show
    shown = page()
    assert shown.selectbox(key="fit_ensemble_name").options == ["careful"]  # by a majority nothing is fitted
    start(shown, "fit_ensemble_start")
    assert "nobody has approved or corrected an answer yet" in html_of(shown)
    shown.file_uploader[0].set_value(("mine.jsonl", QUESTIONS, "application/jsonl"))
    shown.checkbox(key="fit_without").set_value(True)
    start(shown, "fit_ensemble_start")
    shown.file_uploader[0].set_value([])
    start(shown, "policy_start")
    shown.multiselect(key="policy_evaluations").set_value([job_id])
    shown.number_input(key="policy_steps").set_value(7)
    start(shown, "policy_start")
    fit, by_feedback, by_evaluation = started
    assert isinstance(fit, EnsembleJob)
    assert (fit.name, fit.without_documents, [row["id"] for row in fit.rows]) == ("careful", True, ["1"])
    assert isinstance(by_feedback, PolicyJob)
    assert (by_feedback.feedback, by_feedback.evaluations) == (True, [])
    assert isinstance(by_evaluation, PolicyJob)
    assert (by_evaluation.feedback, by_evaluation.evaluations) == (False, [job_id])
    assert by_evaluation.steps == 7


def start(shown: AppTest, key: str) -> None:
    shown.button(key=key).click().run()
    assert not shown.exception


def leave(kind: str, name: str, result: dict[str, Any]) -> None:
    """Leave a job behind that has ended."""
    job_id, made = JobsFolder(load_settings().jobs).make()
    at = "2026-03-01T12:00:00+00:00"
    made.write(Job(job_id, kind, at, [], {"name": name}, state="succeeded", ended_at=at))
    made.result_file.write_text(json.dumps(result), encoding="utf-8")


def test_what_a_fit_came_to_is_shown_in_japanese_too() -> None:
    members = {"<b>extractive</b>": {"worth": 0.4, "interval": [0.3, 0.5]}}
    result = {
        "members": members,
        "ensemble": {"worth": 0.45, "interval": [0.35, 0.55]},
        "best_member": "extractive",
        "gain": 0.05,
        "gain_interval": [-0.01, 0.1],
        "weights": {"<b>extractive</b>": 2.0},
    }
    leave("ensemble", "careful", result)
    leave("policy", "smart", {"value": VALUE})
    told = html_of(page())
    assert "<td>&lt;b&gt;extractive&lt;/b&gt;</td><td>0.400</td><td>[0.300, 0.500]</td><td>2.000</td>" in told
    assert "the best member alone is cheaper" in told
    japanese = html_of(page("ja"))
    assert "偶然を超える改善はありません" in japanese
    assert "安全な既定に対する改善" in japanese
    assert "重み付き投票" in japanese


def test_the_losses_of_a_mixture_are_shown_for_each_of_its_members_and_weights() -> None:
    losses = {name: {"mean": 1.5, "interval": [1.4, 1.6]} for name in ("uniform", "fitted", "base")}
    leave("ensemble", "careful", {"figures": {"losses": losses}})
    told = html_of(page())
    assert "<td>even weights</td><td>1.500</td><td>[1.400, 1.600]</td>" in told
    assert "<td>base</td>" in told


def test_whoever_does_not_run_the_service_sees_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trained(better=True)
    shown = page(module="adaptation", draw="adaptation_page", who="caller('aki')")
    assert not shown.exception
    assert not shown.tabs
    assert "smart" not in html_of(shown)


def test_without_such_variants_it_is_said_how_they_are_made(place: Path) -> None:
    (place / "tekio.toml").unlink()
    assert "[ensembles.NAME]" in html_of(page())
