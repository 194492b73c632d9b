"""Files embedded in a PDF, read like any other as far as the options allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from ingest.blocks import Block, ReadOptions
from ingest.readers.pdf_open import one_line

if TYPE_CHECKING:
    from pypdf import PdfReader
    from pypdf.generic import EmbeddedFile

# At most so many files and, of all of them together, so many bytes are read.
_MOST_FILES, _MOST_BYTES = 64, 200_000_000


def embedded_blocks(reader: PdfReader, options: ReadOptions) -> tuple[list[Block], list[str]]:
    """Return the blocks of the embedded files, without pages, and what to warn of. Never raises."""
    from ingest.readers.attachments import attachment_blocks, attachment_name

    blocks: list[Block] = []
    warnings: list[str] = []
    read = total = 0
    for name, get in _files(reader, warnings):
        if read == _MOST_FILES:
            warnings.append(f"only the first {_MOST_FILES} attachments were read")
            break
        read += 1
        try:
            data = get() if options.attachment_depth > 0 else b""
        except MemoryError:
            raise
        except Exception as error:  # a damaged or an endless stream
            warnings.append(f"attachment {attachment_name(name)} was not read: {one_line(error)}")
            continue
        total += len(data)
        if total > _MOST_BYTES:
            warnings.append(f"attachment {attachment_name(name)} was not read: the attachments are too large")
            break
        found, notes = attachment_blocks(name, data, options)
        blocks += found
        warnings += notes
    return blocks, warnings


def _files(reader: PdfReader, warnings: list[str]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        for file in reader.attachment_list:
            yield file.alternative_name or file.name, partial(_content, file)
    except MemoryError:
        raise
    except Exception as error:  # the tree of their names may be broken anywhere
        warnings.append(f"the list of attachments cannot be read: {one_line(error)}")


def _content(file: EmbeddedFile) -> bytes:
    return bytes(file.content)
