"""Who can answer and how prompts can be built."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kernel.chat.adapters import variant_names
from kernel.composed.describing import VariantDescription, describe_variants
from kernel.facade.base import FacadeBase
from kernel.functions.ability import why
from kernel.functions.reports import FunctionsReport, report_functions
from kernel.techniques import Technique
from plugins.prompt_folders import prompt_folders
from retrieval.errors import IndexMissingError, UsageError
from retrieval.index_meta import DEFAULT_VARIANT

if TYPE_CHECKING:
    from plugins.own_prompts import PromptState


class Variants(FacadeBase):
    """Who and what there is to choose from."""

    def variants(self) -> list[str]:
        """Name who can generate: `base`, `extractive`, the adapters that were found, those of other engines,
        and those that are composed of others."""
        return variant_names(self.settings.adapters, self.settings.named_variants)

    def variant_descriptions(self) -> list[VariantDescription]:
        """Say what each of `variants` is: its kind, and of a composed one whom it asks and by which rule."""
        return describe_variants(self.variants(), self.settings)

    def default_variant(self) -> str:
        """Return who answers where nobody is asked for by name: the index's own, else the setting."""
        try:
            with self._any_index() as index:
                kept = index.note(DEFAULT_VARIANT)
        except IndexMissingError:
            kept = None
        return str(kept["variant"]) if kept else self.settings.variant

    def keep_default_variant(self, name: str | None) -> None:
        """Keep with the index who answers over it where nobody is asked for; None goes back to the setting.

        Raises:
            UsageError: there is no such variant.
            IndexMissingError: there is no index yet.
        """
        if name is not None and name not in self.variants():
            raise UsageError(f"there is no variant '{name}'; there are {', '.join(self.variants())}")
        with self._any_index() as index:
            index.keep_note(DEFAULT_VARIANT, None if name is None else {"variant": name})

    def techniques(self) -> list[str]:
        """Name how prompts can be built: the techniques, and the reader's own folders that answer questions."""
        own = prompt_folders(self.settings.prompts)
        if not own:
            return list(Technique)
        return [*Technique, *(state.name for state in self.prompts() if state.answers and not state.shipped)]

    def prompts(self) -> list[PromptState]:
        """List the prompt functions, those that ship and those of folders, with what is wrong of them."""
        from plugins.own_prompts import add_own_prompts, shipped_prompts
        from plugins.prompt_functions import load_prompt_plugins

        plugins = load_prompt_plugins()
        shipped = shipped_prompts(plugins)
        return [*shipped, *add_own_prompts(plugins, self.settings.prompts)]

    async def functions(self) -> FunctionsReport:
        """Connect what is attached, and return what can be called and how each attachment stands. Needs no index."""
        name = self.settings.generator
        folder = self._models.resolve(name).folder if self._models.is_present(name) else None
        toolbox = await asyncio.to_thread(self.toolbox)
        return await report_functions(toolbox, why(self.settings.function_calling, name, folder))
