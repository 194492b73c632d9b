"""The check of `tekio doctor` on uploaded files that no document has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.failures import describe

if TYPE_CHECKING:
    from kernel.settings import Settings

_NAMED = 5
_ADVICE = (
    "whoever sent them was not told that they were taken in, and sends them again; then delete these files, unless "
    "another index has its uploads in this folder"
)


def uploads(settings: Settings) -> Check:
    """Look for files of uploads that a kill left behind."""
    folder = settings.uploads_folder
    if not folder.is_dir():
        return Check("uploads", OK, "none yet")
    from kernel import app

    tekio = app.Tekio(settings)
    try:
        left = tekio.library.orphans()
    except TekioError as error:
        return Check("uploads", FAIL, describe(error), "give Tekio the right to read it, or mend the index")
    finally:
        tekio.close()
    if not left:
        return Check("uploads", OK, f"each file in {folder} is a document")
    named = ", ".join(path.name for path in left[:_NAMED])
    more = f" and {len(left) - _NAMED:,} more" if len(left) > _NAMED else ""
    return Check("uploads", WARN, f"no document has {named}{more} in {folder}", _ADVICE)
