"""`tekio adapt policy`: what a person is told, from training to taking out."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evaluation.answers.items import Item
from evaluation.answers.outcome import Outcome
from evaluation.answers.runfile import FORMAT, QuestionsAsked, RunFile
from kernel.app import Tekio
from kernel.policies.features import FEATURES
from kernel.policies.making import decision_store
from kernel.settings import load_settings
from tests.adaptation.conftest import make_embedder, write_documents
from tests.ui.conftest import Run

SETTINGS = """
reading = false
[policies.smart]
actions = [{variant = "extractive"}, {variant = "base"}]
rewards = {correct = 1, supported = 0, short = 0, fast = 0}
[policies.other]
actions = [{variant = "extractive"}, {variant = "gone"}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny embedder and an index."""
    folder = tmp_path_factory.mktemp("policy")
    embedder = make_embedder(folder / "tiny")
    with closing(Tekio(load_settings(index=folder / "index", **tiny(embedder)))) as tekio:
        tekio.ingest([write_documents(folder / "documents")])
    return folder


def tiny(embedder: Path) -> dict[str, Any]:
    return {"embedder": str(embedder), "embedder_engine": "torch", "chunk_tokens": 96, "offline": True}


@pytest.fixture
def run(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Run `tekio adapt policy` in a folder of its own; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tekio.toml").write_text(SETTINGS, encoding="utf-8")
    for name, value in {**tiny(made / "tiny"), "index": made / "index", "cache": tmp_path / "cache"}.items():
        monkeypatch.setenv(f"TEKIO_{name.upper()}", str(value))
    return lambda *args: run("adapt", "policy", *args)


def write_run(path: Path, *, base: float, count: int = 60) -> Path:
    """A run in which `extractive` is worth 0.4, and `base` as much as said."""
    items = [
        Item(f"q{number}", "en", f"How deep is pump {number}?", ("9",), group=f"d{number}")
        for number in range(count)
    ]
    outcomes = [
        Outcome(id=item.id, run=name, answer="9", scores={"f1": score})
        for name, score in (("extractive", 0.4), ("base/zero_shot", base))
        for item in items
    ]
    asked = QuestionsAsked(
        path="q.jsonl", form="own", name="q", digest="d", count=count, answerable=count, pool=False
    )
    whole = RunFile(
        format=FORMAT,
        made="2026-11-29",
        questions=asked,
        about={"settings": {"technique": "zero_shot", "top_k": 5}, "top_k": None},
        methods={},
        judge=None,
        ways=[],
        runs=[
            {"name": "extractive", "variant": "extractive", "technique": "zero_shot"},
            {"name": "base/zero_shot", "variant": "base", "technique": "zero_shot"},
        ],
        comparisons=[],
        notices=[],
        items=items,
        outcomes=outcomes,
    )
    path.write_text(json.dumps(whole.model_dump(mode="json")), encoding="utf-8")
    return path


def test_a_better_policy_is_trained_valued_put_to_serve_and_taken_out(run: Run, tmp_path: Path) -> None:
    source = str(write_run(tmp_path / "run.json", base=0.9))
    code, out, err = run("train", "smart", "--from", source, "--steps", "200")
    assert code == 0, err
    assert "gain over default      +0.4" in out
    assert "activate smart` lets it serve" in out
    code, out, err = run("evaluate", "smart", "--from", source, "--json")
    assert code == 0, err
    value = json.loads(out)
    assert value["beats_default"]
    assert value["fixed"] == pytest.approx([0.4, 0.9])
    assert run("check", "smart")[0] == 2, "none serves yet"
    code, out, err = run("activate", "smart")
    assert code == 0, err
    assert "smart serves" in out
    shown = json.loads(run("show", "smart", "--json")[1])
    assert shown["serving"]["activated"]
    assert shown["actions"][0]["variant"] == "extractive"
    assert "it stays" in run("check", "smart")[1]
    assert "the safe default answers" in run("rollback", "smart")[1]
    code, _, err = run("rollback", "smart")
    assert code == 2
    assert "its safe default answers already" in err


def test_a_policy_that_is_not_better_may_serve_only_by_force(run: Run, tmp_path: Path) -> None:
    source = str(write_run(tmp_path / "run.json", base=0.4))
    code, out, err = run("train", "smart", "--from", source, "--steps", "50")
    assert code == 0, err
    assert "it may not serve unless forced" in out
    code, out, err = run("activate", "smart")
    assert code == 2
    assert "not shown to be better than its safe default: +0.000 [+0.000, +0.000]" in err
    assert run("activate", "smart", "--force")[0] == 0


def test_it_learns_from_what_was_decided_and_rated(run: Run, tmp_path: Path) -> None:
    code, _, err = run("train", "smart", "--feedback")
    assert code == 2
    assert "no decision is kept to learn from" in err
    settings = load_settings()
    store = decision_store(settings)
    plain = settings.policies["smart"].plain_actions
    for number in range(80):
        data = {
            "revision": "",
            "names": list(FEATURES),
            "features": [float(number % 7)] * len(FEATURES),
            "action": plain[number % 2],
            "probability": 0.5,
            "arm": "explore",
            "failed": number % 2 == 1,  # the other action never answers
            "refused": False,
            "supported": None,
            "characters": 10,
            "seconds": 1.0,
        }
        store.add("smart", f"{number:032x}", data, "2026-11-29T10:00:00+00:00")
    code, out, err = run("train", "smart", "--feedback", "--steps", "150")
    assert code == 0, err
    assert "80 decisions, 0 of them rated" in err
    assert "it may not serve unless forced" in out, "nothing is better than the default"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("train", "nobody", "--feedback"), "there is no policy 'nobody': tekio.toml has smart, other"),
        (("train", "smart"), "say what to take: --from RUN.json, or --feedback"),
        (("train", "smart", "--from", "missing.json"), "cannot read the run in missing.json"),
        (
            ("train", "other", "--from", "run.json", "--steps", "1"),
            "no action but the safe default has 8 answers",
        ),
        (("activate", "smart"), "policy 'smart' has not been trained"),
        (("evaluate", "smart", "--feedback"), "policy 'smart' has not been trained"),
        (("check", "smart"), "no policy serves as 'smart'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    run: Run, tmp_path: Path, args: tuple[str, ...], line: str
) -> None:
    write_run(tmp_path / "run.json", base=0.9, count=30)
    code, _, err = run(*args)
    assert code == 2
    assert line in err
    assert "Traceback" not in err


def test_an_unknown_variant_is_shown_and_may_not_serve(run: Run, tmp_path: Path) -> None:
    assert "gone  (there is no such variant)" in run("show", "other")[1]
