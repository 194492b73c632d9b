"""How composed answers were found, in the terminal, in files and over each protocol; and what composed variants are."""

from __future__ import annotations

import json
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import OpenAI
from pypdf import PdfReader

from kernel.conversations import Conversations
from kernel.settings import load_settings
from retrieval.access import caller
from tests.ui.composed import HOSTILE, ensemble_answer, pipeline_answer, policy_answer
from tests.ui.conftest import Run, make_answer
from tests.ui.serving import events_of, served
from ui.client import Client
from ui.conversation_export import exported
from ui.mcp_server import OneCaller, chosen_tools
from ui.variant_text import made_of
from ui.views import DoneView

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


def test_the_terminal_gets_a_line_and_with_members_the_whole(scripted: type[ScriptedTekio], run: Run) -> None:
    scripted.answer = ensemble_answer(text=HOSTILE)
    code, out, err = run("ask", "How long?")
    assert code == 0
    assert "majority vote: extractive was chosen; 2 of 5 members say the same" in err
    assert "It lasts 36 months." not in out + err
    _, out, err = run("ask", "How long?", "--members")
    assert "How this answer was found\nMajority vote\n  The most say 24 months." in out
    assert (
        "\n  - base · Zero-shot · weight 1 · confidence 50% · 0.8 s · 120 + 30 tokens\n    It lasts 36" in out
    )
    assert "    No answer: it took longer than 5 s" in out
    assert "\x1b[31m" not in out + err
    _, out, _ = run("ask", "How long?", "--json")
    assert json.loads(out)["ensemble"]["members"][4]["error"] == "it took longer than 5 s"


def test_the_terminal_says_nothing_of_members_where_there_are_none(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    _, out, err = run("ask", "How long?", "--members")
    assert "How this answer" not in out + err


def test_the_end_of_a_stream_and_the_client_bring_the_report(scripted: type[ScriptedTekio]) -> None:
    scripted.answer = ensemble_answer()
    with served(scripted) as base, Client(base) as client:
        sent = httpx.post(f"{base}/v1/ask", json={"question": "How long?", "stream": True})
        name, done = events_of(sent)[-1]
        assert (name, done["ensemble"]["rule"], done["pipeline"]) == ("done", "majority", None)
        event = list(client.stream("How long?"))[-1]
        assert isinstance(event, DoneView)
        assert event.ensemble == scripted.answer.ensemble
        scripted.answer = pipeline_answer()
        assert client.ask("How long?").pipeline == scripted.answer.pipeline


def test_openai_clients_find_the_report_in_the_extension(scripted: type[ScriptedTekio]) -> None:
    scripted.answer = policy_answer()
    asked: list[Any] = [{"role": "user", "content": "How long?"}]
    with served(scripted) as base, OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0) as client:
        made = client.chat.completions.create(model="base", messages=asked)
        assert (made.model_extra or {})["tekio"]["policy"]["probability"] == 0.85
        chunks = list(client.chat.completions.create(model="base", messages=asked, stream=True))
        assert (chunks[-1].model_extra or {})["tekio"]["policy"]["variant"] == "base"


async def test_mcp_clients_get_a_line_beside_the_report(scripted: type[ScriptedTekio]) -> None:
    scripted.answer = ensemble_answer()
    with closing(scripted(load_settings())) as tekio:
        (tool,) = chosen_tools(tekio, ["ask"], OneCaller(None))
        shown = await tool.handle({"question": "How long?"})
        assert shown["how_found"].startswith("majority vote: extractive was chosen")
        assert shown["ensemble"]["rule"] == "majority"
        scripted.answer = make_answer()
        assert "how_found" not in await tool.handle({"question": "How long?"})


