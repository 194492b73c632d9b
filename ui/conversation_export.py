"""A conversation to take away: Markdown, JSON, PDF.

Texts of documents and models are plain text there too: in Markdown what could be markup is escaped, in the PDF nothing
is read as any.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from kernel.answer import Answer
from kernel.conversations import kept_answer
from plugins.memory.conversations import Conversation, KeptTurn
from retrieval.errors import UsageError
from ui.answer_text import source_line
from ui.composed_text import lines as composed_lines
from ui.locales import label
from ui.plaintext import one_line, plain

MEDIA_TYPES = {"markdown": "text/markdown", "json": "application/json", "pdf": "application/pdf"}
SUFFIXES = {"markdown": "md", "json": "json", "pdf": "pdf"}

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!$])")
_LINE_START = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)", re.MULTILINE)
_MARKER = re.compile(r"\\\[(\d{1,3}|\?)\\\]")
_FONT = "TekioExport"


def exported(conversation: Conversation, turns: Sequence[KeptTurn], form: str, language: str) -> bytes:
    """Return a conversation in a form, with the sources of its answers.

    Args:
        conversation: its title and dates.
        turns: what was said.
        form: `markdown`, `json` or `pdf`.
        language: of the words around it.

    Raises:
        UsageError: the form is none, or what writes PDF is not installed.
    """
    if form == "json":
        return (json.dumps(as_json(conversation, turns), ensure_ascii=False, indent=2) + "\n").encode()
    if form == "markdown":
        return as_markdown(conversation, turns, language).encode()
    if form == "pdf":
        return as_pdf(conversation, turns, language)
    raise UsageError(f"a conversation is exported as {', '.join(MEDIA_TYPES)}, not '{form[:20]}'")


def as_json(conversation: Conversation, turns: Sequence[KeptTurn]) -> dict[str, Any]:
    """Return a conversation as JSON: each turn with its answer as `tekio ask --json` gives it, where it has one."""
    return {
        "conversation": conversation.name,
        "title": conversation.title,
        "at": conversation.at,
        "turns": [
            {
                "question": turn.turn.question,
                "asked": turn.turn.asked,
                "at": turn.at,
                "text": turn.turn.answer,
                "finished": turn.finished,
                "answer": turn.data.get("answer"),
            }
            for turn in turns
        ],
    }


def as_markdown(conversation: Conversation, turns: Sequence[KeptTurn], language: str) -> str:
    """Return a conversation as Markdown."""
    parts = [f"# {_escaped(one_line(conversation.title))}", f"*{conversation.at[:16].replace('T', ' ')} UTC*"]
    for turn in turns:
        parts.append(f"## {_escaped(one_line(turn.turn.question))}")
        parts.append(_escaped(plain(turn.turn.answer).strip()) or f"*{label('stopped_short', language)}*")
        lines = [_escaped(line) for line in _sources(kept_answer(turn), language)]
        if lines:
            parts.append(f"**{label('sources', language)}**\n\n" + "\n".join(f"- {line}" for line in lines))
        if found := _found(turn, language):
            shown = "\n".join(f"> {_escaped(line)}  " for line in found)
            parts.append(f"**{label('how_found', language)}**\n\n{shown}")
    return "\n\n".join(parts) + "\n"


def can_write_pdf() -> bool:
    """Say whether what writes PDF, with a Japanese font to embed, is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("reportlab", "matplotlib_fontja"))


def as_pdf(conversation: Conversation, turns: Sequence[KeptTurn], language: str) -> bytes:
    """Return a conversation as PDF; the font, which has Japanese, is embedded, so that it reads anywhere.

    Raises:
        UsageError: what writes PDF is not installed.
    """
    if not can_write_pdf():
        raise UsageError(
            "a PDF needs reportlab and a Japanese font: pip install 'tekio[pdf]'; Markdown and JSON need nothing"
        )
    from reportlab.lib.colors import HexColor
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    _register_font()
    usual = ParagraphStyle("text", fontName=_FONT, fontSize=10, leading=17, wordWrap="CJK", spaceAfter=4)
    styles = {
        "title": ParagraphStyle("title", usual, fontSize=16, leading=24),
        "question": ParagraphStyle(
            "question", usual, fontSize=12, leading=19, spaceBefore=12, textColor=HexColor("#1f5652")
        ),
        "text": usual,
        "small": ParagraphStyle("small", usual, fontSize=8.5, leading=13, textColor=HexColor("#444444")),
    }
    styles["inner"] = ParagraphStyle("inner", styles["small"], leftIndent=10)

    def paragraph(text: str, style: str) -> Paragraph:
        return Paragraph(escape(plain(text).strip()).replace("\n", "<br/>"), styles[style])

    story: list[Any] = [paragraph(one_line(conversation.title), "title")]
    story += [paragraph(conversation.at[:16].replace("T", " ") + " UTC", "small")]
    for turn in turns:
        story.append(paragraph(one_line(turn.turn.question), "question"))
        story.append(paragraph(turn.turn.answer or label("stopped_short", language), "text"))
        lines = _sources(kept_answer(turn), language)
        if lines:
            story += [Spacer(1, 2), paragraph(label("sources", language), "small")]
            story += [paragraph(line, "small") for line in lines]
        if found := _found(turn, language):
            story += [Spacer(1, 2), paragraph(label("how_found", language), "small")]
            story += [paragraph(line, "small" if line[:1] != " " else "inner") for line in found]
    held = BytesIO()
    margin = 20 * mm
    SimpleDocTemplate(
        held,
        pagesize=A4,
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=margin,
        title=one_line(conversation.title),
        creator="Tekio",
    ).build(story)
    return held.getvalue()


def _register_font() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if _FONT not in pdfmetrics.getRegisteredFontNames():
        # Found, not imported: importing it changes the plots of a whole process.
        found = importlib.util.find_spec("matplotlib_fontja")
        assert found is not None
        assert found.submodule_search_locations
        path = Path(found.submodule_search_locations[0]) / "fonts" / "ipaexg.ttf"
        pdfmetrics.registerFont(TTFont(_FONT, str(path)))


def _sources(answer: Answer | None, language: str) -> list[str]:
    if answer is None:
        return []
    return list(dict.fromkeys(source_line(each, language) for each in answer.citations))


def _found(turn: KeptTurn, language: str) -> list[str]:
    """Return how the answer of a turn was found, as lines; nothing where it was not to be told who answered."""
    answer = kept_answer(turn)
    return [] if answer is None or turn.data.get("blind") else composed_lines(answer, language)


def _escaped(text: str) -> str:
    """Return plain text as Markdown that shows it, with the markers as they are."""
    text = _LINE_START.sub(r"\1\\\2", _MARKUP.sub(r"\\\1", text))
    return _MARKER.sub(r"[\1]", text)
