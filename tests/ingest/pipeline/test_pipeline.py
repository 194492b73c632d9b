from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ingest.blocks import Outcome
from ingest.discover import FileState, hash_file
from ingest.pipeline import Progress
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from tests.ingest.pipeline.conftest import outcomes

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]


def test_a_folder_is_read_into_documents(run: Any, index: PassageIndex, embedder: Any, folder: Path) -> None:
    report = run(folder)
    assert (report.added, report.updated, report.failed, report.exit_code) == (2, 0, 0, 0)
    documents = {document.document: document for document in index.documents()}
    states = index.states()
    assert set(documents) == {"a.md", "sub/b.txt"}
    a, b = documents["a.md"], documents["sub/b.txt"]
    assert (a.title, a.language, a.format) == ("Title A", "en", "markdown")
    assert (b.title, b.language, b.format) == ("b", "ja", "text")
    assert a.path == str(folder.resolve() / "a.md")
    assert (states[a.path].encoding, states[b.path].encoding) == ("utf-8", "cp932")
    assert len(states[a.path].content_hash) == 64
    assert sorted(text.split("\n")[0] for text in embedder.embedded) == ["Title A", "b"]
    for row in index.store.select():
        text = index.quote(row.id, row.data["start"], row.data["end"])
        assert text == row.data["text"]


def test_what_has_not_changed_costs_no_reading_and_no_embedding(
    run: Any, embedder: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder)
    embedder.embedded.clear()
    monkeypatch.setattr("ingest.pool.Reader.read", None)
    with monkeypatch.context() as patched:
        patched.setattr("ingest.plan.hash_file", None)
        report = run(folder)
    assert (report.unchanged, report.added, embedder.embedded) == (2, 0, [])
    assert report.files[0].chunks == 1
    os.utime(folder / "a.md", ns=(1, 1))
    assert run(folder).unchanged == 2
    monkeypatch.setattr("ingest.plan.hash_file", None)
    assert run(folder).unchanged == 2
    assert embedder.embedded == []


def test_a_changed_file_takes_the_place_of_its_old_version(run: Any, texts: Any, folder: Path) -> None:
    run(folder)
    (folder / "a.md").write_text("# Title A\n\nQuite another text.\n", encoding="utf-8")
    report = run(folder)
    assert (report.updated, report.unchanged, report.added) == (1, 1, 0)
    assert "Quite another text." in texts()["a.md"]
    assert len(texts()) == 2


def test_a_file_that_is_gone_is_removed_only_below_the_folders_given(
    run: Any, texts: Any, folder: Path
) -> None:
    run(folder)
    (folder / "a.md").unlink()
    assert run(folder / "sub").removed == 0
    report = run(folder)
    assert report.removed == 1
    assert outcomes(report)["a.md"] == "removed"
    assert set(texts()) == {"sub/b.txt"}


def test_an_empty_folder_is_refused_and_takes_nothing_out_of_the_index(
    run: Any, texts: Any, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "only.txt").write_text("Some text.")
    run(root)
    (root / "only.txt").unlink()
    with pytest.raises(UsageError, match="no files to read in"):
        run(root)
    assert len(texts()) == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user may look into; pytest's own are for one user only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


_AS_NOBODY = """
import json, os, sys
from pathlib import Path
from ingest.blocks import ReadOptions
from ingest.discover import discover
from ingest.plan import Planner, Unreadable
if os.geteuid() == 0:
    os.seteuid(65534)
found = discover([Path(sys.argv[1])])
steps = [Planner({}, ReadOptions(), "", "").step(file) for file in found.files]
print(json.dumps([
    [file.name for file in found.files],
    [[step.outcome, step.message] for step in steps if isinstance(step, Unreadable)],
]))
"""
"""Run apart: as root every file is readable, and to change the user of a process with many threads is not safe."""


def test_a_file_that_may_not_be_read_is_named(open_folder: Path) -> None:
    (open_folder / "locked.txt").write_text("Nobody may read this.")
    (open_folder / "locked.txt").chmod(0)
    (open_folder / "closed").mkdir(mode=0)
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(open_folder)], capture_output=True, check=True, timeout=60
    )
    names, unreadable = json.loads(done.stdout)
    assert names == ["closed", "locked.txt"]
    assert [outcome for outcome, _ in unreadable] == [Outcome.FAILED] * 2
    assert [message for _, message in unreadable] == [
        "the folder cannot be listed: check its permissions",
        "cannot be opened: Permission denied",
    ]


def test_a_missing_path_is_refused_before_anything_is_done(run: Any, texts: Any, folder: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        run(folder, folder / "missing")
    assert not texts()
    with pytest.raises(UsageError):
        run()


def test_files_that_cannot_be_read_do_not_stop_the_others(
    run: Any, texts: Any, folder: Path, make_pdf: Make
) -> None:
    (folder / "no.pdf").write_bytes(b"not a pdf")
    (folder / "scan.pdf").write_bytes(make_pdf([[]], pictures=[1]))
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "empty.txt").write_bytes(b"")
    report = run(folder)
    assert outcomes(report) == {
        "a.md": "ok",
        "b.txt": "ok",
        "no.pdf": "failed",
        "scan.pdf": "no_text_layer",
        "picture.png": "unsupported",
        "empty.txt": "empty",
    }
    assert (report.added, report.failed, report.exit_code) == (2, 2, 3)
    assert all("\n" not in file.message for file in report.files)


