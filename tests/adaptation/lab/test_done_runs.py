from __future__ import annotations

from pathlib import Path

import pytest

from adaptation.lab.done_runs import DoneRuns
from retrieval.errors import TekioError


def test_what_is_done_is_found_again_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "runs.jsonl"
    runs = DoneRuns(file, "one")
    assert runs.get("a") is None
    assert runs.put("a", {"loss": 1.5}) == {"loss": 1.5}
    runs.put("b", {"loss": 2.5})
    whole = file.read_text()
    file.write_text(whole[:-10])
    again = DoneRuns(file, "one")
    assert again.get("a") == {"loss": 1.5}
    assert again.get("b") is None
    again.put("b", {"loss": 2.5})
    assert DoneRuns(file, "one").get("b") == {"loss": 2.5}
    assert DoneRuns(file, "another corpus").get("a") is None


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder is needed")
    with pytest.raises(TekioError, match="cannot be written"):
        DoneRuns(tmp_path / "taken" / "runs.jsonl", "one").put("a", {})
