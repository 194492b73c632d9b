"""What the OpenDocument formats have in common: the archive, encryption, and what a file says of itself."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingest.blocks import Outcome, ReadError, ReadResult
from ingest.readers.archive import BAD_ZIP, check_zip, member
from ingest.readers.damage import damaged
from ingest.readers.ooxml import DAMAGED_PROPERTIES, take_properties
from ingest.readers.xml import descendants, local_name, parse_xml


@contextmanager
def open_odf(data: bytes, label: str, result: ReadResult) -> Iterator[Any]:
    """Give the root element of `content.xml`; title, authors and dates go into `result`.

    Raises:
        ReadError: ENCRYPTED for a file under a password, FAILED for a damaged one, also when what is
            done with the elements raises.
    """
    check_zip(data)
    with damaged(label), zipfile.ZipFile(io.BytesIO(data)) as archive:
        manifest = member(archive, "META-INF/manifest.xml")
        if manifest is not None:
            for _each in descendants(parse_xml(manifest), "encryption-data"):
                raise ReadError(
                    Outcome.ENCRYPTED, "needs a password: save it without one and ingest it again"
                )
        try:
            if (meta := member(archive, "meta.xml")) is not None:
                _metadata(parse_xml(meta), result)
        except (SyntaxError, *BAD_ZIP):  # the errors of lxml are of the first kind
            result.warnings.append(DAMAGED_PROPERTIES)
        yield parse_xml(archive.read("content.xml"))


def _metadata(root: Any, result: ReadResult) -> None:
    for section in root:
        if local_name(section) == "meta":
            take_properties(section, result)


def repeated(element: Any, name: str, most: int) -> int:
    """Return how often an element stands, from an attribute like `number-columns-repeated`.

    Rows and cells that only fill the sheet up to its edge are repeated thousands of times; `most` bounds
    those that hold text.
    """
    for key, value in element.attrib.items():
        if key.endswith("}" + name) and value.isdigit():
            return max(1, min(int(value[:9]), most))
    return 1
