"""The folder of uploads: names are cleaned, and nothing of them reaches the disk."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from kernel.library.uploads import LONGEST_NAME, TooLargeError, UploadFolder, clean_name


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../x", "x"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\mori\\pay.xlsx", "Users/mori/pay.xlsx"),
        ("..\\..\\windows\\win.ini", "windows/win.ini"),
        ("a/./b//c.md", "a/b/c.md"),
        ("\u202egpj.exe\u0000.txt", "gpj.exe .txt"),
        ("用語\n集.md", "用語 集.md"),
        (".txt", "document.txt"),
        ("...", "document"),
        ("", "document"),
        ("\ud800.txt", "document.txt"),
        ("ガ.md", "ガ.md"),
    ],
)
def test_names_are_cleaned(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_name("長" * 1000 + ".pdf")
    assert len(name) == LONGEST_NAME
    assert name.endswith("長.pdf")


@pytest.mark.parametrize("given", ["../../x.txt", "/tmp/y.txt", "a.T\u0000X/T", "x." + "y" * 300])
def test_whatever_the_name_the_file_lies_in_the_folder(tmp_path: Path, given: str) -> None:
    folder = UploadFolder(tmp_path / "uploads", 100)
    with folder.receiving(given, io.BytesIO(b"text")) as coming:
        path = folder.keep(coming)
    assert path.parent == tmp_path / "uploads"
    assert path.stem.isalnum()
    assert path.read_bytes() == b"text"
    assert folder.holds(path)
    assert [each.name for each in tmp_path.iterdir()] == ["uploads"]


def test_what_is_not_kept_leaves_nothing(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path / "uploads", 10)
    with folder.receiving("a.txt", io.BytesIO(b"text")) as coming:
        assert coming.size == 4
    with (
        pytest.raises(TooLargeError, match="max_upload_mb"),
        folder.receiving("b.txt", io.BytesIO(b"x" * 11)),
    ):
        pass
    assert list((tmp_path / "uploads").iterdir()) == []


def test_only_uploads_are_deleted(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path / "uploads", 10)
    other = tmp_path / "other.txt"
    other.write_text("somebody else's")
    assert not folder.delete(other)
    assert not folder.delete(tmp_path / "uploads" / ".." / "other.txt")
    assert other.exists()
