"""Files to blocks. Each format is one module with `read(data, options) -> ReadResult`, loaded when it is needed.

A new format is a module here, a line in `FORMATS` and, where its content tells what it is, a rule in `sniff`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath
from types import MappingProxyType
from typing import cast

from ingest.blocks import NO_OPTIONS, Outcome, ReadError, ReadOptions, ReadResult
from ingest.readers.office_password import open_ole
from ingest.readers.sniff import is_plainly_binary, sniff


@dataclass(frozen=True, slots=True)
class Format:
    """A format: its name (also the module's), its endings and what people call it.

    `told_by_content`: every file of this format can be told from its content, so that a file with one of
    its endings and another content is none. The others are plain text, which only the ending tells apart.
    """

    name: str
    endings: tuple[str, ...]
    label: str
    told_by_content: bool = True


FORMATS = (
    Format("pdf", (".pdf",), "PDF"),
    Format("docx", (".docx",), "Word (.docx)"),
    Format("pptx", (".pptx", ".pptm", ".ppsx", ".potx"), "PowerPoint (.pptx)"),
    Format("xlsx", (".xlsx", ".xlsm", ".xltx"), "Excel (.xlsx)"),
    Format("odt", (".odt", ".ott"), "OpenDocument text (.odt)"),
    Format("ods", (".ods",), "OpenDocument spreadsheet (.ods)"),
    Format("odp", (".odp",), "OpenDocument presentation (.odp)"),
    Format("epub", (".epub",), "EPUB"),
    Format("rtf", (".rtf",), "RTF"),
    Format("html", (".html", ".htm", ".xhtml"), "HTML", told_by_content=False),
    Format("markdown", (".md", ".markdown"), "Markdown", told_by_content=False),
    Format("text", (".txt", ".text"), "text", told_by_content=False),
    Format("csv", (".csv", ".tsv"), "CSV", told_by_content=False),
    Format("jsonl", (".jsonl", ".ndjson", ".json"), "JSON Lines", told_by_content=False),
    Format("eml", (".eml",), "e-mail (.eml)"),
)
_BY_NAME = {each.name: each for each in FORMATS}
_BY_ENDING = {ending: each for each in FORMATS for ending in each.endings}

ENDING_LABELS: Mapping[str, str] = MappingProxyType({end: each.label for end, each in _BY_ENDING.items()})
"""What people call the format of each ending, for messages."""

# What is plain from the content whatever the name; the others are texts that may only look like it.
_CERTAIN = frozenset({"pdf", "docx", "pptx", "xlsx", "odt", "ods", "odp", "epub", "rtf"})
_MAY_SHOW_HTML = frozenset({"html", "markdown", "text"})


def supported_endings() -> tuple[str, ...]:
    """Return the endings of the files that can be read, in lower case with the dot."""
    return tuple(_BY_ENDING)


def is_hopeless(path: PurePath, head: bytes) -> bool:
    """Tell from a file's name and first bytes that there is no reader for it, so that a film is not read whole."""
    ending = path.suffix.lower()
    return bool(ending) and ending not in _BY_ENDING and is_plainly_binary(head)


def no_reader(ending: str) -> str:
    """Return what to say of a file that no reader is for."""
    kind = f"{ending} files" if ending else "files of this kind"
    return f"no reader for {kind}; {', '.join(supported_endings())} can be read"


def read_file(path: PurePath, data: bytes | None = None, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read a file with the reader for its content and ending.

    `data` are the file's bytes where the caller has them already, so that it is read only once; then
    `path` need only be a name.

    Raises:
        ReadError: the outcome says how it failed, the message is one line for a person.
    """
    if data is None:
        try:
            data = _bytes_of(path)
        except OSError as error:
            raise ReadError(Outcome.FAILED, f"cannot be opened: {error.strerror or error}") from error
    if not data:
        raise ReadError(Outcome.EMPTY, "the file is empty")
    found = sniff(data)
    if found == "ole":
        data = open_ole(data, options.passwords)
        found = sniff(data)
    chosen = _choose(path.suffix.lower(), found)
    read = cast(
        "Callable[[bytes, ReadOptions], ReadResult]", import_module(f"ingest.readers.{chosen.name}").read
    )
    return read(data, options)


def check_kind(name: PurePath, data: bytes) -> None:
    """Check by its content and the ending of its name that there is a reader for a file, before anything reads it.

    Raises:
        ReadError: there is none; it is empty; it is an archive that is not safe to unpack.
    """
    if not data:
        raise ReadError(Outcome.EMPTY, "the file is empty")
    found = sniff(data)
    if found != "ole":  # an office file with a password, or of old: its reader tells them apart
        _choose(name.suffix.lower(), found)


def _bytes_of(path: PurePath) -> bytes:
    from pathlib import Path

    return Path(path).read_bytes()


def _choose(ending: str, found: str) -> Format:
    """Choose by content where the content is plain, by ending where only the ending tells.

    Raises:
        ReadError: FAILED or UNSUPPORTED, see the messages.
    """
    by_ending = _BY_ENDING.get(ending)
    name = by_ending.name if by_ending else ""
    if found in _CERTAIN:
        return _BY_NAME[found]
    if found == "odf" and name in ("odt", "ods", "odp"):
        return _BY_NAME[name]
    if found == "html" and name not in _MAY_SHOW_HTML:
        return _BY_NAME["html"]
    if found == "eml" and (by_ending is None or by_ending.told_by_content):
        return _BY_NAME["eml"]
    if by_ending is None:
        if ending == "" and found == "text":
            return _BY_NAME["text"]
        raise ReadError(Outcome.UNSUPPORTED, no_reader(ending))
    if by_ending.told_by_content:
        raise ReadError(
            Outcome.FAILED,
            f"not {_article(by_ending.label)} {by_ending.label} file"
            + (" or damaged" if found in ("zip", "odf") else ""),
        )
    if found not in ("text", "html", "eml"):
        raise ReadError(Outcome.UNSUPPORTED, f"a binary file, not {by_ending.label}")
    return by_ending


def _article(label: str) -> str:
    """Return the article: "an EPUB", "an RTF", "a PDF"."""
    return "an" if label[0] in "EO" or label.startswith(("RTF", "e-mail")) else "a"
