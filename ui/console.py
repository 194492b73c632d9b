"""Standard output for results, standard error for everything else, and third parties kept quiet."""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ui.plaintext import dump_json, one_line, plain

if TYPE_CHECKING:
    from rich.console import Console

_QUIET_ENVIRONMENT = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
_QUIET_LOGGERS = (
    "bitsandbytes",
    "faiss",
    "filelock",
    "httpx",
    "huggingface_hub",
    "pypdf",
    "sentence_transformers",
    "torch",
    "transformers",
)


def debugging() -> bool:
    """Tell whether TEKIO_DEBUG asks for tracebacks and for the libraries' own messages."""
    return os.environ.get("TEKIO_DEBUG", "") not in ("", "0")


def quiet_libraries() -> None:
    """Silence progress bars, warnings and advice of third parties. Call before they are imported."""
    if debugging():
        return
    for name, value in _QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    warnings.simplefilter("ignore")
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    # It logs every function that fails, with what was given to it; the failure is told by whoever called.
    logging.getLogger("semantic_kernel").setLevel(logging.CRITICAL)


def use_utf8() -> None:
    """Write UTF-8 whatever the locale or code page says; what cannot be encoded is escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no emoji codes, no guessed highlighting."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Tell the person something, beside the result."""
    print(one_line(message), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print the one JSON document of a command."""
    print(dump_json(value))


def print_text(text: str = "") -> None:
    """Print text as plain text."""
    print(plain(text))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn for a person, tab-separated and uncut for a pipe."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print("\t".join(one_line(cell) for cell in row))
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(one_line(cell), overflow="fold") for cell in row))
    console().print(table, soft_wrap=False)
