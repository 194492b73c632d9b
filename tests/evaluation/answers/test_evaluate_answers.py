"""`tekio evaluate answers` and `tekio evaluate regress` over a few passages, with the real embedder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.answers.serving import chat_server
from ui.cli import main

ROOT = Path(__file__).parents[3]
TEXTS = (
    "The cooling pump of the dye works is oiled every Monday morning by the shift leader.",
    "A blocked relief valve is replaced within 48 hours, never cleaned, and the change is logged.",
    "面会時間は午後二時から八時までで、受付で名札を受け取ります。",
)
ASKED = (
    ("q1", TEXTS[0], "When is the cooling pump of the dye works oiled?", "every Monday morning"),
    ("q2", TEXTS[1], "Within how many hours is a blocked relief valve replaced?", "48 hours"),
    ("q3", TEXTS[2], "面会時間は何時からですか", "午後二時"),
    ("q4", TEXTS[1], "Who was the first emperor of the Roman Empire?", None),
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    rows = [
        {
            "id": name,
            "title": "",
            "context": text,
            "question": question,
            "answers": [{"text": answer, "answer_start": text.index(answer)}] if answer else [],
            "is_impossible": answer is None,
        }
        for name, text, question, answer in ASKED
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def arguments(questions: Path, scratch: Path, *more: str) -> tuple[str, ...]:
    pool = ("--questions", str(questions), "--pool", "--scratch", str(scratch))
    return ("answers", *pool, "--variants", "extractive", *more)


def test_passages_of_a_file_are_asked_measured_judged_and_shown(
    questions: Path, scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out_file, report = tmp_path / "run.json", tmp_path / "report"
    with chat_server(lambda request: "correct") as (url, asked):
        judge = ("--judge", "m", "--judge-url", url, "--judge-revision", "r1")
        where = ("--out", str(out_file), "--report", str(report))
        code, out, err = run(capsys, *arguments(questions, scratch, *where, *judge, "--json"))
    assert code == 0, err
    whole = json.loads(out)
    assert whole == json.loads(out_file.read_text("utf-8"))
    (only,) = whole["runs"]
    figures = only["figures"]
    assert only["name"] == "extractive"
    assert figures["citation_recall"]["value"] == 1.0
    assert figures["contains"]["hits"] == 3
    assert figures["span_recall"]["value"] == 1.0
    assert figures["oracle_f1"]["questions"] == 3
    assert figures["refusal_recall"]["questions"] == 1
    assert figures["all_supported_or_marked"]["value"] == 1.0
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]
    assert whole["methods"]["faithfulness"].startswith("the program's own check")
    assert whole["judge"]["revision"] == "r1"
    assert whole["judge"]["compared"] == 4
    assert len(asked) == 4
    assert {outcome["grade"] for outcome in whole["outcomes"]} == {"correct"}
    assert "4 of 4 answers" in err
    assert not list(tmp_path.glob("*.part"))
    assert "午後二時" in (report / "report.html").read_text("utf-8")


def test_a_table_is_printed_for_people_and_the_second_run_embeds_nothing(
    questions: Path, scratch: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments(questions, scratch, "--limit", "2", "--no-oracle"))
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == "rows: 2 questions, 2 answerable, limit 2; 3 documents"
    assert "\textractive" in lines
    assert any(line.startswith("token F1\t") for line in lines)
    assert any(line.startswith("CPU seconds an answer\t") for line in lines)
    assert not any("right passage" in line for line in lines)
    assert "passages are in the index" not in err


def test_a_killed_run_goes_on_where_it_stopped(questions: Path, scratch: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.json"
    part = tmp_path / "run.json.part"
    command = [
        sys.executable,
        "-c",
        "from ui.cli import main; main()",
        "evaluate",
        *arguments(questions, scratch, "--out", str(out)),
    ]
    path = os.pathsep.join(name for name in (str(ROOT), os.environ.get("PYTHONPATH", "")) if name)
    environment = {**os.environ, "PYTHONPATH": path}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        began = time.monotonic()
        while not (part.exists() and part.read_text("utf-8").count("\n") >= 2):
            assert process.poll() is None
            assert time.monotonic() - began < 200
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    if out.exists():
        pytest.skip("the run ended before it could be killed")
    kept = part.read_text("utf-8").split("\n")[1:-1]
    ended = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert f"{len(kept)} of 4 answers are there already" in ended.stderr
    outcomes = json.loads(out.read_text("utf-8"))["outcomes"]
    assert [outcome["id"] for outcome in outcomes] == ["q1", "q2", "q3", "q4"]
    assert [json.loads(line) for line in kept] == outcomes[: len(kept)]
    assert not part.exists()


def spoilt(path: Path, target: Path, **scores: float) -> Path:
    whole: dict[str, Any] = json.loads(path.read_text("utf-8"))
    for outcome in whole["outcomes"]:
        outcome["scores"].update(scores)
    target.write_text(json.dumps(whole), "utf-8")
    return target


def test_a_significant_fall_ends_with_exit_code_3(
    scratch: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"id": str(number), "context": TEXTS[0], "question": ASKED[0][2], "answers": [{"text": "Monday"}]}
        for number in range(14)
    ]
    questions = tmp_path / "same.jsonl"
    questions.write_text("\n".join(map(json.dumps, rows)))
    stored = tmp_path / "stored.json"
    code, _, err = run(capsys, *arguments(questions, scratch, "--out", str(stored), "--no-oracle"))
    assert code == 0, err
    again = ("--scratch", str(scratch))
    code, out, err = run(capsys, "regress", "--baseline", str(stored), *again)
    assert code == 0, err
    assert out.splitlines()[-1].startswith("0 of ")
    better = spoilt(stored, tmp_path / "better.json", citation_recall=2.0)
    code, out, err = run(capsys, "regress", "--baseline", str(better), *again)
    assert code == 3, err
    assert out.startswith("FELL extractive: citation recall 2.000 to 1.000")
    code, out, _ = run(capsys, "regress", "--baseline", str(stored), "--run", str(better), "--json")
    assert (code, json.loads(out)["falls"]) == (0, [])
    questions.write_text("\n".join(map(json.dumps, rows[1:])))
    code, out, err = run(capsys, "regress", "--baseline", str(stored), *again)
    assert (code, out) == (2, "")
    assert "is of other questions" in err
    code, _, err = run(capsys, "regress", "--baseline", str(stored), "--out", str(stored))
    assert (code, "write over the baseline" in err) == (2, True)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--variants", "nonesuch"), "there is no variant 'nonesuch'"),
        (("--techniques", "magic"), "there is no technique 'magic'"),
        (("--variants", ","), "is empty"),
        (("--form", "xml"), "there is no form 'xml'"),
        (("--fold", "3/2"), "is no fold"),
        (("--relevance", "magic"), "relevance is by answer or questions"),
        (("--judge", "m", "--judge-url", "http://127.0.0.1:9/v1"), "pin the judge m"),
        (("--judge-url", "http://127.0.0.1:9/v1"), "name the judge"),
        (("--judge", "nonesuch"), "there is no language model 'nonesuch' to judge with"),
        (("--index", "somewhere"), "does not go with --index"),
        (("--out", "."), "is a folder"),
        (("--report", str(ROOT / "pyproject.toml")), "is a file"),
    ],
)
def test_wrong_usage_is_one_line(
    questions: Path, scratch: Path, more: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments(questions, scratch, *more))
    assert (code, out) == (2, "")
    assert says in err.splitlines()[-1]


def test_a_file_without_passages_has_no_pool(scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    questions = ROOT / "data" / "questions.jsonl"
    code, out, err = run(capsys, *arguments(questions, scratch))
    assert (code, out) == (2, "")
    assert "brings no passages" in err
