from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.blocks import Outcome, ReadResult
from ingest.pipeline import Progress, ingest_paths
from ingest.readers import read_file
from ingest.report import IngestReport
from retrieval.errors import UsageError

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "docs"
    (root / "sub").mkdir(parents=True)
    (root / "a.md").write_text("# Title A\n\nText of a.\n", encoding="utf-8")
    (root / "sub" / "b.txt").write_bytes("薬の保管について。\n\n鍵を掛けること。\n".encode("cp932"))
    return root


@pytest.fixture
def run(store: Any, embedder: Any) -> Callable[..., IngestReport]:
    def ingest(*paths: Path, **more: Any) -> IngestReport:
        return ingest_paths(paths, store=store, embedder=embedder, max_tokens=100, **more)

    return ingest


def outcomes(report: IngestReport) -> dict[str, str]:
    return {Path(file.path).name: str(file.outcome) for file in report.files}


def test_a_folder_is_read_into_documents(run: Any, store: Any, embedder: Any, folder: Path) -> None:
    report = run(folder)
    assert (report.added, report.updated, report.failed, report.exit_code) == (2, 0, 0, 0)
    documents = {document.name: document for document in store.documents.values()}
    assert set(documents) == {"a.md", "sub/b.txt"}
    a, b = documents["a.md"], documents["sub/b.txt"]
    assert (a.title, a.language, a.format, a.encoding) == ("Title A", "en", "markdown", "utf-8")
    assert (b.title, b.language, b.format, b.encoding) == ("b", "ja", "text", "cp932")
    assert a.path == str(folder.resolve() / "a.md")
    assert len(a.content_hash) == 64
    assert embedder.embedded[0] == "Title A\n\nText of a."
    assert embedder.embedded[1].startswith("b\n薬の保管")
    for path, document in store.documents.items():
        assert all(document.text[c.start : c.end] == c.text for c in store.chunks[path])


def test_what_has_not_changed_costs_nothing(run: Any, embedder: Any, store: Any, folder: Path) -> None:
    run(folder)
    calls = embedder.calls
    report = run(folder)
    assert (report.unchanged, report.added, embedder.calls) == (2, 0, calls)
    assert report.files[0].chunks == 1
    os.utime(folder / "a.md", ns=(1, 1))
    assert run(folder).unchanged == 2
    assert (len(store.touched), embedder.calls) == (1, calls)


def test_a_changed_file_takes_the_place_of_its_old_version(run: Any, store: Any, folder: Path) -> None:
    run(folder)
    (folder / "a.md").write_text("# Title A\n\nQuite another text.\n", encoding="utf-8")
    report = run(folder)
    assert (report.updated, report.unchanged, report.added) == (1, 1, 0)
    assert "Quite another text." in store.text_of("a.md")
    assert len(store.documents) == 2


def test_a_file_that_is_gone_is_removed_only_below_the_folders_given(
    run: Any, store: Any, folder: Path
) -> None:
    run(folder)
    (folder / "a.md").unlink()
    assert run(folder / "sub").removed == 0
    report = run(folder)
    assert report.removed == 1
    assert outcomes(report)["a.md"] == "removed"
    assert {document.name for document in store.documents.values()} == {"sub/b.txt"}


