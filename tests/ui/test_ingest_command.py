"""What a person is told about an ingest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest.blocks import Outcome
from ingest.pipeline import Progress
from ingest.report import FileReport, IngestReport
from ui.cli import ingest_main

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

given: dict[str, Any] = {}
"""What the facade was asked for last."""

FILES = [
    FileReport("a.md", Outcome.OK, chunks=3),
    FileReport("b.pdf", Outcome.PARTIAL, chunks=2, pages=5, empty_pages=(2, 4)),
    FileReport("c\x1b[2J.pdf", Outcome.NO_TEXT_LAYER),
    FileReport("d.pdf", Outcome.ENCRYPTED, message="needs a password"),
    FileReport("e.md", Outcome.UNCHANGED, chunks=9),
]


@pytest.fixture
def ingest(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    """Run `ingest` over a facade that reports `FILES`; return exit code and both outputs."""

    def work(
        _self: ScriptedTekio,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[Progress], None] | None = None,
        **options: Any,
    ) -> IngestReport:
        given.clear()
        given.update(options)
        report = IngestReport()
        for file in FILES:
            report.add(file, named=False, known=False)
            assert on_progress is not None
            on_progress(Progress(len(report.files), len(FILES), file))
        return report

    monkeypatch.setattr(scripted, "ingest", work)

    def run(*args: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as ended:
            ingest_main(list(args))
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return run


def test_part_of_the_work_failed(ingest: Callable[..., tuple[object, str, str]]) -> None:
    code, out, err = ingest("docs")
    assert code == 3
    assert out.splitlines()[0] == "added 2  updated 0  unchanged 1  removed 0  failed 2"
    assert "2 of 5 pages without text: 2, 4" in out
    assert "--ocr" in out
    assert "needs a password\tgive its password by --passwords-file" in out
    assert "a.md" not in out  # nothing to say about what went well
    assert "e.md" not in out
    assert "\x1b" not in out + err
    assert "5 of 5 files, 5 chunks" in err


def test_json_is_the_report(ingest: Callable[..., tuple[object, str, str]]) -> None:
    code, out, _ = ingest("docs", "--json")
    report = json.loads(out)
    assert code == 3
    assert (report["added"], report["failed"], len(report["files"])) == (2, 2, len(FILES))


def test_a_terminal_gets_a_bar(
    ingest: Callable[..., tuple[object, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    code, _, err = ingest("docs")
    assert code == 3
    assert "5 chunks" in err
    assert "\x1b[2J" not in err


def test_no_paths_is_wrong_usage(ingest: Callable[..., tuple[object, str, str]]) -> None:
    code, _, err = ingest()
    assert code == 2
    assert err.startswith("ingest: ")
    assert len(err.splitlines()) == 1


def test_what_was_asked_for_reaches_the_ingest(
    ingest: Callable[..., tuple[object, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "passwords").write_text("\ufeff合言葉 😀\n\n with spaces \n")
    ingest(
        *("docs", "--tag", "ward=icu", "--tag", "ward=er", "--tag", "年=2026", "--no-prune", "--ocr"),
        *("--password", "first", "--passwords-file", str(tmp_path / "passwords")),
    )
    assert given["tags"] == {"ward": ("icu", "er"), "年": ("2026",)}
    assert (given["prune"], given["ocr"]) == (False, True)
    assert given["passwords"] == ["first", "合言葉 😀", " with spaces "]
    ingest("docs")
    assert (given["tags"], given["prune"], given["ocr"], given["passwords"]) == ({}, None, None, [])
    assert (given["engine"], given["address"]) == ("local", None)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tag", "ward"],
        ["--tag", "=icu"],
        ["--tag", "a b=c"],
        ["--passwords-file", "missing"],
        ["--passwords-file", "empty"],
        ["--passwords-file", "utf16"],
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_ingested(
    ingest: Callable[..., tuple[object, str, str]],
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("\n\n")
    Path("utf16").write_bytes("秘密".encode("utf-16"))
    given.clear()
    code, out, err = ingest("docs", *arguments)
    assert (code, out, given) == (2, "", {})
    assert len(err.splitlines()) == 1
    assert "秘密" not in err
