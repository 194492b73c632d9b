"""Every way a command can end, as an exit code and at most one line."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import typer
from typer.main import get_command

from retrieval.errors import TekioError
from ui.console import debugging, use_utf8
from ui.plaintext import one_line

INTERRUPTED = 130


def run(app: typer.Typer, program: str, args: Sequence[str] | None = None) -> NoReturn:
    """Run a Typer application and exit: never a traceback, unless TEKIO_DEBUG=1 asks for it.

    `args` are given by tests; without them it is the process's own command line, and the process is its own.
    """
    use_utf8()
    try:
        result = get_command(app).main(
            args=None if args is None else list(args), prog_name=program, standalone_mode=False
        )
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
    except BrokenPipeError:
        code = _reader_gone()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        code = _report(error, program)
    if args is None and (code == INTERRUPTED or _is_loading()):
        # Python would wait at exit for threads that load or run a model: a person asked to stop now, or has the
        # answer, for which the model was not needed in the end.
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _is_loading() -> bool:
    loading = sys.modules.get("kernel.loading")  # imported by what loads; help and mistakes do without it
    return loading is not None and bool(loading.is_under_way())


def describe(error: BaseException) -> str:
    """Return an error as one line; one that nobody foresaw is named by its class."""
    if isinstance(error, TekioError):
        return one_line(str(error))
    message = one_line(str(error))
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _report(error: Exception, program: str) -> int:
    if debugging():
        traceback.print_exc()
    if isinstance(error, TekioError):
        code, line = error.exit_code, describe(error)
    elif hasattr(error, "format_message"):  # Typer's own errors, whose classes moved between its versions
        code, line = getattr(error, "exit_code", 2), _usage_line(error, program)
    else:
        code, line = 1, f"{describe(error)} (unexpected; TEKIO_DEBUG=1 shows where)"
    with suppress(BrokenPipeError):
        print(f"{program}: {line}", file=sys.stderr, flush=True)
    return code


def _usage_line(error: Exception, program: str) -> str:
    message = one_line(str(getattr(error, "format_message")()))  # noqa: B009 - duck-typed, see above
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else program
    return f"{message.rstrip('.')}; see {command} --help"


def _reader_gone() -> int:
    # The reader (head, less) left: it has what it wanted. Python's own flush at exit must not complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
