"""An answer as it is copied: plain text with its markers, and the sources that they name below it."""

from __future__ import annotations

from html import escape

from kernel.answer import Answer
from ui.chat_view import source_name
from ui.locales import label
from ui.plaintext import plain


def copied_text(answer: Answer, language: str) -> str:
    """Return an answer with its markers as `[1]`, and below it a line for each source: marker, document, page."""
    text = plain(answer.answer).strip()
    cited = sorted(answer.citations, key=lambda each: (each.marker, each.page or 0))
    lines = [f"[{each.marker}] {source_name(each.document, each.page, language)}" for each in cited]
    if not lines:
        return text
    return "\n".join([text, "", label("sources", language), *dict.fromkeys(lines)])


def attribute(text: str) -> str:
    """Return a text as an attribute of HTML, for `decodeURIComponent`.

    What cleans the HTML in the browser drops an attribute that could end a comment or a tag, so no `<` and `>` stay.
    """
    for sign in "%<>":
        text = text.replace(sign, f"%{ord(sign):02X}")
    return escape(text, quote=True)
