"""`tekio backup` and `tekio restore` on the command line."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from retrieval.database import Database
from retrieval.passages import PassageIndex
from tests.retrieval.test_passages import SIGNATURE, put
from tests.ui.conftest import Run


@pytest.fixture
def run(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    return run


def test_a_backup_is_made_and_put_back_and_nothing_is_replaced_unasked(run: Run, tmp_path: Path) -> None:
    code, out, err = run("backup", "all.tekio")
    assert (code, out) == (1, "")
    assert "nothing to back up" in err
    with closing(PassageIndex(tmp_path / ".tekio" / "index", SIGNATURE, create=True)) as index:
        put(index, "kiln.md", "the kiln", 0)
    (tmp_path / "tekio.toml").write_text("top_k = 7\n", encoding="utf-8")
    code, out, _ = run("backup", "all.tekio", "--json")
    made = json.loads(out)
    assert (code, made["file"], made["documents"]) == (0, "all.tekio", 1)
    assert made["bytes"] == (tmp_path / "all.tekio").stat().st_size
    code, out, err = run("backup", "all.tekio")
    assert (code, out) == (2, "")
    assert "--force" in err
    code, out, err = run("restore", "all.tekio")
    assert (code, out) == (2, "")
    assert "--force" in err.strip().splitlines()[-1]
    (tmp_path / "tekio.toml").write_text("top_k = 9\n", encoding="utf-8")
    code, out, err = run("restore", "all.tekio", "--force")
    assert (code, "1 document with all" in out) == (0, True)
    assert "tekio.toml.restored" in err
    assert (tmp_path / "tekio.toml").read_text("utf-8") == "top_k = 9\n"
    assert run("restore", "all.tekio", "--index", "elsewhere", "--force")[0] == 0
    with closing(Database(tmp_path / "elsewhere", create=False)) as database:
        assert [row.document for row in database.documents().summaries()] == ["kiln.md"]
    code, _, err = run("restore", "tekio.toml", "--force")
    assert (code, "no backup" in err) == (2, True)
