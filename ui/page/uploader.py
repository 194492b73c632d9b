"""Streamlit's field for files with this page's own texts: its own are in English whatever the language."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from ui.page.here import Here


def uploader_box(
    here: Here, key: str, most_mb: int, kinds: Sequence[str] = ()
) -> AbstractContextManager[Any]:
    """Return the container for one field for files, which says in the page's language what it takes.

    Args:
        here: the page.
        key: of the container.
        most_mb: the limit that is shown, in megabytes.
        kinds: endings of names that are taken; none for any.
    """
    limit = here.say("upload_limit", most=f"{most_mb:,}")
    if kinds:
        limit += " · " + ", ".join(kinds).upper()
    st.html(uploader_style(key, here.say("upload_choose"), limit))
    return st.container(key=key)


def uploader_style(key: str, button: str, limit: str) -> str:
    """Return the style by which the field in a container shows these texts in place of Streamlit's."""
    field = f'.st-key-{key} [data-testid="stFileUploaderDropzone'
    own = f'{field}"] [data-testid="stBaseButton-secondary"] [data-testid="stMarkdownContainer"]'
    told = f'{field}Instructions"]'
    return (
        f"<style>{told} > * {{ display: none; }}"
        # Not shown and yet there: what checks the names of buttons does not count the content of a style.
        f" {own} > * {{ position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }}"
        f" {own}::after {{ font-size: .875rem; content: {css_text(button)}; }}"
        f" {told}::after {{ font-size: .875rem; opacity: .75; content: {css_text(limit)}; }}</style>"
    )


def css_text(text: str) -> str:
    """Return a text as a string of CSS within HTML; nothing in it ends the string or the style."""
    plain = (
        sign if sign.isalnum() or ord(sign) >= 0xA0 or sign == " " else f"\\{ord(sign):x} " for sign in text
    )
    return f'"{"".join(plain)}"'
