import json
from pathlib import Path

import pytest

from evaluation.retrieval.beir import load_beir
from retrieval.errors import UsageError


def write_set(folder: Path, documents: int = 4, judged: str = "q1\t1\t1\nq2\t3\t1\nq2\t0\t0\n") -> Path:
    """Write a set of short documents and two queries."""
    rows = [{"_id": str(n), "title": "T", "text": f"text {n}"} for n in range(documents)]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": "q1", "text": "one"}, {"_id": "q2", "text": "two"}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    (folder / "qrels").mkdir()
    (folder / "qrels" / "dev.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def test_a_set_is_read_with_its_grades(tmp_path: Path) -> None:
    found = load_beir(write_set(tmp_path))
    assert (found.split, found.documents[0].whole) == ("dev", "T\ntext 0")
    assert found.queries == [("q1", "one"), ("q2", "two")]
    assert found.judgements == {"q1": {"1": 1}, "q2": {"3": 1}}
    assert found.notices == ()


def test_a_set_is_cut_to_documents_whose_queries_can_be_judged(tmp_path: Path) -> None:
    assert [name for name, _ in load_beir(write_set(tmp_path), most=2).queries] == ["q1"]


def test_test_comes_before_dev_unless_a_split_is_named(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t0\t2\n")
    assert load_beir(tmp_path).judgements == {"q1": {"0": 2}}
    assert load_beir(tmp_path, split="dev").split == "dev"
    with pytest.raises(UsageError, match="no split 'train'; there are dev, test"):
        load_beir(tmp_path, split="train")


def test_judgements_without_a_document_or_a_query_are_left_out_and_counted(tmp_path: Path) -> None:
    found = load_beir(write_set(tmp_path, judged="q1\t1\t1\nq1\t99\t1\nq7\t1\t1\n"))
    assert found.judgements == {"q1": {"1": 1}}
    assert found.notices[0].startswith("1 judgements are of documents")
    assert found.notices[1].startswith("1 judged queries are left out")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "1", "text": "a"}\n{broken', "corpus.jsonl, line 2 is no JSON"),
        ("corpus.jsonl", '{"text": "a"}', "corpus.jsonl, line 1 has no _id"),
        ("corpus.jsonl", '{"_id": "1"}', "corpus.jsonl, line 1 has no text"),
        ("corpus.jsonl", "[1]", "line 1 is no JSON object"),
        ("corpus.jsonl", '{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}', "holds the _id '1' twice"),
        ("corpus.jsonl", "", "holds no documents"),
        ("queries.jsonl", "", "holds no queries"),
        ("qrels/dev.tsv", "head\nq1 1 1", "dev.tsv, line 2 is not a query"),
        ("qrels/dev.tsv", "head\nq9\t1\t1", "judges none of the queries"),
    ],
)
def test_a_broken_set_is_told_in_one_line(tmp_path: Path, file: str, content: str, message: str) -> None:
    (write_set(tmp_path) / file).write_text(content)
    with pytest.raises(UsageError, match=message) as told:
        load_beir(tmp_path)
    assert "\n" not in str(told.value)


def test_a_missing_folder_or_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        load_beir(tmp_path / "missing")
    with pytest.raises(UsageError, match="no judgements"):
        load_beir(tmp_path)
    (write_set(tmp_path) / "queries.jsonl").unlink()
    with pytest.raises(UsageError, match=r"queries\.jsonl cannot be read"):
        load_beir(tmp_path)
