"""`tekio adapt`: what a person is told."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.settings import Settings
from tests.adaptation.conftest import make_embedder, write_documents
from tests.ui.conftest import Run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_embedder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def run(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:
    """Run `tekio adapt` in a folder with an index; return exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "TEKIO_EMBEDDER": str(model),
        "TEKIO_EMBEDDER_ENGINE": "torch",
        "TEKIO_CHUNK_TOKENS": "96",
        "TEKIO_CACHE": str(tmp_path / "cache"),
        "TEKIO_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    with closing(Tekio(Settings())) as tekio:
        tekio.ingest([write_documents(tmp_path / "documents")])
    return lambda *args: run("adapt", *args)


def test_without_a_gain_it_is_said_and_nothing_is_embedded_anew(run: Run, tmp_path: Path) -> None:
    code, out, err = run("retriever", "--name", "mine", "--minutes", "0.1", "--reembed")
    assert code == 0, err
    if "not recommended" in out:  # a model of two layers with weights by chance learns nothing in six seconds
        assert "stay with" in out
        assert "embedded anew" not in out
    assert "held out, ndcg@10" in out
    assert "hard negatives" in err
    assert "hard negatives" not in out


def test_json_is_one_document_with_the_card_and_advice(run: Run, tmp_path: Path) -> None:
    code, out, err = run(
        "retriever", "--name", "mine", "--minutes", "0.1", "--seed", "4", "--json", "--reembed", "--force"
    )
    assert code == 0, err
    whole = json.loads(out)
    assert whole["arguments"]["seed"] == 4
    assert whole["reembedded"] == 24
    assert Path(whole["folder"]) == tmp_path / ".tekio" / "embedders" / "mine"
    assert isinstance(whole["recommended"], bool)
    code, _, err = run("retriever", "--name", "other", "--minutes", "0.1")
    assert code == 1
    assert "set the embedder back to 'mine'" in err


def test_a_judged_set_is_measured_too(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "judged"
    (folder / "qrels").mkdir(parents=True)
    texts = {f"d{row}": text.read_text() for row, text in enumerate(sorted(tmp_path.glob("documents/*.md")))}
    rows = [json.dumps({"_id": name, "title": "", "text": text}) for name, text in texts.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows))
    asked = [json.dumps({"_id": f"q{name}", "text": text[:40]}) for name, text in texts.items()]
    (folder / "queries.jsonl").write_text("\n".join(asked))
    judged = "".join(f"q{name}\t{name}\t1\n" for name in texts)
    (folder / "qrels" / "dev.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")
    code, out, err = run("retriever", "--name", "mine", "--minutes", "0.1", "--beir", str(folder))
    assert code == 0, err
    assert "judged/dev, hybrid, ndcg@10" in out
    card = json.loads((tmp_path / ".tekio/embedders/mine/tekio_embedder.json").read_text())
    assert set(card["judged"]["judged/dev"]) == {"hybrid", "dense"}


def test_an_index_is_embedded_anew_on_request_and_what_to_set_is_said(run: Run, tmp_path: Path) -> None:
    make_embedder(tmp_path / ".tekio" / "embedders" / "another", seed=7)
    code, out, err = run("reembed", "another")
    assert code == 0, err
    assert 'set embedder = "another" in tekio.toml' in out
    assert "24 of 24 passages" in err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (("retriever", "--name", "a/b"), "cannot be the name"),
        (("retriever", "--name", "mine", "--split", "dev"), "--split belongs to --beir"),
        (("retriever", "--name", "mine", "--beir", "nowhere"), "there is no folder nowhere"),
        (("retriever", "--name", "mine", "--minutes", "0"), "--minutes"),
        (("retriever",), "--name"),
        (("reembed", "no-such-model-here"), "no model or folder 'no-such-model-here'"),
    ],
)
def test_wrong_usage_ends_with_two_and_one_line(run: Run, args: tuple[str, ...], line: str) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert line in err.strip().splitlines()[-1]
