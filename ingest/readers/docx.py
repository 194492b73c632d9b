"""Word documents: the body in its order, notes behind what they explain, running heads once at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.blocks import NO_OPTIONS, Block, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.docx_body import Body
from ingest.readers.docx_numbering import Numbering
from ingest.readers.docx_parts import RELATION_ID, Package, W
from ingest.readers.docx_styles import Styles, is_on
from ingest.readers.docx_text import Inline, superscript

_PAGE_END = re.compile(r"\s*\b(?:page|ページ|頁)[\s\d/–—-]*(?:of[\s\d]*)?$", re.IGNORECASE)
# What is left of a running head when the numbers of the pages are taken out.
_ONLY_PAGES = re.compile(r"(?:pages?|of|p|pp|ページ|頁|\W|\d|_)*", re.IGNORECASE)


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a Word document (.docx, .docm, .dotx, .dotm), transitional or strict.

    Raises:
        ReadError: FAILED for a damaged file, EMPTY for one without text.
    """
    try:
        reading = _Reading(Package(data))
        blocks = [block for block in reading.blocks() if block.text.strip()]
        properties = reading.package.core_properties()
    except RecursionError as error:
        raise ReadError(Outcome.FAILED, "its elements are nested too deeply") from error
    except Exception as error:  # zipfile, zlib and lxml let many errors through
        raise ReadError(Outcome.FAILED, f"damaged Word file: {type(error).__name__}") from error
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text in the document")
    unread = reading.body.unread
    return ReadResult(
        blocks,
        "docx",
        title=properties.title,
        created=properties.created,
        modified=properties.modified,
        authors=properties.authors,
        tags=properties.tags,
        warnings=[f"{unread} files embedded in the text were not read"] if unread else [],
        hidden=reading.inline.hidden,
    )


class _Reading:
    """One pass over a document, with what is gathered on the way: its notes and its running heads."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self._styles = Styles(package.of_kind("styles"))
        self._numbering = Numbering(package.of_kind("numbering"))
        self.inline = Inline(self._styles, self._mark)
        self.body = Body(package, self._styles, self._numbering, self.inline)
        self._notes = {kind: _notes(package.of_kind(f"{kind}s")) for kind in ("footnote", "endnote")}
        self._met: dict[str, list[tuple[str, Any]]] = {"footnote": [], "endnote": []}
        self._numbers = {"footnote": 0, "endnote": 0}
        self._heads: list[str] = []

    def blocks(self) -> Iterator[Block]:
        seen: set[str] = set()
        for element in self.package.children(self.package.main, f"{W}body"):
            for section in element.iter(f"{W}sectPr"):
                self._note_heads(section)
            for block in self.body.blocks([element]):
                if len(block.text) <= 200:
                    seen.add(_folded(block.text))
                yield block
            yield from self._notes_met("footnote")
        yield from self._notes_met("endnote")
        yield from self._running_heads(seen)

    def _mark(self, tag: str, note: str) -> str:
        """Return the mark of a reference to a note, and remember that the note belongs here."""
        kind = tag.removesuffix("Reference")
        element = self._notes[kind].get(note)
        if element is None:
            return ""
        self._numbers[kind] += 1
        mark = superscript(self._numbers[kind])
        mark = mark if kind == "footnote" else f"⁽{mark}⁾"
        self._met[kind].append((mark, element))
        return mark

    def _notes_met(self, kind: str) -> Iterator[Block]:
        while self._met[kind]:
            mark, element = self._met[kind].pop(0)
            for block in self.body.blocks(element):
                if block.text:
                    yield Block(f"{mark} {block.text}" if mark else block.text, block.kind)
                    mark = ""

    def _note_heads(self, section: Any) -> None:
        """Remember the running heads that a section shows."""
        for name in ("headerReference", "footerReference"):
            for reference in section.findall(f"{W}{name}"):
                kind = reference.get(f"{W}type", "default")
                # What is set up for the first page shows only where the section asks for it.
                if kind != "first" or is_on(section, "titlePg"):
                    self._heads.append(reference.get(RELATION_ID, ""))

    def _running_heads(self, seen: set[str]) -> Iterator[Block]:
        """Yield each running head once: those of all sections mostly say the same, or what the body says."""
        targets = {each.id: each.target for each in self.package.relations(self.package.main)}
        inline = Inline(self._styles, self._mark, page_numbers=False)
        body = Body(self.package, self._styles, self._numbering, inline)
        for target in dict.fromkeys(targets[head] for head in self._heads if head in targets):
            for block in body.blocks(self.package.xml(target)):
                text = _PAGE_END.sub("", block.text)
                # The heads of chapters often differ in nothing but a number of the page.
                folded, alike = _folded(text), re.sub(r"\d+", "#", _folded(text))
                if not {folded, alike} & seen and not _ONLY_PAGES.fullmatch(text):
                    seen.add(alike)
                    yield Block(text, block.kind)


def _folded(text: str) -> str:
    return "".join(text.split()).casefold()


def _notes(root: Any | None) -> dict[str, Any]:
    """Return the notes of a part by their id, without the separators."""
    if root is None:
        return {}
    return {note.get(f"{W}id", ""): note for note in root if note.get(f"{W}type", "normal") == "normal"}
