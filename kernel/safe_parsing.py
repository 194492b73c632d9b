"""`ast.parse` by one thread at a time, on the versions of Python where several at once spoil each other's work.

CPython counted the depth of a syntax tree in one place for all threads: of two that make trees at the same time, one
may end with "SystemError: AST constructor recursion depth mismatch" (python/cpython issue 106905, mended in 3.11.8 and
3.12.2). Loading models parses source (torch compiles functions by it), and so does Streamlit for each of its pages.
"""

from __future__ import annotations

import ast
import functools
import sys
import threading
from typing import Any

_MENDED = {(3, 11): (3, 11, 8), (3, 12): (3, 12, 2)}
_held = threading.RLock()  # for the whole process, as what it guards is


def guard_parsing() -> None:
    """Have threads take turns in `ast.parse`, from now on and for the whole process, where this Python needs it."""
    version = sys.version_info[:3]
    if version >= _MENDED.get(version[:2], version) or hasattr(ast.parse, "__wrapped__"):
        return
    parse = ast.parse

    @functools.wraps(parse)
    def parse_in_turn(*args: Any, **kwargs: Any) -> Any:
        with _held:
            return parse(*args, **kwargs)

    ast.parse = parse_in_turn
