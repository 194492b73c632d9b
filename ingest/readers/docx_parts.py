"""The package that a Word document is: its parts, how they refer to each other, and its core properties."""

from __future__ import annotations

import io
import posixpath
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ingest.readers.meta import iso_date, key_words

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{W}val"
RELATION_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_DC = "{http://purl.org/dc/elements/1.1/}"
_TERMS = "{http://purl.org/dc/terms/}"
_CORE = "{http://schemas.openxmlformats.org/package/2006/metadata/core-properties}"
# The strict form of the format says the same in other namespaces.
_STRICT = (
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", W[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", RELATION_ID[1:-3].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
)  # fmt: skip
_BODY = "p tbl sdt sectPr ins moveTo customXml smartTag altChunk"
_BLOCKS = (*(f"{W}{name}" for name in _BODY.split()), ALTERNATE)
_LARGEST = 1 << 29
"""Bytes that one part may unfold to; a text of this size has no use as one document."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A part that another part refers to: by `id`, as a `kind` such as "styles" or "header"."""

    id: str
    kind: str
    target: str


@dataclass(slots=True)
class CoreProperties:
    """What a document says of itself, see `ReadResult`."""

    title: str | None = None
    created: str | None = None
    modified: str | None = None
    authors: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Package:
    """The parts of a Word document.

    Raises:
        zipfile.BadZipFile, KeyError, ValueError, lxml.etree.XMLSyntaxError: from any method, where the
            file is damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = set(self._archive.namelist())
        self.main = next(
            (each.target for each in self.relations("") if each.kind == "officeDocument"), "word/document.xml"
        )

    def relations(self, part: str) -> list[Relation]:
        """Return what a part refers to inside of the package; "" is the package itself."""
        folder, name = posixpath.split(part)
        found = posixpath.join(folder, "_rels", f"{name}.rels")
        if found not in self._names:
            return []
        return [
            Relation(
                each.get("Id", ""),
                each.get("Type", "").rsplit("/", 1)[-1],
                posixpath.normpath(posixpath.join("/", folder, each.get("Target", ""))).lstrip("/"),
            )
            for each in self.xml(found).iter(_RELATION)
            if each.get("TargetMode") != "External"
        ]

    def of_kind(self, kind: str) -> Any | None:
        """Return the root of the part that the main part refers to as `kind`, or None."""
        for each in self.relations(self.main):
            if each.kind == kind and each.target in self._names:
                return self.xml(each.target)
        return None

    def xml(self, part: str) -> Any:
        """Return the root element of a part."""
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        return etree.fromstring(self._bytes(part), parser)

    def children(self, part: str, parent: str) -> Iterator[Any]:
        """Yield the children of the body of a part one by one; each is taken off the tree afterwards."""
        from lxml import etree

        events = etree.iterparse(
            io.BytesIO(self._bytes(part)),
            tag=_BLOCKS,
            resolve_entities=False,
            no_network=True,
            huge_tree=True,
        )
        for _, element in events:
            above = element.getparent()
            if above is None or above.tag != parent:
                continue
            yield element
            element.clear()
            while element.getprevious() is not None:
                del above[0]

    def core_properties(self) -> CoreProperties:
        """Return the core properties; empty ones where the file has none."""
        for each in self.relations(""):
            if each.kind == "core-properties" and each.target in self._names:
                return _core(self.xml(each.target))
        return CoreProperties()

    def _bytes(self, part: str) -> bytes:
        if self._archive.getinfo(part).file_size > _LARGEST:
            raise ValueError("a part of it is too large")
        data = self._archive.read(part)
        if b"http://purl.oclc.org/ooxml/" in data[:4096]:
            for strict, usual in _STRICT:
                data = data.replace(strict, usual)
        return data


def _core(root: Any) -> CoreProperties:
    def said(name: str) -> str:
        return " ".join((root.findtext(name) or "").split())

    tags = {"keywords": key_words(said(f"{_CORE}keywords")), "category": key_words(said(f"{_CORE}category"))}
    return CoreProperties(
        title=said(f"{_DC}title") or None,
        created=iso_date(said(f"{_TERMS}created")),
        modified=iso_date(said(f"{_TERMS}modified")),
        authors=tuple(name.strip() for name in said(f"{_DC}creator").split(";") if name.strip()),
        tags={key: words for key, words in tags.items() if words},
    )
