"""The texts of the ways in: each is there in every language, with the same values, and is used."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

import ui
from ui.locales import LANGUAGES, catalogue_file, label

UI = Path(ui.__file__).parent


@cache
def texts(language: str) -> dict[str, str]:
    with catalogue_file(language).open("rb") as file:
        return {str(message.id): str(message.string) for message in read_po(file) if message.id}


@cache
def sources() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in UI.rglob("*.py"))


def names(node: ast.expr) -> Iterator[str]:
    """Name the keys that an expression may give; what is filled in at run time is `*`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from names(node.body)
        yield from names(node.orelse)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def calls() -> list[tuple[str, set[str]]]:
    """Return what is asked for a text with: its key, and the names of the values."""
    return [
        (name, {keyword.arg for keyword in node.keywords if keyword.arg})
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("label", "here.say")
        for name in names(node.args[0])
    ]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_that_is_asked_for_is_there_and_gets_the_values_it_shows() -> None:
    held = texts("en")
    asked = calls()
    assert len(asked) > 50
    for name, values in asked:
        found = [key for key in held if fnmatchcase(key, name)]
        assert found, f"no text is named {name}"
        if "*" not in name:
            assert placeholders(held[name]) == values, name


def test_every_text_is_used() -> None:
    patterns = {name for name, _ in calls() if "*" in name}
    constants = {
        node.value
        for module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    from kernel.techniques import Technique

    used = constants | set(Technique)
    unused = [
        key
        for key in texts("en")
        if key not in used and not any(fnmatchcase(key, pattern) for pattern in patterns)
    ]
    assert unused == []


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_has_every_text_with_the_same_values(language: str) -> None:
    english, own = texts("en"), texts(language)
    assert own.keys() == english.keys()
    assert [key for key, text in own.items() if not text.strip()] == []
    assert {key: placeholders(text) for key, text in own.items()} == {
        key: placeholders(text) for key, text in english.items()
    }


def test_a_text_in_japanese_is_written_in_japanese() -> None:
    untranslated = {key for key, text in texts("ja").items() if text == texts("en")[key]}
    assert not untranslated


def test_a_text_that_is_missing_is_an_error_and_not_its_own_key() -> None:
    with pytest.raises(KeyError, match="nonesuch"):
        label("nonesuch", "ja")


def test_values_are_filled_in_and_any_other_language_is_english() -> None:
    assert label("page", "ja", page=3) == "3ページ"
    assert label("page", "fr", page=3) == "p. 3"
