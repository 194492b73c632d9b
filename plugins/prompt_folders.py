"""The prompt functions that experts keep as folders: where they are. Cheap: Semantic Kernel is not imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROMPT_FILE, CONFIG_FILE = "skprompt.txt", "config.json"
_LANGUAGES = ("en", "ja")


@dataclass(frozen=True, slots=True)
class PromptFolder:
    """A folder that should hold a prompt function: for all languages, or one in a subfolder for each.

    `parts` are the folders of its files, by the languages that each is for.
    """

    name: str
    path: Path
    parts: tuple[tuple[Path, tuple[str, ...]], ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which it can be used."""
        return tuple(language for _, languages in self.parts for language in languages)


def prompt_folders(roots: Sequence[Path]) -> list[PromptFolder]:
    """Return the prompt functions' folders in some folders, by name; a folder that is not there holds none."""
    found: list[PromptFolder] = []
    for root in roots:
        try:
            paths = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in "._")
        except OSError:
            continue
        found += [PromptFolder(path.name, path, _parts(path)) for path in paths]
    return found


def _parts(path: Path) -> tuple[tuple[Path, tuple[str, ...]], ...]:
    own: list[tuple[Path, tuple[str, ...]]] = [
        (path / language, (language,)) for language in _LANGUAGES if (path / language).is_dir()
    ]
    rest = tuple(language for language in _LANGUAGES if not (path / language).is_dir())
    if (path / PROMPT_FILE).exists() or (path / CONFIG_FILE).exists() or not own:
        own.append((path, rest))
    return tuple((part, languages) for part, languages in own if languages)
