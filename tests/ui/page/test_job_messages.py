"""What jobs say, in Japanese: every message that the commands of a job have is known, with all that it tells."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import ui
from adaptation.finetuning.watching import Progress
from evaluation.answers.figures import Prices, figures
from evaluation.answers.items import Item
from evaluation.answers.metrics import METRICS
from evaluation.answers.outcome import Outcome
from kernel.answer import Usage
from ui.locales import LANGUAGES, label
from ui.page.evaluations import FIRST, figure_name
from ui.page.job_messages import messages, said

ROOT = Path(ui.__file__).parents[1]
SPEAK = (
    "adaptation/corpus.py",
    "adaptation/finetuning/command.py",
    "adaptation/finetuning/learned.py",
    "adaptation/finetuning/training.py",
    "adaptation/training_sets/making.py",
    "adaptation/training_sets/rehearsal.py",
    "evaluation/adapters/command.py",
    "evaluation/adapters/comparing.py",
    "evaluation/answers/asking.py",
    "evaluation/answers/command.py",
    "evaluation/answers/journal.py",
    "evaluation/answers/reading/formats.py",
    "evaluation/answers/reading/rows.py",
    "kernel/chat/adapters.py",
    "kernel/model_packages/download.py",
    "kernel/model_packages/hub.py",
    "kernel/model_store.py",
    "retrieval/database.py",
    "ui/commands/finetune.py",
    "ui/jobs/jobs.py",
    "ui/page/evaluation_start.py",
    "ui/page/question_files.py",
)
"""What the commands of a fine-tune and of an evaluation run, and what the page starts them with."""
ELSEWHERE = re.compile(r"--find-lr|--reward|rlhf")
"""Messages of choices that the page does not offer."""
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
FILLED = "7"


def told(node: ast.expr | None) -> str:
    """Return a text of the source with what is filled in put in; empty for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else FILLED for part in node.values)
    return ""


def spoken(module: ast.Module) -> Iterator[str]:
    """Yield what a module says and what its errors say, also where a function of it words them."""
    worded = {
        node.name: [told(each.value) for each in ast.walk(node) if isinstance(each, ast.Return)]
        for node in module.body
        if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = ast.unparse(node.func)
        if name in ("say", "self._say") or (name.endswith("Error") and name != "ValueError"):
            yield told(node.args[0])
            if isinstance(node.args[0], ast.Call):
                yield from worded.get(ast.unparse(node.args[0].func), [])


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("path", SPEAK)
def test_what_a_job_says_is_said_in_japanese_too(path: str) -> None:
    found = {text for text in spoken(ast.parse((ROOT / path).read_text(encoding="utf-8"))) if text}
    assert found
    unknown = [text for text in found if not ELSEWHERE.search(text) and not JAPANESE.search(said(text, "ja"))]
    assert unknown == []


def test_each_message_keeps_what_the_job_told_and_gives_way_to_one_that_says_more() -> None:
    for english, japanese in messages().items():
        assert values(japanese) >= values(english) - {"kind", "same"}, english
        assert values(japanese) <= values(english), english
        assert JAPANESE.search(japanese)
        told_of = {name: f"<{name}>" for name in values(english)}
        assert said(english.format(**told_of), "ja") == japanese.format(**told_of)


def test_a_message_is_said_without_the_name_of_the_program_and_one_that_is_not_known_as_it_is() -> None:
    error = "tekio: there is no index in /srv/{x} yet: run `ingest PATH` first"
    assert said(error, "ja") == "/srv/{x} にまだ索引がありません。先に `ingest PATH` を実行してください"
    assert said(error, "en") == error.removeprefix("tekio: ")
    assert said("tekio: the moon is full", "ja") == "the moon is full"
    assert said("tuned: 20 of 40 rows", "ja") == "学習後の測定: 20 / 40 行"
    assert said("other: 20 of 40 rows", "ja") == "other: 20 / 40 行"
    line = str(Progress(3, 10, 1.5, None, None, 100.0, 7.25))
    assert said(line, "ja") == line  # its figures are told in place of it


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_figure_of_an_evaluation_has_words_of_its_own(language: str) -> None:
    item = Item("1", "en", "How long?")
    outcome = Outcome(
        id="1",
        run="base",
        scores=dict.fromkeys(METRICS, 1.0),
        usage=Usage(prompt_tokens=9, completion_tokens=5, passages_used=1),
        timings_ms={"generate": 1000.0, "total": 2000.0},
    )
    none = Item("2", "en", "Who?", answerable=False)
    declined = Outcome(id="2", run="base", refused=True)
    run = figures([outcome, declined], {"1": item, "2": none}, Prices(1.0, 1.0))
    shown = {name for name, figure in run.items() if "value" in figure}
    assert shown > set(METRICS) | set(FIRST) | {"refusal_recall", "cost_per_1000", "tokens_per_second"}
    names = {name: figure_name(name, language) for name in shown}
    assert {name for name, text in names.items() if text == name} == set()
    assert len(set(names.values())) == len(names)
    assert all(names[name] == label(f"score_of_{name}", language) for name in shown)
    assert figure_name("of_another\x1b[31m", language) == "of_another"
