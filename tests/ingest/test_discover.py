"""Which files an ingest is about, and which a folder keeps out of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.discover import discover
from ingest.names import display, key_path, path_key


def names(root: Path) -> set[str]:
    return {file.name for file in discover([root]).files}


def make(root: Path, *files: str) -> None:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_a_folder_says_what_it_keeps_out(tmp_path: Path) -> None:
    make(
        tmp_path,
        "a.txt",
        "b.log",
        "keep.log",
        "build/c.txt",
        "sub/build",
        "sub/d.txt",
        "sub/deep/e.tmp",
        "top/x.txt",
    )
    (tmp_path / ".tekioignore").write_text("# not these\n*.log\n!keep.log\nbuild/\n/top\n**/deep/*.tmp\n")
    assert names(tmp_path) == {"a.txt", "keep.log", "sub/build", "sub/d.txt"}
    (tmp_path / "sub" / ".tekioignore").write_text("!b.log\nd.txt\n")
    make(tmp_path, "sub/b.log")
    assert names(tmp_path) == {"a.txt", "keep.log", "sub/build", "sub/b.log"}


def test_a_broken_ignore_file_ignores_nothing_more(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "b.txt")
    (tmp_path / ".tekioignore").write_bytes(b"[\n\\\n\xff\xfe\nb.txt\n")
    assert names(tmp_path) == {"a.txt"}
    (tmp_path / ".tekioignore").unlink()
    (tmp_path / ".tekioignore").mkdir()
    assert names(tmp_path) == {"a.txt", "b.txt"}


_PART = st.sampled_from(["a", "b", "ab", "a.txt", "b.log", "日本", "x y"])
_PATH = st.lists(_PART, min_size=1, max_size=3).map("/".join)
_PATTERN = st.tuples(
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/", "**/"]),
    st.sampled_from(["a", "b", "*.txt", "a*", "?", "日本", "a/b", "a/**", "**/b", "x y", "[ab]", "ab/a.txt"]),
    st.sampled_from(["", "", "/"]),
).map("".join)


@pytest.mark.skipif(sys.platform == "win32", reason="compares with git on POSIX paths")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths=st.lists(_PATH, min_size=1, max_size=8), patterns=st.lists(_PATTERN, min_size=1, max_size=4))
def test_patterns_mean_what_they_mean_to_git(
    tmp_path_factory: pytest.TempPathFactory, paths: list[str], patterns: list[str]
) -> None:
    root = tmp_path_factory.mktemp("repository")
    for path in paths:
        try:
            make(root, path)
        except OSError:  # a file where a folder should be
            continue
    (root / ".tekioignore").write_text("\n".join(patterns))
    (root / ".gitignore").write_text("\n".join(patterns))
    git = ["git", "-C", str(root), "-c", "core.quotepath=off"]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-o", "-z", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout
    expected = {name for name in listed.split("\0") if name and not name.startswith(".")}
    assert names(root) == expected


def test_names_with_spaces_signs_and_emoji_are_files_like_others(tmp_path: Path) -> None:
    wanted = {
        "two words.txt",
        "#1 report.txt",
        "50% off?.txt",
        "emoji 😀.txt",
        "日本語　名前.txt",
        "a\nb.txt",
    }
    make(tmp_path, *wanted)
    make(tmp_path, "#autosave#", "~$lock.docx", "backup~")
    assert names(tmp_path) == wanted


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_a_name_in_another_encoding_is_shown_readably_and_found_again(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/" + "日本.txt".encode("cp932")
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    (found,) = discover([tmp_path]).files
    assert found.name == "日本.txt"
    found.key.encode()
    assert key_path(found.key) == found.path
    assert key_path(found.key).exists()


@given(st.binary(min_size=1, max_size=30))
def test_a_key_stands_for_its_path_and_can_be_stored(raw: bytes) -> None:
    name = (
        raw.replace(b"\0", b"_").replace(b"/", b"_").replace(b"\\", b"_").decode("utf-8", "surrogateescape")
    )
    path = Path("/folder") / name
    key = path_key(path)
    assert key.encode().decode() == key
    assert key_path(key) == path
    display(name).encode()


def test_links_that_lead_back_and_pipes_neither_hang_nor_double(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "sub/b.txt")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "again.txt").symlink_to("a.txt")
    os.mkfifo(tmp_path / "pipe")
    assert names(tmp_path) == {"a.txt", "sub/b.txt", "self", "pipe"}


def test_an_index_within_the_folder_is_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "a.txt", "index/index.sqlite3", "index/writer.lock", "index/passages.faiss")
    assert names(tmp_path) == {"a.txt"}
