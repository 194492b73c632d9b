"""Texts that are there in several languages."""

from __future__ import annotations

from collections.abc import Mapping


def in_language(texts: Mapping[str, str], language: str, **values: object) -> str:
    """Return a text in a language, in English where there is none, with values in its places."""
    return texts.get(language, texts["en"]).format(**values)
