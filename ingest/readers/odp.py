"""OpenDocument presentations: a page a slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.odf import open_odf
from ingest.readers.odf_body import Body
from ingest.readers.odt import numbered_lists
from ingest.readers.xml import attribute, descendants, local_name


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an OpenDocument presentation (.odp).

    Raises:
        ReadError: ENCRYPTED for a file under a password, FAILED for a damaged one, EMPTY without text.
    """
    result = ReadResult([], "odp")
    with open_odf(data, "OpenDocument", result) as root:
        body = Body(numbered_lists(root))
        pages = list(descendants(root, "page"))
        for number, page in enumerate(pages, start=1):
            found = [replace(block, page=number) for block in _slide(page, body, number) if block.text]
            result.blocks += found
            if not found:
                result.empty_pages += (number,)
        result.pages = len(pages)
    if not result.blocks:
        raise ReadError(Outcome.EMPTY, "no text on any slide")
    return result


def _slide(page: Any, body: Body, number: int) -> Iterator[Block]:
    shapes = [shape for shape in page if local_name(shape) not in ("notes", "")]
    # Titles first, wherever they stand in the file.
    shapes.sort(key=lambda shape: attribute(shape, "class") != "title")
    for shape in shapes:
        title = attribute(shape, "class") == "title"
        for block in body.blocks([shape]):
            if title and block.kind is BlockKind.PARAGRAPH and block.text:
                yield Block(" ".join(block.text.split()), BlockKind.HEADING, level=1 if number == 1 else 2)
            else:
                yield block
    for shape in page:
        if local_name(shape) == "notes":
            lines = [block.text for block in body.blocks(shape) if block.text]
            if lines:
                yield Block("Notes: " + "\n".join(lines))
