"""Temporary files that a killed process left."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

_LONGEST_WRITE_SECONDS = 3600.0


def is_left_over(path: Path) -> bool:
    """Tell whether a temporary file was left by a process that was killed while it wrote."""
    try:
        if time.time() - path.stat().st_mtime > _LONGEST_WRITE_SECONDS:
            return True
        if sys.platform != "win32":
            os.kill(int(path.suffixes[-2].lstrip(".")), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, IndexError):
        return False
    return False
