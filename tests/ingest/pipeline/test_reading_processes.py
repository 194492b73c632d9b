"""A file may crash, hang or eat memory; it costs only itself."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from ingest.blocks import Outcome
from ingest.discover import hash_file
from ingest.pool import Limits, Reader
from ingest.prepare import Prepared
from ingest.worker import Refusal, Request
from tests.ingest.faults import count_with_faults
from tests.ingest.pipeline.conftest import outcomes

_LIMITS = Limits(seconds=20, memory=512 * 2**20)


def request(path: Path) -> Request:
    return Request(path, str(path), path.name, hash_file(path))


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("CRASH", "broke down on it (signal 11)"),
        ("EXIT", "broke down on it (exit code 7)"),
        ("EAT", "needs more memory"),
        ("RAISE", "ValueError: of the reader's own making"),
        ("DEEP", "nested too deeply"),
    ],
)
def test_a_reader_that_fails_costs_only_its_file(
    run: Any, texts: Any, tmp_path: Path, word: str, message: str
) -> None:
    for name, text in (("a.txt", "Before."), ("b.txt", f"Do {word} now."), ("c.txt", "After.")):
        (tmp_path / name).write_text(text)
    files = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    report = run(*files, count_tokens=count_with_faults, limits=_LIMITS)
    assert outcomes(report) == {"a.txt": "ok", "b.txt": "failed", "c.txt": "ok"}
    assert message in report.files[1].message
    assert "\n" not in report.files[1].message
    assert (report.exit_code, set(texts()) - {"b.txt"}) == (3, {"a.txt", "c.txt"})


def test_a_reader_that_hangs_is_ended_and_not_tried_again_until_it_may_take_longer(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow.txt").write_text("HANG")
    (tmp_path / "quick.txt").write_text("Quick.")
    files = [tmp_path / "slow.txt", tmp_path / "quick.txt"]
    began = time.monotonic()
    report = run(*files, count_tokens=count_with_faults, limits=Limits(seconds=2))
    assert time.monotonic() - began < 60
    assert outcomes(report) == {"slow.txt": "failed", "quick.txt": "ok"}
    assert "not read within 2 seconds" in report.files[0].message
    with monkeypatch.context() as patched:
        patched.setattr("ingest.pool.Reader.read", None)
        again = run(*files, count_tokens=count_with_faults, limits=Limits(seconds=2))
    assert outcomes(again) == {"slow.txt": "failed", "quick.txt": "unchanged"}
    assert again.failed == 1
    (tmp_path / "slow.txt").write_text("No longer.")
    assert outcomes(run(*files, count_tokens=count_with_faults, limits=Limits(seconds=2)))["slow.txt"] == "ok"


def test_what_a_library_prints_does_not_get_between_the_answers(make_plan: Any, tmp_path: Path) -> None:
    (tmp_path / "chatty.txt").write_text("PRINT this.")
    reader = Reader(make_plan(count_tokens=count_with_faults).preparation, _LIMITS)
    try:
        assert isinstance(reader.read(request(tmp_path / "chatty.txt")), Prepared)
        assert isinstance(reader.read(request(tmp_path / "chatty.txt")), Prepared)
    finally:
        reader.close()


def test_closing_ends_the_process_also_while_it_reads(make_plan: Any, tmp_path: Path) -> None:
    (tmp_path / "slow.txt").write_text("HANG")
    reader = Reader(make_plan(count_tokens=count_with_faults).preparation, Limits(seconds=60))
    replies: list[Any] = []
    others = set(psutil.Process(os.getpid()).children())
    thread = threading.Thread(target=lambda: replies.append(reader.read(request(tmp_path / "slow.txt"))))
    thread.start()
    deadline = time.monotonic() + 20
    while (
        not (children := set(psutil.Process(os.getpid()).children()) - others) and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert children
    reader.close()
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(replies[0], Refusal)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert reader.read(request(tmp_path / "slow.txt")).outcome is Outcome.FAILED  # type: ignore[union-attr]


def test_files_and_texts_beyond_the_limits_are_refused_with_the_setting_to_raise(
    run: Any, tmp_path: Path
) -> None:
    (tmp_path / "big.txt").write_text("word " * 500_000)
    (tmp_path / "small.txt").write_text("A few words.")
    report = run(tmp_path, largest_file=2 * 2**20)
    assert outcomes(report) == {"big.txt": "failed", "small.txt": "ok"}
    assert "max_file_mb" in report.files[0].message
    report = run(tmp_path, longest_text=100_000)
    assert "max_characters" in report.files[0].message


def test_several_processes_read_what_one_reads(run: Any, texts: Any, tmp_path: Path) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    for number in range(40):
        (root / f"{number:02d}.txt").write_text(f"Text of file {number}.")
    told: list[int] = []
    report = run(root, readers=3, on_progress=lambda progress: told.append(progress.done))
    assert (report.added, told[-1]) == (40, 40)
    assert [Path(file.path).name for file in report.files] == [f"{number:02d}.txt" for number in range(40)]
    assert texts()["17.txt"] == "Text of file 17."