def test_variants_are_told_with_their_kinds_and_whom_they_ask(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("tekio.toml").write_text(COMPOSED, "utf-8")
    monkeypatch.setattr(scripted, "variants", lambda self: [*NAMES])
    with served(scripted) as base, Client(base) as client:
        found = client.variants()
        listed = httpx.get(f"{base}/v1/models").json()["data"]
    assert found.variants == NAMES == [each.name for each in found.details]
    kinds = {each.name: each.kind for each in found.details}
    assert kinds == {
        "base": "base",
        "extractive": "extractive",
        "mine": "adapter",
        "far": "remote",
        "panel": "ensemble",
        "mix": "blend",
        "round": "pipeline",
        "chooser": "policy",
    }
    told = {each.name: made_of(each, "en") for each in found.details}
    assert told["mine"] == ""
    assert told["panel"] == "majority vote · members: extractive, base (Few-shot, weight 2)"
    assert told["round"] == "steps: in (base) → own"
    assert told["chooser"] == "chooses among: extractive, base (Few-shot, temperature 0.3, 4 passages)"
    models = {each["id"]: each["variant"] for each in listed}
    assert models["panel"]["parts"][1]["weight"] == 2
    assert models["multilingual-e5-small"] is None
    assert "hidden" not in json.dumps(listed)


NAMES = ["base", "extractive", "mine", "far", "panel", "mix", "round", "chooser"]
COMPOSED = """
[variants.far]
engine = "openai"
address = "http://hidden.example/v1"
model = "m"
[ensembles.panel]
members = ["extractive", {variant = "base", technique = "few_shot", weight = 2}]
[ensembles.mix]
members = ["base", "mine"]
rule = "linear"
[pipelines.round]
steps = [{name = "in", kind = "translate", variant = "base", to = "en"}, {name = "own", kind = "answer"}]
[pipelines.mood]
steps = [{name = "mood", kind = "classify", labels = ["calm", "angry"], variant = "base"}]
[policies.chooser]
actions = [{variant = "extractive"}, {variant = "base", technique = "few_shot", temperature = 0.3, top_k = 4}]
"""


def test_models_and_doctor_say_why_a_composed_variant_cannot_answer(
    scripted: type[ScriptedTekio], run: Run
) -> None:
    Path("tekio.toml").write_text(COMPOSED + UNFIT, "utf-8")
    Path("broken.json").write_text("{", "utf-8")
    lost = Path(".tekio/policies/lost/policy.json")
    lost.parent.mkdir(parents=True)
    lost.write_text("{", "utf-8")
    _, out, _ = run("models", "--json")
    rows = {row["name"]: row for row in json.loads(out)["composed"]}
    assert (rows["mix"]["kind"], rows["mix"]["rule"]) == ("blend", "linear")
    assert "it asks mine, which is no variant" in rows["mix"]["problem"]
    assert (rows["stacked"]["fitted"], rows["broken"]["fitted"], rows["weighed"]["fitted"]) == (
        False,
        True,
        False,
    )
    assert (rows["panel"]["fitted"], rows["panel"]["problem"]) == (None, "")
    assert (rows["chooser"]["fitted"], rows["lost"]["fitted"]) == (False, True)
    assert "`tekio adapt ensemble stacked" in rows["stacked"]["problem"]
    _, out, _ = run("models")
    assert "no step answers: `tekio pipeline run mood`" in out
    assert "panel\tensemble\tmajority vote · members: extractive, base (Few-shot, weight 2)\t\tyes" in out

    code, _, err = run("models", "default", "mix")
    assert (code, "'mix' cannot answer: it asks mine" in err) == (2, True)

    code, out, _ = run("doctor", "--fast", "--json")
    checks = {row["check"]: row for row in json.loads(out)["checks"]}
    assert code == 1
    stands = {name: checks[f"variant {name}"]["status"] for name in rows}
    failing = {"mix", "stacked", "broken", "odd", "lost"}
    assert {name for name, status in stands.items() if status == "fail"} == failing
    assert "broken.json is no fitted ensemble" in checks["variant broken"]["found"]
    assert "there is no technique 'nonesuch'" in checks["variant odd"]["found"]
    assert "not fitted" in checks["variant weighed"]["found"]
    assert "cannot be read" in checks["variant lost"]["found"]
    assert "`tekio adapt policy train chooser`" in checks["variant chooser"]["advice"]


UNFIT = """
[ensembles.stacked]
members = ["extractive", "base"]
rule = "stacked"
[ensembles.broken]
members = ["extractive", "base"]
rule = "stacked"
fitted = "broken.json"
[ensembles.weighed]
members = ["extractive", "base"]
rule = "weighted"
[policies.lost]
actions = [{variant = "extractive"}, {variant = "base"}]
[ensembles.odd]
members = ["extractive", {variant = "base", technique = "nonesuch"}]
"""


def test_the_fields_of_tables_are_told_by_config(scripted: type[ScriptedTekio], run: Run) -> None:
    _, out, _ = run("config", "--json")
    rows = {row["name"]: row for row in json.loads(out)["tables"]}
    assert rows["ensembles.NAME.members"]["needed"]
    assert rows["ensembles.NAME.rule"]["default"] == "majority"
    assert "borda" in rows["ensembles.NAME.rule"]["description"]
    assert rows["ensembles.NAME.members[].weight"]["default"] == 1.0
    assert "policies.NAME.actions[].variant" in rows
    _, out, _ = run("config")
    assert "pipelines.NAME.steps[].kind" in out


@pytest.mark.parametrize("form", ["markdown", "pdf"])
def test_a_conversation_is_taken_away_with_how_its_answers_were_found(
    scripted: type[ScriptedTekio], form: str
) -> None:
    settings = load_settings()
    kept = Conversations(settings.memory_place, settings.memory)
    whose = caller("aki")
    kept.keep("c", ensemble_answer(text=HOSTILE, language="ja"), caller=whose)
    kept.keep("c", pipeline_answer(), caller=whose, more={"blind": True})
    found = exported(kept.find("c", caller=whose), kept.read("c", caller=whose), form, "ja")
    if form == "markdown":
        text = found.decode()
        assert r"\<script\>" in text
        assert "<script>" not in text
    else:
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(found)).pages)
    assert "この回答の決まり方" in text
    assert "It lasts 36 months." in text
    assert "to-english" not in text, "it was not to be told who answered"
