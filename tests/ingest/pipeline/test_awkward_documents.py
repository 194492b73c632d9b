"""A folder of awkward public files goes through the whole ingest: no crash, no silence, and again for nothing."""

from __future__ import annotations

from pathlib import Path

from ingest.blocks import Outcome
from tests.ingest import crash_child

_GOOD = (Outcome.OK, Outcome.PARTIAL)


def test_every_awkward_file_has_its_outcome_and_a_second_ingest_reads_nothing(
    tmp_path: Path, documents: Path
) -> None:
    report = crash_child.ingest(tmp_path / "index", documents)
    outcomes = {Path(file.path).name: file for file in report.files if Path(file.path).parent == documents}
    assert len(outcomes) == 49
    assert {name: str(file.outcome) for name, file in outcomes.items() if file.outcome not in _GOOD} == {
        "sample-files__libreoffice-writer-password.pdf": "encrypted",
        "tika__testUnicodePassword.pdf": "encrypted",
        "tika__testWORD_protected_passtika.docx": "encrypted",
        "tika__testWORD_truncated.docx": "failed",
        "unstructured__empty.txt": "empty",
    }
    for file in report.files:
        assert "\n" not in file.message
        if file.outcome in _GOOD:
            assert file.chunks > 0
        else:
            assert file.message
    again = crash_child.ingest(tmp_path / "index", documents)
    assert again.unchanged == report.added
    assert again.failed == report.failed
