"""OpenDocument texts: headings, paragraphs, lists, tables, text boxes and footnotes."""

from __future__ import annotations

from typing import Any

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.odf import open_odf
from ingest.readers.odf_body import Body
from ingest.readers.xml import attribute, descendants, local_name


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an OpenDocument text (.odt).

    Raises:
        ReadError: ENCRYPTED for a file under a password, FAILED for a damaged one, EMPTY without text.
    """
    result = ReadResult([], "odt")
    with open_odf(data, "OpenDocument", result) as root:
        body = Body(numbered_lists(root))
        for text in descendants(root, "text"):
            result.blocks += [block for block in body.blocks(text) if block.text]
            break
        result.blocks += body.notes
    if not result.blocks:
        raise ReadError(Outcome.EMPTY, "no text in the document")
    return result


def numbered_lists(root: Any) -> frozenset[str]:
    """Return the names of the list styles whose first level is numbered."""
    found: set[str] = set()
    for style in descendants(root, "list-style"):
        first = next((each for each in style if attribute(each, "level") == "1"), None)
        if first is not None and local_name(first) == "list-level-style-number":
            found.add(attribute(style, "name") or "")
    return frozenset(found)