def test_an_unsupported_file_counts_as_failed_when_it_was_named(run: Any, folder: Path) -> None:
    picture = folder / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run(folder).failed == 0
    assert run(picture).failed == 1
    assert run(folder, picture).failed == 1


def test_a_scan_is_remembered_and_still_reported_the_next_time(
    run: Any, index: PassageIndex, folder: Path, make_pdf: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "scan.pdf").write_bytes(make_pdf([[]], pictures=[1]))
    run(folder)
    state = index.states()[str(folder.resolve() / "scan.pdf")]
    assert (state.outcome, state.chunks) == ("no_text_layer", 0)
    monkeypatch.setattr("ingest.pool.Reader.read", None)
    report = run(folder)
    assert outcomes(report)["scan.pdf"] == "no_text_layer"
    assert report.failed == 1


def test_a_file_that_can_no_longer_be_read_keeps_its_earlier_version(
    run: Any, texts: Any, folder: Path, make_pdf: Make, place: Place
) -> None:
    path = folder / "report.pdf"
    path.write_bytes(make_pdf([place(["The first version of the report."])]))
    run(folder)
    path.write_bytes(make_pdf([[]], pictures=[1]))
    file = next(file for file in run(folder).files if file.path.endswith("report.pdf"))
    assert file.outcome is Outcome.NO_TEXT_LAYER
    assert "the earlier version stays in the index" in file.message
    assert "first version" in texts()["report.pdf"]
    path.write_bytes(make_pdf([place(["The second version."])]))
    assert run(folder).updated == 1


def test_pages_without_text_make_a_document_partial(
    run: Any, folder: Path, make_pdf: Make, place: Place
) -> None:
    (folder / "half.pdf").write_bytes(make_pdf([place(["Page one has text."]), []], pictures=[2]))
    file = next(file for file in run(folder).files if file.path.endswith("half.pdf"))
    assert (file.outcome, file.pages, file.empty_pages) == (Outcome.PARTIAL, 2, (2,))
    assert "page 2" in file.message


def test_hidden_and_left_over_files_are_skipped_and_links_end(run: Any, folder: Path) -> None:
    for name in (".hidden.txt", "~$a.docx", "notes.txt~"):
        (folder / name).write_text("skip me")
    for name in (".tekio", "__pycache__", "node_modules"):
        (folder / name).mkdir()
        (folder / name / "x.txt").write_text("skip me")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "same.md").symlink_to(folder / "a.md")
    (folder / "broken.txt").symlink_to(folder / "nowhere")
    assert outcomes(run(folder)) == {"a.md": "ok", "b.txt": "ok", "broken.txt": "failed"}


def test_a_file_given_twice_is_read_once_and_keeps_its_name(run: Any, texts: Any, folder: Path) -> None:
    assert run(folder, folder / "sub" / "b.txt", folder / "sub").added == 2
    names = set(texts())
    assert names == {"a.md", "b.txt"}
    (folder / "sub" / "b.txt").write_text("New text.")
    run(folder)
    assert set(texts()) == names


def test_a_single_file_is_named_by_itself(run: Any, texts: Any, folder: Path) -> None:
    report = run(folder / "sub" / "b.txt")
    assert set(texts()) == {"b.txt"}
    assert report.files[0].path == (folder / "sub" / "b.txt").as_posix()


def test_a_file_that_changes_while_it_is_read_fails_and_is_read_the_next_time(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hashed(path: Path) -> FileState:
        state = hash_file(path)
        if path.suffix == ".md":
            with path.open("ab") as file:
                file.write(b"more")
        return state

    with monkeypatch.context() as patched:
        patched.setattr("ingest.plan.hash_file", hashed)
        report = run(folder)
    assert outcomes(report) == {"a.md": "failed", "b.txt": "ok"}
    assert "changed while it was being read" in report.files[0].message
    assert outcomes(run(folder)) == {"a.md": "ok", "b.txt": "unchanged"}


def test_the_embedders_own_errors_come_through_and_what_was_done_stays(
    run: Any, texts: Any, embedder: Any, folder: Path
) -> None:
    run(folder / "a.md")

    def fail(batch: Sequence[str]) -> None:
        raise RuntimeError("out of memory")

    embedder.before = fail
    with pytest.raises(RuntimeError, match="out of memory"):
        run(folder)
    assert set(texts()) == {"a.md"}
    embedder.before = lambda batch: None
    report = run(folder)
    assert (report.unchanged, report.added) == (1, 1)


def test_progress_is_told_after_each_file(run: Any, folder: Path) -> None:
    told: list[Progress] = []
    run(folder, on_progress=told.append)
    assert [(each.done, each.total) for each in told if each.file] == [(1, 2), (2, 2)]
    assert sum(each.chunks for each in told if not each.file) == 2


def test_the_report_is_plain_json(run: Any, folder: Path) -> None:
    report = json.loads(json.dumps(run(folder).as_dict()))
    assert set(report) == {"added", "updated", "unchanged", "removed", "failed", "files", "seconds"}
    assert report["files"][0] == {
        "path": (folder / "a.md").as_posix(),
        "outcome": "ok",
        "chunks": 1,
        "pages": None,
        "empty_pages": [],
        "encoding": "utf-8",
        "engines": {},
        "message": "",
    }
