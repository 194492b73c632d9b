"""What a PDF says of itself: title, language, dates, authors and key words, of its Info or its XMP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ingest.blocks import ReadResult
from ingest.readers.pdf_lines import odd_share

if TYPE_CHECKING:
    from pypdf import PdfReader

_NO_TITLE = re.compile(
    r"\(?(?:anonymous|untitled|unspecified|unknown|document\d*|binder\d*.*|無題.*|title|author|user|admin)\)?",
    re.I,
)
_FILE_NAME = re.compile(r"(?:microsoft \w+ - .*|.*\.(?:pdf|docx?|indd|tex|dvi|qxd|xlsx?|pptx?))", re.I)
# Names are parted by these only: a comma may stand inside a name.
_BETWEEN_NAMES = re.compile(r"\s*[;；、\n]\s*")
_BETWEEN_WORDS = re.compile(r"\s*[;；,，、\n]\s*")
_MOST_TAGS = 64


def describe(result: ReadResult, reader: PdfReader) -> None:
    """Fill in what the document says of itself; what cannot be read or says nothing stays as it is."""
    info: Any = _try(lambda: reader.metadata)
    xmp: Any = _try(lambda: reader.xmp_metadata)
    result.title = _title(_try(lambda: info.title)) or _title(_try(lambda: next(iter(xmp.dc_title.values()))))
    result.language = _language(reader)
    result.created = _stated(info, "/CreationDate", lambda: info.creation_date) or _time(
        lambda: xmp.xmp_create_date
    )
    result.modified = _stated(info, "/ModDate", lambda: info.modification_date) or _time(
        lambda: xmp.xmp_modify_date
    )
    result.authors = _names(_try(lambda: info.author)) or _usable(_try(lambda: xmp.dc_creator) or ())
    words = _words(_try(lambda: info.get("/Keywords"))) or _usable(_try(lambda: xmp.dc_subject) or ())
    if words:
        result.tags = {"keywords": words}


def _try(get: Callable[[], Any]) -> Any:
    """Return a value, None when the document has none or a damaged one."""
    try:
        return get()
    except MemoryError:
        raise
    except Exception:  # whatever a broken or missing entry raises
        return None


def _title(value: Any) -> str | None:
    title = _text(value)
    return None if not _is_usable(title) or _FILE_NAME.fullmatch(title) else title


def _text(value: Any) -> str:
    return " ".join(str(value or "").replace("\x00", "").split())


def _is_usable(text: str) -> bool:
    return bool(text) and not _NO_TITLE.fullmatch(text) and odd_share(text) == 0


def _usable(values: Iterable[Any]) -> tuple[str, ...]:
    texts = dict.fromkeys(text for value in values if _is_usable(text := _text(value)[:200]))
    return tuple(texts)[:_MOST_TAGS]


def _names(value: Any) -> tuple[str, ...]:
    return _usable(_BETWEEN_NAMES.split(str(value))) if value else ()


def _words(value: Any) -> tuple[str, ...]:
    return _usable(_BETWEEN_WORDS.split(str(value))) if value else ()


def _time(get: Callable[[], Any]) -> str | None:
    value = _try(get)
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else None


def _stated(info: Any, key: str, get: Callable[[], Any]) -> str | None:
    """Return a date of the Info; pypdf makes one of figures that are none (`20249999` is no September)."""
    value = _try(get)
    figures = re.match(r"D:(\d{4,14})", str(_try(lambda: info.get(key)) or ""))
    if not isinstance(value, datetime) or not figures:
        return None
    if f"{value.year:04}{value:%m%d%H%M%S}"[: len(figures.group(1))] != figures.group(1):
        return None
    return _time(lambda: value)


def _language(reader: PdfReader) -> str | None:
    root: Any = _try(lambda: reader.trailer["/Root"].get_object())
    code = str(_try(lambda: root.get("/Lang")) or "")[:2].lower()
    # Writers put their own interface's language here; Japanese is believed, English is not.
    return code if code == "ja" else None
