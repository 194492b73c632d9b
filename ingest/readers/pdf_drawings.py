"""What else a PDF page draws: whether it shows pictures, and whether its forms draw each other without end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PageObject

# Forms are drawn within forms, each as often as it likes: what unfolds to more than this is an attack.
# PDFium follows 40 levels of it, into all the memory there is.
_MOST_FORMS = 20_000
_DEEPEST = 12


def has_pictures(page: PageObject | None) -> bool:
    """Tell whether a page shows pictures, on its own or within forms."""

    def within(resources: Any, depth: int) -> bool:
        for item in _objects(resources):
            if item.get("/Subtype") == "/Image":
                return True
            if depth and item.get("/Subtype") == "/Form" and within(item.get("/Resources"), depth - 1):
                return True
        return False

    if page is None:
        return False
    with contextlib.suppress(Exception):
        if within(page.get("/Resources"), 3):
            return True
        contents = page.get_contents()
        return contents is not None and b"\nID" in contents.get_data().replace(b" ID", b"\nID")
    return False


def unfolds_without_end(page: PageObject | None) -> bool:
    """Tell whether the forms of a page draw themselves, or so many others that no page can mean it."""
    if page is None:
        return False
    sizes: dict[int, int] = {}
    open_: set[int] = set()

    def size(owner: Any, depth: int) -> int:
        """Return an upper bound of how many forms are drawn when this one is."""
        key = id(owner)
        if key in open_ or depth > _DEEPEST:
            return _MOST_FORMS
        if key not in sizes:
            open_.add(key)
            children = [size(form, depth + 1) for form in _forms(owner)]
            times = 1 if not children else max(1, _contents(owner).count(b"Do"))
            sizes[key] = min(_MOST_FORMS, 1 + times * max(children, default=0))
            open_.discard(key)
        return sizes[key]

    try:
        return size(page, 0) >= _MOST_FORMS
    except MemoryError:
        raise
    except Exception:  # broken resources: nobody follows those
        return False


def _objects(resources: Any) -> Iterator[Any]:
    objects = resources.get_object().get("/XObject") if resources is not None else None
    for value in objects.get_object().values() if objects is not None else ():
        yield value.get_object()


def _forms(owner: Any) -> list[Any]:
    return [item for item in _objects(owner.get("/Resources")) if item.get("/Subtype") == "/Form"]


def _contents(owner: Any) -> bytes:
    stream = owner.get_contents() if hasattr(owner, "get_contents") else owner
    return bytes(stream.get_data()) if stream is not None else b""
