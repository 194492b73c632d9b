"""A file is the old one or the new one, whole, whatever happens while it is written."""

from pathlib import Path

import pytest

from retrieval.errors import TekioError
from retrieval.whole_files import write_whole


def test_a_file_is_made_with_its_folder_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept.json"
    for text in ("古い\n", "new\n"):
        write_whole(path, text)
        assert path.read_text("utf-8") == text
    assert [each.name for each in path.parent.iterdir()] == ["kept.json"]


def test_what_cannot_be_written_leaves_the_old_file_and_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    write_whole(path, "old")
    (tmp_path / "kept.json.new").mkdir()  # in the way
    with pytest.raises(TekioError, match=r"cannot write .*kept\.json"):
        write_whole(path, "new")
    assert path.read_text("utf-8") == "old"
