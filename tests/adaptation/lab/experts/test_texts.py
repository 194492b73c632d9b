"""Texts of domains as windows: what is read, what is held out, and in which order it is learned."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adaptation.lab.experts.texts import in_order, read_domains, texts_hash, windows_of
from retrieval.errors import UsageError

END = 99


def letters(text: str) -> list[int]:
    return [ord(each) for each in text]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_folder_or_a_file_is_a_domain(tmp_path: Path) -> None:
    rows = "\n".join(json.dumps({"text": text}) for text in ("one", "two"))
    folder = write(
        tmp_path,
        {
            "wards/a.md": "\ufefffirst",
            "wards/deep/b.txt": "second",
            "wards/picture.png": "not read",
            "papers.jsonl": rows + "\n\n",
            ".hidden/c.txt": "not read",
        },
    )
    assert read_domains(folder) == {"papers": ["one", "two"], "wards": ["first", "second"]}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no texts"),
        ({"a/b.txt": " \n"}, "holds no texts"),
        ({"a/b.txt": "alone"}, "the domain a .* has 1 text, 2 are the least"),
        ({"a.jsonl": "{"}, "line 1 of .* is no JSON"),
        ({"a.jsonl": '{"text": "x"}\n{"txt": 1}'}, "line 2 of .* has no `text`"),
    ],
)
def test_what_cannot_be_learned_from_is_told(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_domains(write(tmp_path, files))


def test_a_missing_folder_and_a_file_that_is_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        read_domains(tmp_path / "none")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="cannot be read as UTF-8"):
        read_domains(tmp_path)


def test_held_out_texts_are_whole_and_nothing_of_them_is_learned() -> None:
    domains = {"low": [f"{name}" * 9 for name in "abcdefghij"], "high": ["Y" * 7, "Z" * 7]}
    windows = windows_of(domains, letters, END, window=4, share=0.2, seed=3)
    assert len(windows.held_out["low"]) == 2
    assert len(windows.held_out["high"]) == 1
    held = {each for texts in windows.held_out.values() for text in texts for ids in text for each in ids}
    learned = {each for ids in windows.learned for each in ids}
    assert held & learned == {END}
    assert {len(ids) for ids in windows.learned} == {4}
    (text,) = windows.held_out["high"]
    assert [len(ids) for ids in text] == [4, 4]
    assert text[-1][-1] == END
    assert len(windows.held_texts) == 3


def test_a_last_window_of_one_token_is_left_out_as_nothing_is_predicted_in_it() -> None:
    windows = windows_of({"a": ["bbbb", "bbbb"]}, letters, END, window=4, share=0.5, seed=0)
    assert [len(ids) for ids in windows.held_out["a"][0]] == [4]


def test_the_seed_decides_what_is_held_out_and_the_order() -> None:
    domains = {"a": [name * 12 for name in "abcdefghijklmnop"]}
    first, again, other = (
        windows_of(domains, letters, END, window=4, share=0.1, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first.learned != other.learned
    assert texts_hash(domains) == texts_hash(dict(domains))
    assert texts_hash(domains) != texts_hash({"a": domains["a"][1:]})


def test_every_window_is_learned_once_before_any_is_learned_again() -> None:
    learned = [(number,) for number in range(5)]
    order = in_order(learned, 12, seed=0)
    assert order[:5] == learned
    assert sorted(order[5:10]) == learned
    assert order[5:10] != learned
    assert order == in_order(learned, 12, seed=0)
