"""Evaluations as the page shows them: every figure in words."""

from __future__ import annotations

import pytest

from evaluation.answers.figures import Prices, figures
from evaluation.answers.items import Item
from evaluation.answers.metrics import METRICS
from evaluation.answers.outcome import Outcome
from kernel.answer import Usage
from ui.locales import LANGUAGES, label
from ui.page.evaluations import FIRST, figure_name


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
