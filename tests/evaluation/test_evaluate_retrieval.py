"""`tekio evaluate retrieval` over a small set, with the real embedder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ui.cli import main

TEXTS = {
    "pump": ("The pump", "The cooling pump is oiled every Monday morning by the shift leader."),
    "valve": ("The valve", "A blocked relief valve is replaced, never cleaned, and the change is logged."),
    "visit": ("面会", "面会時間は午後二時から八時までで、受付で名札を受け取ります。"),
    "fire": ("火災", "火災報知器が鳴ったときは、階段を使って中庭に避難してください。"),
}
QUERIES = {
    "q1": ("When is the pump oiled?", "pump"),
    "q2": ("What is done with a blocked relief valve?", "valve"),
    "q3": ("面会は何時からですか", "visit"),
    "q4": ("<script>alert(1)</script> 火災のときの避難場所", "fire"),
}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "small & <b>set"
    (folder / "qrels").mkdir(parents=True)
    rows = [{"_id": name, "title": title, "text": text} for name, (title, text) in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [{"_id": name, "text": text} for name, (text, _) in QUERIES.items()]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, asked)))
    judged = "".join(f"{name}\t{right}\t1\n" for name, (_, right) in QUERIES.items())
    (folder / "qrels" / "dev.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    return folder


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "retrieval", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_every_mode_is_measured_and_a_second_run_embeds_nothing(
    beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--beir", str(beir), "--scratch", str(tmp_path / "scratch"))
    code, out, err = run(capsys, *where, "--json", "--report", str(tmp_path / "report"))
    assert code == 0, err
    whole = json.loads(out)
    assert [each["mode"] for each in whole["runs"]] == ["hybrid", "dense", "keyword"]
    assert (whole["split"], whole["documents"], whole["queries"], whole["passages"]) == ("dev", 4, 4, 4)
    hybrid = whole["runs"][0]
    assert hybrid["metrics"]["ndcg@10"] == 1.0
    assert set(hybrid["intervals"]) == set(hybrid["metrics"])
    assert hybrid["latency_ms"]["p50"] <= hybrid["latency_ms"]["p99"]
    assert [each["b"] for each in whole["comparisons"]] == ["dense", "keyword"]
    assert "4 of 4 documents" in err
    page = (tmp_path / "report" / "report.html").read_text()
    assert "<b>set" not in page
    assert page.count("data:image/png;base64,") == 2
    assert (tmp_path / "report" / "metrics.png").read_bytes().startswith(b"\x89PNG")

    code, out, err = run(capsys, *where, "--json", "--mode", "keyword")
    assert code == 0
    assert "of 4 documents" not in err
    assert json.loads(out)["metrics"]["recall@10"] == 1.0


def test_a_table_is_printed_for_people(
    beir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys, "--beir", str(beir), "--scratch", str(tmp_path / "s"), "--mode", "hybrid", "--mode", "dense"
    )
    assert code == 0
    assert out.splitlines()[0].split()[:2] == ["mode", "ndcg@10"]
    assert "dense less hybrid: nDCG@10" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--mode", "magic"), "no search mode 'magic'"),
        (("--split", "train"), "no split 'train'; there are dev"),
    ],
)
def test_wrong_usage_is_one_line(
    beir: Path, args: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "--beir", str(beir), *args)
    assert (code, out) == (2, "")
    assert message in err
