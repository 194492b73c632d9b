"""How far a command is, as the process of a job hears it."""

from __future__ import annotations

import json

import pytest

from adaptation.finetuning.watching import Progress
from ui.jobs.child import _figures
from ui.training_bar import PROGRESS, training_bar


def test_a_training_tells_its_loss_where_a_job_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PROGRESS, "json")
    with training_bar() as show:
        assert show is not None
        show(Progress(3, 10, 1.5, None, None, 100.0, 7.25))
    heard = _figures(capsys.readouterr().err.strip())
    assert heard is not None
    assert (heard["done"], heard["total"], heard["loss"], heard["held_out"]) == (3, 10, 1.5, None)


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("3 of 10 files, 12 chunks, 4.0 a second", (3, 10)),
        ("1,200 of 2,400 answers, extractive", (1200, 2400)),
        ("step 5 of 100, loss 2.1", (5, 100)),
        ("it is one of many", None),
        ('{"progress": 3}', None),
        ("13 rows to learn from, 9,101 tokens of which 652 are learned", None),
    ],
)
def test_a_line_that_counts_is_progress(line: str, counts: tuple[int, int] | None) -> None:
    heard = _figures(line)
    assert (None if heard is None else (heard["done"], heard["total"])) == counts
    if heard is not None:
        assert json.dumps(heard)
