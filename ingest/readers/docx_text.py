"""The text of one paragraph of a Word document, as a person reads it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ingest.readers.docx_hidden import is_unseen
from ingest.readers.docx_parts import ALTERNATE, W
from ingest.readers.docx_styles import Styles, is_on, value

_MC = ALTERNATE.removesuffix("AlternateContent")
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# The reading of furigana, what was deleted or moved away, properties, and what is in text boxes (which
# are blocks of their own).
_NOT_TEXT = frozenset(
    f"{W}{name}" for name in ("rt", "rPr", "pPr", "sdtPr", "del", "moveFrom", "txbxContent", "rubyPr", "tblPr")
) | {f"{_M}{name}" for name in ("rPr", "fPr", "sSupPr", "sSubPr", "ctrlPr")}  # fmt: skip
_PAGE_FIELDS = frozenset({"PAGE", "NUMPAGES", "SECTIONPAGES"})
# Furigana as older versions wrote it: the field EQ draws the reading above the base.
_DRAWN_ABOVE = re.compile(
    r"\\o\b.*?\\s\\up\s*\d*\s*\((?P<reading>[^()]*)\)\s*[,;]\s*(?P<base>.+?)\)\s*$", re.DOTALL
)
_SYMBOL_FONT = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "αβχδεφγηιϕκλμνοπθρστυϖωξψζΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ",
        strict=True,
    )
) | {"\xb0": "°", "\xb1": "±", "\xb3": "≥", "\xa3": "≤", "\xb4": "×", "\xb8": "÷", "\xb9": "≠", "\xae": "→",
     "\xac": "←", "\xad": "↑", "\xaf": "↓", "\xa5": "∞", "\xb7": "•", "\xbb": "≈", "\xd6": "√", "\xd7": "⋅",
     "\xe5": "∑", "\xd2": "®", "\xd3": "©", "\xd4": "™", "\xb6": "∂", "\xf2": "∫", "\xce": "∈"}  # fmt: skip
_WINGDINGS = {0xFE: "☑", 0xFD: "☒", 0xA8: "☐", 0x6F: "☐", 0xFC: "✓", 0xFB: "✗", 0x6C: "●", 0x6E: "■", 0xA7: "▪",
              0xE0: "→", 0xE8: "→", 0xF0: "⇨", 0xD8: "➢", 0x76: "❖", 0x4A: "☺", 0xDF: "←", 0xE1: "↑", 0xE2: "↓",
              0x28: "☎", 0x2A: "✉"}  # fmt: skip
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(slots=True)
class _Field:
    instruction: str = ""
    result: bool = False


class Inline:
    """Reads paragraphs. `note` gives the mark for a reference to a note, from its tag and its id.

    With `page_numbers` False the numbers of pages are left out, as in running heads.
    """

    def __init__(
        self, styles: Styles, note: Callable[[str, str], str] | None = None, *, page_numbers: bool = True
    ) -> None:
        self._styles = styles
        self._note = note
        self._dropped = frozenset() if page_numbers else _PAGE_FIELDS
        self._fields: list[_Field] = []
        self._pieces: list[str] = []
        self.hidden = 0
        """Characters, without white space, of text that no reader of the document sees."""

    def text(self, paragraph: Any) -> str:
        """Return the text of a paragraph, without white space at its ends."""
        self._fields, self._pieces = [], []
        style = value(paragraph.find(f"{W}pPr/{W}pStyle")) or self._styles.default
        self._walk(paragraph, self._styles.is_hidden(style))
        return "".join(self._pieces).strip()

    def _walk(self, element: Any, hidden: bool) -> None:
        for child in element:
            tag = child.tag
            if tag in _NOT_TEXT or not isinstance(tag, str):
                continue
            if tag == f"{W}r":
                self._walk(child, self._is_hidden(child, hidden))
            elif tag == f"{W}fldChar":
                self._field(child.get(f"{W}fldCharType"))
            elif tag == f"{W}instrText":
                if self._fields and not self._fields[-1].result:
                    self._fields[-1].instruction += child.text or ""
            elif tag == f"{W}fldSimple":
                if _name(child.get(f"{W}instr", "")) not in self._dropped:
                    self._walk(child, hidden)
            elif tag == f"{W}sdt":
                if not is_prompt(child):
                    self._walk(child, hidden)
            elif tag == ALTERNATE:
                self._walk(chosen(child), hidden)
            elif hidden or self._is_instruction():
                if hidden and tag == f"{W}t" and not self._is_instruction():
                    self.hidden += len("".join((child.text or "").split()))
                # Fields are followed through hidden runs too; nothing else counts there.
                if not tag.startswith(W) or len(child):
                    self._walk(child, hidden)
            elif tag == f"{_M}oMath":
                self._pieces.append(_math(child))
            elif (piece := self._leaf(child, tag)) is not None:
                self._pieces.append(piece)
            else:
                self._walk(child, hidden)

    def _is_hidden(self, run: Any, hidden: bool) -> bool:
        properties = run.find(f"{W}rPr")
        if is_unseen(run, self._styles):
            return True
        own = is_on(properties, "vanish")
        if own is not None:
            return own
        style = None if properties is None else value(properties.find(f"{W}rStyle"))
        return hidden or (style is not None and self._styles.is_hidden(style))

    def _is_instruction(self) -> bool:
        return any(not field.result or _name(field.instruction) in self._dropped for field in self._fields)

    def _field(self, kind: str | None) -> None:
        if kind == "begin":
            self._fields.append(_Field())
        elif not self._fields:
            return
        elif kind == "separate":
            self._fields[-1].result = True
        elif kind == "end":
            field = self._fields.pop()
            if not field.result and _name(field.instruction) == "EQ" and not self._is_instruction():
                match = _DRAWN_ABOVE.search(field.instruction)
                self._pieces.append(match.group("base") if match else "")

    def _leaf(self, element: Any, tag: str) -> str | None:
        """Return what an element stands for, or None for one that holds others."""
        name = tag.rpartition("}")[2]
        if not tag.startswith(W):
            return element.get("string", "") if name == "textpath" else None
        if name == "t":
            return element.text or ""
        if name in ("tab", "ptab"):
            return "\t"
        if name in ("br", "cr"):
            return "\n"
        if name == "noBreakHyphen":
            return "-"
        if name == "sym":
            return symbol(element.get(f"{W}font", ""), element.get(f"{W}char", ""))
        if name in ("footnoteReference", "endnoteReference"):
            return self._note(name, element.get(f"{W}id", "")) if self._note else ""
        return None


def superscript(number: int) -> str:
    """Return a number in raised figures, the mark of a note."""
    return str(number).translate(_SUPERSCRIPT)


def symbol(font: str, code: str) -> str:
    """Return the character that a symbol font shows for a code; "•" for an ornament without one."""
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    low = number & 0xFF if 0xF000 <= number <= 0xF0FF else number
    if font.lower().startswith("symbol"):
        return _SYMBOL_FONT.get(chr(low), chr(low))
    if "dings" in font.lower():
        return _WINGDINGS.get(low, "•")
    return "•" if 0xE000 <= number <= 0xF8FF or not 0x20 <= number <= 0x10FFFF else chr(number)


def chosen(alternate: Any) -> Any:
    """Return the one of several renderings of the same thing that is read."""
    choice = alternate.find(f"{_MC}Choice")
    fallback = alternate.find(f"{_MC}Fallback")
    return choice if choice is not None and len(choice) else fallback if fallback is not None else ()


def is_prompt(control: Any) -> bool:
    """Tell whether a content control (w:sdt) shows only the request to write something there."""
    return is_on(control.find(f"{W}sdtPr"), "showingPlcHdr") is True


def outermost(element: Any, tag: str) -> Iterator[Any]:
    """Yield the highest descendants with a tag outside of tables, each drawing once."""
    for child in element:
        if child.tag == ALTERNATE:
            yield from outermost(chosen(child), tag)
        elif child.tag == tag:
            yield child
        elif child.tag != f"{W}tbl":
            yield from outermost(child, tag)


def _name(instruction: str) -> str:
    words = instruction.split(maxsplit=1)
    return words[0].upper() if words else ""


def _math(element: Any) -> str:
    """Return a formula in one line: fractions with a slash, powers with ^, indices with _."""
    pieces = []
    for child in element:
        name = str(child.tag).rpartition("}")[2]
        if child.tag in _NOT_TEXT:
            continue
        if child.tag in (f"{_M}t", f"{W}t"):
            pieces.append(child.text or "")
        elif name == "chr":
            pieces.append(child.get(f"{_M}val", ""))
        elif name == "f":
            pieces.append("/".join(_grouped(_math(part)) for part in child if part.tag not in _NOT_TEXT))
        elif name in ("sup", "sub"):
            pieces.append(("^" if name == "sup" else "_") + _grouped(_math(child)))
        elif name == "d":
            pieces.append(f"({_math(child)})")
        elif name == "rad":
            pieces.append("√" + _grouped(_math(child)))
        else:
            pieces.append(_math(child))
    return "".join(pieces)


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or text.isalnum() else f"({text})"
