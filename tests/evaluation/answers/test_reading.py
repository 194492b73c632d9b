"""Question files of every form that is read, as their makers publish them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.answers.items import Span
from evaluation.answers.reading import read_questions
from retrieval.errors import UsageError

DATA = Path(__file__).parents[3] / "data"
PUBLIC = Path(__file__).parents[4] / "shared" / "data"
CONTEXT = "  The pump is oiled on Monday. On Monday the valve is cleaned."


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", "utf-8")
    return path


def squad(*questions: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "v2.0",
        "data": [{"title": "Pumps", "paragraphs": [{"context": CONTEXT, "qas": list(questions)}]}],
    }


def test_the_shipped_questions_are_read_as_they_are_by_the_plain_command() -> None:
    found = read_questions(DATA / "questions.jsonl")
    assert (found.form, len(found.items)) == ("own", 40)
    first = found.items[0]
    assert first.answers == ("18:00 to 18:45",)
    assert first.places == (("admin/visiting-hours.html", None),)
    assert sum(not item.answerable for item in found.items) == 12


def test_squad_json_gives_offsets_in_the_passage_as_an_index_holds_it(tmp_path: Path) -> None:
    start = CONTEXT.rindex("Monday")
    path = tmp_path / "dev.json"
    path.write_text(
        json.dumps(
            squad(
                {
                    "id": "a",
                    "question": "When is the valve cleaned?",
                    "answers": [
                        {"text": "Monday", "answer_start": start},
                        {"text": "oiled", "answer_start": 0},
                        {"text": "Monday", "answer_start": start},
                    ],
                },
                {
                    "id": "b",
                    "question": "When is it painted?",
                    "answers": [],
                    "is_impossible": True,
                    "plausible_answers": [{"text": "Monday", "answer_start": start}],
                },
            )
        )
    )
    found = read_questions(path)
    answerable, impossible = found.items
    (document,) = found.pool
    assert found.form == "squad"
    assert answerable.answers == ("Monday", "oiled")
    text = CONTEXT.strip()
    # The place that is given no longer fits, and the word stands there twice; the other stands there once.
    assert answerable.spans == (Span(document.id, text.index("oiled"), text.index("oiled") + 5),)
    assert answerable.places == ((document.id, None),)
    assert (impossible.answerable, impossible.answers, impossible.places) == (False, (), ())


def test_flat_squad_rows_share_a_passage(tmp_path: Path) -> None:
    text = CONTEXT.strip()
    rows = [
        {
            "id": str(number),
            "title": "Pumps",
            "context": text,
            "question": "いつですか",
            "answers": {"text": ["Monday"], "answer_start": [text.index("Monday")]},
        }
        for number in range(2)
    ]
    found = read_questions(write(tmp_path / "rows.jsonl", rows))
    assert (len(found.items), len(found.pool)) == (2, 1)
    assert found.items[0].language == "ja"
    assert [text[span.start : span.end] for span in found.items[1].spans] == ["Monday"]


def test_pubmedqa_is_read_in_both_of_its_forms(tmp_path: Path) -> None:
    row = {"question": "Does it help?", "contexts": ["We tried.", "It helped."], "final_decision": "yes"}
    lines = write(tmp_path / "rows.jsonl", [{**row, "pmid": "7", "long_answer": "It helps."}])
    whole = tmp_path / "ori.json"
    whole.write_text(
        json.dumps({"7": {key.upper() if key != "final_decision" else key: row[key] for key in row}})
    )
    for path in (lines, whole):
        found = read_questions(path)
        (item,) = found.items
        assert (found.form, item.id, item.label, item.places) == ("pubmedqa", "7", "yes", (("7", None),))
        assert found.pool[0].text == "We tried.\n\nIt helped."
    assert read_questions(lines).items[0].answers == ("It helps.",)


def test_a_row_of_lit_is_asked_over_its_own_chunks(tmp_path: Path) -> None:
    row = {
        "question": "何位ですか",
        "answer": "29位",
        "answerable": True,
        "positive_chunks": [{"title": "", "content": "去年は29位。"}],
        "negative_chunks": [{"title": "t", "content": "別の会社。"}],
    }
    found = read_questions(write(tmp_path / "ja.jsonl", [row, {**row, "answerable": False}]))
    first, second = found.items
    assert first.where == ("document~1/*",)
    assert first.places == (("1/right-1", None),)
    assert (second.answerable, second.answers, second.places) == (False, (), ())
    assert [document.id for document in found.pool] == ["1/right-1", "1/other-1", "2/right-1", "2/other-1"]


def test_beir_with_answers_knows_a_span_only_where_it_is_certain(tmp_path: Path) -> None:
    write(tmp_path / "corpus.jsonl", [{"_id": "d", "title": "T", "text": "one two two three"}])
    write(
        tmp_path / "queries.jsonl",
        [
            {"_id": "q", "text": "Which comes first?", "answers": ["one"]},
            {"_id": "r", "text": "Which comes twice?", "answers": ["two"]},
        ],
    )
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\nr\td\t1\n")
    for path in (tmp_path, tmp_path / "queries.jsonl"):
        found = read_questions(path)
        assert found.form == "beir"
        assert [item.spans for item in found.items] == [(Span("d", 0, 3),), ()]
        assert found.items[0].group == "T"


def test_an_id_that_comes_twice_still_names_one_question(tmp_path: Path) -> None:
    rows = [{"id": "x", "question": "What?", "answer": str(number)} for number in range(2)]
    found = read_questions(write(tmp_path / "q.jsonl", rows))
    assert [item.id for item in found.items] == ["x", "x#2"]
    assert "1 questions have an id" in found.notices[0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "no JSON"),
        ("[]", "no JSON object"),
        ({"id": 1, "question": "What?"}, "nothing says what is expected"),
        ({"id": 1, "answer": "x"}, "question"),
        ({"id": 1, "question": "What?", "answer": "x", "spans": [[3, 1]], "document": "d"}, "ends before"),
        ({"id": 1, "question": "What?", "answer": "x", "spans": [[1, 3]]}, "spans are of one document"),
        ({"id": 1, "question": "What?", "answer": "x", "page": "two"}, "page"),
        ({"question": "What?", "context": "Some.", "answers": []}, None),
        ({"question": "What?", "context": "Some.", "answers": [], "is_impossible": False}, "no answer"),
        ({"question": "What?", "context": "Some.", "answers": {"text": ["a"]}}, "no list of texts"),
        ({"question": "What?", "context": "Some.", "answers": [{"answer_start": 3}]}, "has no text"),
        ({"pmid": "1", "question": "What?", "contexts": []}, "contexts are no texts"),
        ({"pmid": "1", "question": "What?", "contexts": ["a"], "final_decision": "so"}, "decision"),
        ({"positive_chunks": [], "negative_chunks": [], "question": "q", "answer": "a"}, "answerable"),
        ({"positive_chunks": [3], "negative_chunks": []}, "no objects"),
    ],
)
def test_a_broken_row_is_named_by_its_line(tmp_path: Path, row: Any, says: str | None) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text("\n" + (row if isinstance(row, str) else json.dumps(row)) + "\n")
    if says is None:
        assert read_questions(path).items[0].answerable is False
        return
    with pytest.raises(UsageError, match=f"line 2: not a question .*{says}"):
        read_questions(path)


def test_a_broken_place_of_nested_squad_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(squad({"id": "a", "answers": []})))
    with pytest.raises(UsageError, match=r"data\[0\]\.paragraphs\[0\]\.qas\[0\]: not a question"):
        read_questions(path)
    path.write_text('{"data": {}}')
    with pytest.raises(UsageError, match="no list 'data'"):
        read_questions(path)


def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the questions"):
        read_questions(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match=r"without corpus\.jsonl"):
        read_questions(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no questions"):
        read_questions(tmp_path / "empty.jsonl")
    with pytest.raises(UsageError, match="there is no form 'xml'"):
        read_questions(tmp_path / "empty.jsonl", form="xml")


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public data sets are not here")
@pytest.mark.parametrize(
    ("name", "form", "questions", "answerable"),
    [
        ("jsquad", "beir", 1111, 1111),
        ("xquad_en/queries.jsonl", "beir", 1190, 1190),
        ("pubmedqa/train.jsonl", "pubmedqa", 500, 500),
        ("lit_ragbench/en.jsonl", "lit", 58, 27),
    ],
)
def test_the_public_sets_are_read_directly(name: str, form: str, questions: int, answerable: int) -> None:
    found = read_questions(PUBLIC / name)
    assert (found.form, len(found.items)) == (form, questions)
    assert sum(item.answerable for item in found.items) == answerable
    assert found.pool
