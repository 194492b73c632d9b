"""Parts of pipelines that need no model: markers, pieces, labels that were written, batches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel.answer import PipelineStep
from kernel.pipelines.batch import Outcome, Results, Row, read_rows, run_batch
from kernel.pipelines.events import PipelineResult, StepFailedError
from kernel.pipelines.markers import mended
from kernel.pipelines.pieces import pieces_of, rejoined
from kernel.pipelines.steps.classifying import label_in
from retrieval.errors import TekioError, UsageError


@pytest.mark.parametrize(
    ("source", "translated", "marked", "changed"),
    [
        ("It is 5 °C [1].", "5 °Cです [1]。", "5 °Cです [1]。", False),
        ("It is 5 °C [1].", "5 °Cです［1］。", "5 °Cです [1]。", False),
        ("It is 5 °C [1].", "5 °Cです。", "5 °Cです [1]。", True),
        ("It is 5 °C [1] [2].", "5 °C [2] です。", "5 °C [2] です [1]。", True),
        ("It is 5 °C [1].", "5 °Cです [1] [7]。", "5 °Cです [1]。", True),
        ("It is 5 °C [1].", "5 °C [1] です [1]。", "5 °C [1] です。", True),
        ("It is gold [?].", "金です。", "金です [?]。", True),
        ("It is gold.", "金です [3]。", "金です。", True),
        ("It is 5. [1]", "Es ist 5.", "Es ist 5 [1].", True),
    ],
)
def test_markers_are_those_of_the_source_and_no_others(
    source: str, translated: str, marked: str, changed: bool
) -> None:
    assert mended(source, translated) == (marked, changed)


def test_a_long_text_is_cut_at_sentences_and_put_together_as_it_was() -> None:
    text = "One is one. Two is two.\n\nThree is three.\nFour is four."
    pieces = pieces_of(text, len, 24)
    assert [piece.text for piece in pieces] == ["One is one. Two is two.", "Three is three.", "Four is four."]
    assert rejoined(pieces, [piece.text for piece in pieces], "en") == text
    assert rejoined(pieces_of("一。二。", len, 2), ["one.", "two."], "en") == "one. two."
    assert rejoined(pieces_of("One. Two.", len, 4), ["一。", "二。"], "ja") == "一。二。"


def test_a_sentence_that_is_too_long_is_cut_and_nothing_is_lost() -> None:
    text = "x" * 50 + " " + "word " * 40
    pieces = pieces_of(text, len, 30)
    assert all(len(piece.text) <= 30 for piece in pieces)
    assert "".join(piece.text + piece.behind for piece in pieces) == text


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("positive", "positive"),
        (" **Positive**.", "positive"),
        ("negative, since it broke", "negative"),
        ("The label is: very positive", "very positive"),
    ],
)
def test_a_label_is_read_from_what_a_server_wrote(written: str, label: str) -> None:
    assert label_in(written, ["positive", "negative", "very positive"]) == label


@pytest.mark.parametrize(
    "written", ["", "gold", "negative is not it, positive is not it", "it is negative or positive"]
)
def test_what_names_no_label_is_none(written: str) -> None:
    labels = ["positive", "negative"]
    if written.startswith("negative"):
        assert label_in(written, labels) == "negative"
        return
    with pytest.raises(TekioError, match="none of the labels"):
        label_in(written, labels)


def result(text: str, error: str = "") -> PipelineResult:
    step = PipelineStep(name="a", kind="summarise", output=text, error=error)
    return PipelineResult(
        pipeline="p", output=None if error else text, output_type="text", steps=[step], error=error
    )


class Fails:
    """Runs rows: one fails as long as it is told to."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.broken = True
        self.at_once = self.most = 0

    async def __call__(self, text: str) -> PipelineResult:
        self.ran.append(text)
        if text == "bad" and self.broken:
            raise StepFailedError("the step 'a' failed", result("", "the step 'a' failed"), TekioError("x"))
        if text == "":
            raise UsageError("there is nothing to do: the text is empty")
        return result(text.upper())


async def test_a_batch_goes_on_where_it_stopped_and_runs_what_failed_again(tmp_path: Path) -> None:
    rows_file, out = tmp_path / "rows.jsonl", tmp_path / "results.jsonl"
    rows_file.write_text(
        '{"id": 7, "text": "one"}\n"two"\n\n{"text": "bad"}\n{broken\n{"text": ""}\n{"x": 1}\n'
    )
    rows = read_rows(rows_file)
    assert [(row.number, row.id) for row in rows] == [
        (1, 7),
        (2, None),
        (4, None),
        (5, None),
        (6, None),
        (7, None),
    ]
    runs = Fails()
    told: list[int] = []
    counts = await run_batch(
        rows, Results(out, "p"), runs, at_once=2, on_row=lambda _, outcome: told.append(outcome.row)
    )
    assert (counts.rows, counts.kept, counts.done, counts.failed) == (6, 0, 2, 4)
    assert sorted(told) == [1, 2, 4, 5, 6, 7]
    held = {line["row"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert (held[1]["id"], held[1]["output"], held[1]["outcome"]) == (7, "ONE", "ok")
    assert held[4]["error"] == "the step 'a' failed"
    assert held[4]["steps"][0]["error"]
    assert held[5]["error"] == "the line is not valid JSON"
    with out.open("a") as file:
        file.write('{"row":9,"id')  # a kill
    runs.broken, runs.ran = False, []
    counts = await run_batch(rows, Results(out, "p"), runs, at_once=2, on_row=lambda *_: None)
    assert (counts.kept, counts.done, counts.failed) == (2, 1, 3)
    assert sorted(runs.ran) == ["", "bad"]
    lines = [Outcome.model_validate_json(line) for line in out.read_text().splitlines()]
    assert sorted(line.row for line in lines) == [1, 2, 4, 5, 6, 7]
    runs.ran = []
    await run_batch(rows, Results(out, "another pipeline"), runs, at_once=1, on_row=lambda *_: None)
    assert len(runs.ran) == 4, "what another pipeline gave is of no use"


async def test_a_file_with_other_things_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "thesis.txt"
    for content in ("My thesis.\n", "My thesis.", '{"a": 1}\n'):
        out.write_text(content)
        with pytest.raises(UsageError, match="something else than results of a pipeline"):
            await run_batch(
                [Row(1, None, "x")], Results(out, "p"), Fails(), at_once=1, on_row=lambda *_: None
            )
        assert out.read_text() == content


def test_a_batch_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "cp932").write_bytes("窯".encode("cp932"))
    for name, said in (("empty", "no row"), ("missing", "cannot be read"), ("cp932", "not UTF-8")):
        with pytest.raises(UsageError, match=said):
            read_rows(tmp_path / name)
