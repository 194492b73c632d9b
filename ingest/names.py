"""Names of files as text: for people, and for the index, also where a name is no valid Unicode."""

from __future__ import annotations

import os
import re
from pathlib import Path

_ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")


def path_key(path: Path) -> str:
    """Return the text that identifies a path in the index; bytes that are no UTF-8 are written `\\udcXX`."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def key_path(key: str) -> Path:
    """Return the path that a key stands for."""
    return Path(_ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), key))


def display(name: str) -> str:
    """Return a name as people can read it: old Japanese archives unpack into names in cp932 or EUC-JP."""
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        pass
    raw = os.fsencode(name)
    for encoding in ("cp932", "euc_jp"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name.encode("utf-8", "backslashreplace").decode()