def test_an_empty_folder_is_refused_and_takes_nothing_out_of_the_index(
    run: Any, store: Any, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "only.txt").write_text("Some text.")
    run(root)
    (root / "only.txt").unlink()
    with pytest.raises(UsageError, match="no files to read in"):
        run(root)
    assert len(store.documents) == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user may look into; pytest's own are for one user only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def without_privileges() -> Iterator[None]:
    """Be nobody for a while where the tests run as root, to whom every file is readable."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_an_unreadable_file_is_named_and_the_others_are_read(run: Any, store: Any, open_folder: Path) -> None:
    (open_folder / "locked.txt").write_text("Nobody may read this.")
    (open_folder / "locked.txt").chmod(0)
    (open_folder / "open.txt").write_text("Everybody may read this.")
    with without_privileges():
        report = run(open_folder)
    assert outcomes(report) == {"locked.txt": "failed", "open.txt": "ok"}
    assert (report.added, report.failed, report.exit_code) == (1, 1, 3)
    (reason,) = [file.message for file in report.files if file.message]
    assert "denied" in reason.lower()
    assert "\n" not in reason


def test_a_missing_path_is_refused_before_anything_is_done(run: Any, store: Any, folder: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        run(folder, folder / "missing")
    assert not store.documents
    with pytest.raises(UsageError):
        run()


def test_files_that_cannot_be_read_do_not_stop_the_others(
    run: Any, store: Any, folder: Path, make_pdf: Make
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
    run: Any, store: Any, embedder: Any, folder: Path, make_pdf: Make
) -> None:
    (folder / "scan.pdf").write_bytes(make_pdf([[]], pictures=[1]))
    run(folder)
    path = str(folder.resolve() / "scan.pdf")
    assert store.documents[path].outcome == "no_text_layer"
    assert store.chunks[path] == []
    replaced = len(store.replaced)
    report = run(folder)
    assert outcomes(report)["scan.pdf"] == "no_text_layer"
    assert (report.failed, len(store.replaced)) == (1, replaced)


def test_a_file_that_can_no_longer_be_read_keeps_its_earlier_version(
    run: Any, store: Any, folder: Path, make_pdf: Make, place: Place
) -> None:
    path = folder / "report.pdf"
    path.write_bytes(make_pdf([place(["The first version of the report."])]))
    run(folder)
    path.write_bytes(make_pdf([[]], pictures=[1]))
    file = next(file for file in run(folder).files if file.path.endswith("report.pdf"))
    assert file.outcome is Outcome.NO_TEXT_LAYER
    assert "the earlier version stays in the index" in file.message
    assert "first version" in store.text_of("report.pdf")
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


def test_a_file_given_twice_is_read_once_and_keeps_its_name(run: Any, store: Any, folder: Path) -> None:
    assert run(folder, folder / "sub" / "b.txt", folder / "sub").added == 2
    names = {document.name for document in store.documents.values()}
    assert names == {"a.md", "b.txt"}
    (folder / "sub" / "b.txt").write_text("New text.")
    run(folder)
    assert {document.name for document in store.documents.values()} == names


def test_a_single_file_is_named_by_itself(run: Any, store: Any, folder: Path) -> None:
    report = run(folder / "sub" / "b.txt")
    assert store.documents[str(folder.resolve() / "sub" / "b.txt")].name == "b.txt"
    assert report.files[0].path == (folder / "sub" / "b.txt").as_posix()


def test_a_readers_own_fault_is_one_line_and_costs_no_other_file(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(path: Path, data: bytes | None = None) -> ReadResult:
        if path.suffix == ".md":
            raise RecursionError("too\ndeep")
        return read_file(path, data)

    monkeypatch.setattr("ingest.pipeline.read_file", read)
    report = run(folder)
    assert [(file.outcome, file.message) for file in report.files] == [
        (Outcome.FAILED, "RecursionError: too deep"),
        (Outcome.OK, ""),
    ]


def test_a_file_that_changes_while_it_is_read_fails(
    run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        data = real(path)
        if path.suffix == ".md":
            with path.open("ab") as file:
                file.write(b"more")
        return data

    monkeypatch.setattr(Path, "read_bytes", read)
    report = run(folder)
    assert outcomes(report) == {"a.md": "failed", "b.txt": "ok"}
    assert "changed while it was being read" in report.files[0].message


def test_the_embedders_own_errors_come_through_and_what_was_done_stays(
    run: Any, store: Any, embedder: Any, folder: Path
) -> None:
    real = embedder.embed_passages

    def embed(texts: list[str]) -> NDArray[np.float32]:
        if any("薬" in text for text in texts):
            raise RuntimeError("out of memory")
        result: NDArray[np.float32] = real(texts)
        return result

    embedder.embed_passages = embed
    with pytest.raises(RuntimeError, match="out of memory"):
        run(folder)
    assert [document.name for document in store.documents.values()] == ["a.md"]
    embedder.embed_passages = real
    report = run(folder)
    assert (report.unchanged, report.added) == (1, 1)


def test_progress_is_told_after_each_file(run: Any, folder: Path) -> None:
    told: list[Progress] = []
    run(folder, on_progress=told.append)
    assert [(each.done, each.total) for each in told] == [(1, 2), (2, 2)]


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
        "message": "",
    }


def test_all_awkward_public_files_are_ingested_in_one_go(run: Any, store: Any, documents: Path) -> None:
    report = run(documents)
    assert report.added >= 38
    assert {file.outcome for file in report.files} >= {Outcome.OK, Outcome.PARTIAL, Outcome.ENCRYPTED}
    assert run(documents).unchanged == report.added
