"""What the Office Open XML formats have in common: the relations between parts, and what a file says of itself."""

from __future__ import annotations

import posixpath
import re
import zipfile
from typing import Any

from ingest.blocks import ReadResult
from ingest.readers.archive import BAD_ZIP, member
from ingest.readers.meta import iso_date, key_words, language_code
from ingest.readers.xml import local_name, parse_xml

DAMAGED_PROPERTIES = "its title, authors and dates are damaged and were not read"


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the relations of a part: id → (last word of the type, name of the target member).

    Targets outside of the file are left out.
    """
    folder, name = posixpath.split(part)
    data = member(archive, posixpath.join(folder, "_rels", f"{name}.rels"))
    found: dict[str, tuple[str, str]] = {}
    for entry in parse_xml(data) if data is not None else ():
        if local_name(entry) != "Relationship" or entry.get("TargetMode") == "External":
            continue
        target = posixpath.normpath(posixpath.join("/" + folder, entry.get("Target") or "")).lstrip("/")
        found[entry.get("Id") or ""] = (entry.get("Type", "").rpartition("/")[2], target)
    return found


def main_part(archive: zipfile.ZipFile, usual: str) -> str:
    """Return the name of a file's main part: what the file says, else the usual name."""
    for kind, target in relations(archive, "").values():
        if kind == "officeDocument":
            return target
    return usual


def core_properties(archive: zipfile.ZipFile, result: ReadResult) -> None:
    """Take over what a file says of itself: title, authors, dates, key words and language.

    Damaged properties are worth a warning, not the text.
    """
    for kind, target in relations(archive, "").values():
        if kind != "core-properties":
            continue
        try:
            data = member(archive, target)
            root = None if data is None else parse_xml(data)
        except (SyntaxError, *BAD_ZIP):  # the errors of lxml are of the first kind
            result.warnings.append(DAMAGED_PROPERTIES)
            continue
        if root is not None:
            take_properties(root, result)


def take_properties(root: Any, result: ReadResult) -> None:
    """Fill a result from elements with Dublin Core names, as Office and OpenDocument files have them.

    What the result says already stays. Key words become `tags["keywords"]`, the subject `tags["subject"]`.
    """
    values: dict[str, list[str]] = {}
    for entry in root:
        text = " ".join((entry.text or "").split()) if isinstance(entry.tag, str) else ""
        if text:
            values.setdefault(local_name(entry), []).append(text)
    first = {name: texts[0] for name, texts in values.items()}
    result.title = result.title or first.get("title")
    result.created = result.created or iso_date(first.get("created") or first.get("creation-date"))
    result.modified = result.modified or iso_date(first.get("modified") or first.get("date"))
    # The one who wrote it first goes before the one who saved it last.
    authors = split_names(first.get("initial-creator") or first.get("creator") or "")
    result.authors = result.authors or authors
    words = [
        word for text in [*values.get("keywords", []), *values.get("keyword", [])] for word in key_words(text)
    ]
    if words:
        result.tags.setdefault("keywords", tuple(dict.fromkeys(words)))
    if subject := first.get("subject"):
        result.tags.setdefault("subject", (subject,))
    result.language = result.language or language_code(first.get("language"))


def split_names(text: str) -> tuple[str, ...]:
    """Return the names in an author field; only semicolons part them, a comma stands in "Sato, Taro"."""
    return tuple(name.strip() for name in re.split(r"[;；\n]", text) if name.strip())
