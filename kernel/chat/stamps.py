"""What tells that a model's files were replaced, without reading them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kernel.chat.adapters import CARD_FILE
from kernel.model_packages.manifest import LAB_CARD

_BESIDE = (CARD_FILE, LAB_CARD)
"""Cards, into which figures are written later, while the weights stay what they were."""
_PICTURES = (".png", ".md")


def weights_stamp(folder: Path) -> str:
    """Return what changes when the files of an adapter or a model are replaced: names, sizes, times of change.

    It is empty where the folder is not there, or is being moved.
    """
    digest = hashlib.sha256()
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        for path in paths:
            if path.name not in _BESIDE and path.suffix not in _PICTURES:
                told = path.stat()
                digest.update(f"{path.name}\0{told.st_size}\0{told.st_mtime_ns}\0".encode())
    except OSError:
        return ""
    return digest.hexdigest()[:16]


__all__ = ["weights_stamp"]
