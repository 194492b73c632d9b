"""EPUB books: the chapters in the order of the spine, each read as a page of HTML."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text
from ingest.readers.archive import BAD_ZIP, check_zip, member
from ingest.readers.damage import damaged
from ingest.readers.meta import iso_date, language_code
from ingest.readers.xml import attribute, child, descendants, local_name, parse_xml

_ENCODING = re.compile(rb"<\?xml[^>]{0,100}encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)")
# Fonts are disguised in many free books; that is no protection of the text.
_FONT_DISGUISES = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
_MARKUP = frozenset({"application/xhtml+xml", "text/html", "application/x-dtbook+xml", ""})


_NOT_TEXT = ["head", "script", "style", "template", "nav", "rt", "rp", "svg", "object", "iframe"]


@dataclass(frozen=True, slots=True)
class _Item:
    path: str
    media_type: str
    properties: str


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an EPUB book. The table of contents, which repeats the headings, is left out.

    Raises:
        ReadError: ENCRYPTED for a book under copy protection, FAILED for a damaged file, EMPTY for one
            without text.
    """
    names = check_zip(data)
    with damaged("EPUB"), zipfile.ZipFile(io.BytesIO(data)) as archive:
        package_path = _package_path(archive, names)
        package = parse_xml(archive.read(package_path))
        items = _items(package, posixpath.dirname(package_path))
        spine, contents = _spine(package, items)
        encrypted = _encrypted(archive)
        if any(item.path in encrypted for item in spine):
            raise ReadError(Outcome.ENCRYPTED, "a book under copy protection (DRM)")
        labels = _labels(archive, [item for item in items.values() if _is_contents(item)])
        result = ReadResult([], "epub")
        for item in spine:
            name = posixpath.basename(item.path)
            try:
                page = member(archive, item.path)
            except BAD_ZIP:
                result.warnings.append(f"a chapter is damaged and was not read: {name}")
                continue
            if page is None:
                result.warnings.append(f"a chapter is missing in the file: {name}")
            elif item.media_type in _MARKUP and item.path not in contents:
                result.blocks += _chapter(page, labels.get(item.path))
        _metadata(package, result)
    if not result.blocks:
        if result.warnings:
            raise ReadError(Outcome.FAILED, f"no chapter could be read: {result.warnings[0]}")
        raise ReadError(Outcome.EMPTY, "no text in the book")
    return result


def _package_path(archive: zipfile.ZipFile, names: frozenset[str]) -> str:
    container = member(archive, "META-INF/container.xml")
    for root in descendants(parse_xml(container), "rootfile") if container is not None else ():
        if (path := unquote(root.get("full-path") or "")) in names:
            return path
    found = sorted(name for name in names if name.endswith(".opf"))
    if not found:
        raise ReadError(Outcome.FAILED, "damaged EPUB file: no list of its contents (.opf)")
    return found[0]


def _items(package: Any, folder: str) -> dict[str, _Item]:
    return {
        entry.get("id") or "": _Item(
            _resolve(folder, entry.get("href") or ""),
            (entry.get("media-type") or "").lower(),
            entry.get("properties") or "",
        )
        for entry in descendants(package, "item")
    }


def _resolve(folder: str, reference: str) -> str:
    path = unquote(reference.partition("#")[0])
    return posixpath.normpath(posixpath.join(folder, path)) if path else ""


def _is_contents(item: _Item) -> bool:
    return "nav" in item.properties.split() or item.media_type == "application/x-dtbncx+xml"


def _spine(package: Any, items: dict[str, _Item]) -> tuple[list[_Item], set[str]]:
    """Return the chapters in reading order, and the paths of those that are only tables of contents."""
    found = [items[key] for entry in descendants(package, "itemref") if (key := entry.get("idref")) in items]
    contents = {item.path for item in found if _is_contents(item)}
    folder_free = {posixpath.basename(item.path): item.path for item in found}
    for entry in descendants(package, "reference"):  # the guide of EPUB 2
        if (entry.get("type") or "").lower() == "toc":
            name = posixpath.basename(unquote((entry.get("href") or "").partition("#")[0]))
            contents.add(folder_free.get(name, ""))
    if contents >= {item.path for item in found}:
        contents = set()
    return list(dict.fromkeys(found)), contents


def _encrypted(archive: zipfile.ZipFile) -> set[str]:
    data = member(archive, "META-INF/encryption.xml")
    found: set[str] = set()
    for entry in descendants(parse_xml(data), "EncryptedData") if data is not None else ():
        method = child(entry, "EncryptionMethod")
        if method is None or method.get("Algorithm") not in _FONT_DISGUISES:
            found |= {unquote(each.get("URI") or "") for each in descendants(entry, "CipherReference")}
    return found


def _labels(archive: zipfile.ZipFile, contents: list[_Item]) -> dict[str, str]:
    """Return the name that the table of contents gives to each chapter file, the first one for each."""
    labels: dict[str, str] = {}
    for item in contents:
        data = member(archive, item.path)
        if data is None:
            continue
        folder = posixpath.dirname(item.path)
        try:
            root = parse_xml(data)
        except SyntaxError:  # lxml's errors are of this kind; the names are a nicety
            continue
        for point in descendants(root, "navPoint", "a"):
            label, target = _point(point)
            if label and target:
                labels.setdefault(_resolve(folder, target), label)
    return labels


def _point(element: Any) -> tuple[str, str]:
    if local_name(element) == "a":
        return " ".join("".join(element.itertext()).split()), element.get("href") or ""
    label, content = child(element, "navLabel"), child(element, "content")
    if label is None or content is None:
        return "", ""
    return " ".join("".join(label.itertext()).split()), content.get("src") or ""


def _chapter(page: bytes, label: str | None) -> list[Block]:
    from bs4 import BeautifulSoup

    from ingest.readers.html_blocks import blocks_of
    from ingest.readers.html_hidden import take_hidden

    said = _ENCODING.match(page[:200])
    text = decode_text(page, said.group(1).decode("ascii") if said else None).text
    # A declaration in the text would speak of bytes that are decoded already.
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", text)
    soup = BeautifulSoup(text, "lxml")
    # Not what the reader of web pages does: a chapter has no menus around it, all of it is the book.
    for tag in soup.find_all(_NOT_TEXT):
        tag.decompose()
    take_hidden(soup)
    blocks = blocks_of(soup.body or soup)
    if blocks and label and all(block.kind is not BlockKind.HEADING for block in blocks):
        if blocks[0].text.strip() == label:
            blocks = blocks[1:]
        return [Block(label, BlockKind.HEADING, level=1), *blocks]
    return blocks


def _metadata(package: Any, result: ReadResult) -> None:
    found = child(package, "metadata")
    values: dict[str, list[str]] = {}
    for entry in () if found is None else found.iter():
        name = local_name(entry)
        if name == "meta" and (attribute(entry, "property") or "") == "dcterms:modified":
            name = "modified"
        if text := " ".join((entry.text or "").split()) if name else "":
            values.setdefault(name, []).append(text)
    result.title = next(iter(values.get("title", [])), None)
    result.language = language_code(next(iter(values.get("language", [])), None))
    result.authors = tuple(dict.fromkeys(values.get("creator", [])))
    result.created = iso_date(next(iter(values.get("date", [])), None))
    result.modified = iso_date(next(iter(values.get("modified", [])), None))
    if subjects := values.get("subject"):
        result.tags["subject"] = tuple(dict.fromkeys(subjects))
