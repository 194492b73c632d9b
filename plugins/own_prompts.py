"""The prompt functions that experts keep as folders, loaded beside those that ship and held to the same rules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from semantic_kernel.functions.kernel_function_from_prompt import KernelFunctionFromPrompt
from semantic_kernel.functions.kernel_plugin import KernelPlugin

from plugins.prompt_folders import CONFIG_FILE, PROMPT_FILE, PromptFolder, prompt_folders
from plugins.prompt_functions import (
    CHOOSE_FUNCTION,
    KNOWN_VARIABLES,
    LANGUAGES,
    SHIPPED_FUNCTIONS,
    load_function,
    plugin_name,
    shown_by,
)
from retrieval.errors import TekioError

ANSWERING = frozenset({"question", "passages"})
"""What a function must show to answer a question."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_MOST_BYTES = 50_000


@dataclass(frozen=True, slots=True)
class PromptState:
    """A prompt function as it is listed. `problem` says in one line why it cannot be used; empty where it can."""

    name: str
    folder: str
    shipped: bool
    languages: tuple[str, ...]
    description: str
    variables: tuple[str, ...]
    problem: str = ""

    @property
    def answers(self) -> bool:
        """Whether it can answer a question, as a technique does."""
        return not self.problem and self.name != CHOOSE_FUNCTION and set(self.variables) >= ANSWERING


def add_own_prompts(plugins: Sequence[KernelPlugin], roots: Sequence[Path]) -> list[PromptState]:
    """Add the prompt functions of folders to the plugins of their languages; return how each stands.

    One that is broken is left out, and breaks no other.
    """
    by_name = {plugin.name: plugin for plugin in plugins}
    taken = dict.fromkeys(SHIPPED_FUNCTIONS, "one that ships with Tekio")
    states: list[PromptState] = []
    for folder in prompt_folders(roots):
        loaded: dict[str, KernelFunctionFromPrompt] = {}
        try:
            loaded = _loaded(folder, taken)
            problem = ""
        except TekioError as error:
            problem = " ".join(str(error).split())
        taken.setdefault(folder.name, f"the one in {folder.path.parent}")
        for language, function in loaded.items():
            by_name[plugin_name(language)].functions[folder.name] = function
        states.append(_state(folder, loaded, problem))
    return states


def shipped_prompts(plugins: Sequence[KernelPlugin]) -> list[PromptState]:
    """Return how the prompt functions stand that ship with Tekio."""
    first = plugins[0]
    return [
        PromptState(
            name,
            "",
            True,
            LANGUAGES,
            function.description or "",
            shown_by(function),
        )
        for name, function in sorted(first.functions.items())
        if name in SHIPPED_FUNCTIONS
    ]


def _loaded(folder: PromptFolder, taken: dict[str, str]) -> dict[str, KernelFunctionFromPrompt]:
    if not _NAME.fullmatch(folder.name):
        raise TekioError("its name must be a letter, then letters, digits and underscores")
    if folder.name in taken:
        raise TekioError(f"its name is taken by {taken[folder.name]}: rename the folder")
    loaded: dict[str, KernelFunctionFromPrompt] = {}
    for part, languages in folder.parts:
        for file in (part / PROMPT_FILE, part / CONFIG_FILE):
            if not file.is_file():
                raise TekioError(f"it has no {file.relative_to(folder.path)}")
            if file.stat().st_size > _MOST_BYTES:
                raise TekioError(f"{file.relative_to(folder.path)} has more than {_MOST_BYTES:,} bytes")
        for language in languages:
            function = load_function(part, plugin_name(language), name=folder.name)
            loaded[language] = function
    shown = {shown_by(function) for function in loaded.values()}
    if len(shown) != 1:
        raise TekioError("its languages show different variables")
    (variables,) = shown
    if not variables or not KNOWN_VARIABLES.issuperset(variables):
        unknown = sorted(set(variables) - KNOWN_VARIABLES)
        what = f"shows the variable '{unknown[0]}'" if unknown else "shows no variable"
        raise TekioError(f"it {what}; there are {', '.join(sorted(KNOWN_VARIABLES))}")
    return loaded


def _state(folder: PromptFolder, loaded: dict[str, KernelFunctionFromPrompt], problem: str) -> PromptState:
    function = next(iter(loaded.values()), None)
    return PromptState(
        folder.name,
        str(folder.path),
        False,
        tuple(language for language in LANGUAGES if language in loaded),
        "" if function is None else function.description or "",
        () if function is None else shown_by(function),
        problem,
    )
