"""What a server can hold of a value."""

from __future__ import annotations

from typing import Any


def storable(value: Any) -> Any:
    """Return a value that a server can hold: its texts hold neither NUL nor halves of characters.

    What stands in their place has the same length, so that spans stay right. Looks into lists and dictionaries too.
    """
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    if isinstance(value, str):
        if "\x00" in value:
            value = value.replace("\x00", "\ufffd")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            value = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in value)
    return value
