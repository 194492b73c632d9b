"""PowerPoint: a page a slide, its title as heading, its text in reading order, tables, charts and notes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.archive import check_zip
from ingest.readers.damage import damaged
from ingest.readers.ooxml import core_properties
from ingest.readers.pptx_shapes import shape_blocks
from ingest.readers.xml import local_name

if TYPE_CHECKING:
    from pptx.slide import Slide

_TITLE_LEVEL = 2
_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a presentation (.pptx, .pptm, .ppsx, .potx), hidden slides included.

    Raises:
        ReadError: FAILED for a damaged file, EMPTY when no slide holds text.
    """
    check_zip(data)
    with damaged("PowerPoint"):
        from pptx.package import Package

        # Not pptx.Presentation, which refuses shows and templates.
        presentation = Package.open(io.BytesIO(data)).main_document_part.presentation
        slides = list(presentation.slides)
        blocks = [block for number, slide in enumerate(slides, start=1) for block in _slide(slide, number)]
        result = ReadResult(blocks, "pptx", pages=len(slides))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            core_properties(archive, result)
    if not blocks:
        raise ReadError(Outcome.EMPTY, "no text on any slide")
    if result.title in _PLACEHOLDER_TITLES:
        result.title = None
    filled = {block.page for block in blocks}
    result.empty_pages = tuple(number for number in range(1, len(slides) + 1) if number not in filled)
    return result


# What PowerPoint puts there when nobody wrote a title.
_PLACEHOLDER_TITLES = ("PowerPoint Presentation", "PowerPoint プレゼンテーション", "スライド 1", "Slide 1")


def _slide(slide: Slide, page: int) -> Iterator[Block]:
    _unwrap(slide._element)
    title: Any = slide.shapes.title
    heading = " ".join(title.text_frame.text.split()) if title is not None else ""
    if heading:
        # The first slide's title is that of the whole presentation, the others stand below it.
        level = 1 if page == 1 else _TITLE_LEVEL
        yield Block(heading, BlockKind.HEADING, level=level, page=page)
    for block in shape_blocks(slide.shapes, leave_out=None if title is None else title.shape_id):
        yield replace(block, page=page)
    if slide.has_notes_slide:
        frame = slide.notes_slide.notes_text_frame
        lines = (
            [line.strip() for line in frame.text.replace("\v", "\n").split("\n")] if frame is not None else []
        )
        if text := "\n".join(line for line in lines if line):
            yield Block(f"Notes: {text}", page=page)


def _unwrap(slide: Any) -> None:
    """Put shapes that need a newer PowerPoint, such as text with formulas, in place of their alternatives.

    The library sees neither; the second choice is mostly a picture of the first.
    """
    for wrapper in list(slide.iter(f"{_ALTERNATIVES}AlternateContent")):
        parent, choice = wrapper.getparent(), wrapper.find(f"{_ALTERNATIVES}Choice")
        if choice is None or parent is None or local_name(parent) not in ("spTree", "grpSp"):
            continue
        at = parent.index(wrapper)
        for offset, shape in enumerate(list(choice)):
            parent.insert(at + offset, shape)
        parent.remove(wrapper)
