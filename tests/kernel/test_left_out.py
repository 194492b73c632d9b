"""Files that an ingest could not take in are kept with the index, until one takes them in or they are gone."""

from __future__ import annotations

import uuid
from contextlib import closing
from pathlib import Path

import pytest

from ingest.blocks import Outcome
from ingest.report import FileReport, IngestReport
from ingest.untaken import MOST, LeftOut, Untaken, brought_up, left_out
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings


@pytest.mark.parametrize("kind", ["folder", "postgresql"])
def test_what_an_ingest_could_not_take_in_is_known_until_it_is_taken_in_or_gone(
    kind: str, tmp_path: Path, model_store: ModelStore, request: pytest.FixtureRequest
) -> None:
    store = ""
    if kind == "postgresql":
        store = f"{request.getfixturevalue('postgresql')}&schema=t{uuid.uuid4().hex[:12]}"
    docs, other = tmp_path / "docs", tmp_path / "other.md"
    (docs / "hr").mkdir(parents=True)
    (docs / "kiln.md").write_text("# Kiln\n\nIt is fired for nine hours.\n", encoding="utf-8")
    (docs / "hr" / "empty.md").write_bytes(b"")
    (docs / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    other.write_bytes(b"")
    settings = Settings(
        index=tmp_path / "index", memory=tmp_path / "memory", store=store, cache=model_store.cache
    )

    def told(tekio: Tekio) -> dict[str, str]:
        return {each.name: each.outcome for each in tekio.left_out().files}

    with closing(Tekio(settings)) as tekio:
        tekio.ingest([docs])
        assert told(tekio) == {"hr/empty.md": "empty", "photo.png": "unsupported", "broken.pdf": "failed"}
        assert all(each.message for each in tekio.left_out().files)
        tekio.ingest([other])  # what it does not look at stays
        assert told(tekio).keys() == {"hr/empty.md", "photo.png", "broken.pdf", "other.md"}
        (docs / "hr" / "empty.md").write_text("# Pay\n\nIt comes on Fridays.\n", encoding="utf-8")
        (docs / "photo.png").unlink()
        (docs / "kiln.md").write_bytes(b"")
        tekio.ingest([docs])
        assert told(tekio) == {"broken.pdf": "failed", "kiln.md": "empty", "other.md": "empty"}
        assert {row.document for row in tekio.documents()} == {"hr/empty.md", "kiln.md"}
        (docs / "broken.pdf").unlink()
        other.unlink()
        (docs / "kiln.md").write_text("# Kiln\n\nIt is fired for ten hours.\n", encoding="utf-8")
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([docs / "kiln.md"], names={docs / "kiln.md": "kiln.md"})  # as one is read again
        tekio.ingest([docs])
        assert tekio.left_out() == LeftOut()


def test_what_is_kept_of_files_that_were_not_taken_in_is_bounded(tmp_path: Path) -> None:
    report = IngestReport(folders=[tmp_path])
    for number in range(MOST + 1):
        file = FileReport("x", Outcome.FAILED, message="m" * 10_000)
        report.looked_at[str(tmp_path / f"{number:04}")] = f"{number:04}", file
    now = brought_up(LeftOut(), report, ())
    assert (len(now.files), now.more, len(now.files[0].message)) == (MOST, True, 500)
    assert left_out(now.as_note()) == now
    assert brought_up(now, IngestReport(folders=[tmp_path]), ()) == LeftOut()
    assert LeftOut().as_note() is None


def test_what_the_index_lists_with_its_reason_is_not_told_twice(tmp_path: Path) -> None:
    report = IngestReport()
    for name, outcome in (("scan.pdf", Outcome.NO_TEXT_LAYER), ("x.bin", Outcome.UNSUPPORTED)):
        report.looked_at[str(tmp_path / name)] = name, FileReport(name, outcome, message="why")
    now = brought_up(LeftOut(), report, {str(tmp_path / "scan.pdf")})
    assert now.files == (Untaken(str(tmp_path / "x.bin"), "x.bin", "unsupported", "why"),)
    again = IngestReport(looked_at=report.looked_at)
    assert brought_up(now, again, (), adds=False).files == ()  # the file itself is gone
