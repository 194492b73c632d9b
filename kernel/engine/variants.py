"""The variants of an engine: found and registered with the kernel when they are first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from semantic_kernel import Kernel

from kernel.answering.run import Variant
from kernel.chat.adapters import check_adapter, find_adapter, variant_names
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.local_engines import TokenCounter
from kernel.chat.other_engines import OtherEngines
from kernel.chat.stamps import weights_stamp
from kernel.composed.composition import Composition
from kernel.ensembles.blending import Blending
from kernel.ensembles.fitted import fits_of
from kernel.functions.ability import may_call
from kernel.lab_models import find_lab_model, lab_variant, model_source
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.variant_names import BASE, EXTRACTIVE
from retrieval.errors import UsageError

_JUDGED_TOKENS = 192
"""Of another's answer, of which a member of an ensemble tells how likely it finds it."""


class VariantRegistry:
    """Who can answer, by name.

    Args:
        settings: say which variants there are.
        models: has models by their names.
        local: the language model of the settings.
        kernel: gets the services of the variants.
        compose: makes a composed variant's composition.
    """

    def __init__(
        self,
        settings: Settings,
        models: ModelStore,
        local: LanguageModels,
        kernel: Kernel,
        compose: Callable[[str], Composition],
    ) -> None:
        self._settings = settings
        self._local = local
        self._kernel = kernel
        self._compose = compose
        self._lock = threading.RLock()  # a composed variant registers its members
        self._others = OtherEngines(
            settings.variants,
            base_file=lambda: models.gguf(settings.generator),
            languages=settings.generator_languages,
            threads=settings.threads,
            resolve=lambda name: models.resolve(model_source(name, settings.models)),
            apart=local.apart,
        )
        self._fits = fits_of(settings.ensembles, settings.adapters)
        self.extractive = Variant(EXTRACTIVE)
        self._variants: dict[str, Variant] = {EXTRACTIVE: self.extractive}
        self._made_of: dict[str, tuple[Path, str]] = {}
        """Folders of adapters and models of one's own, with what changes when their files are replaced."""

    def get(self, name: str) -> Variant:
        """Return a variant, loading its adapter first if it is one. Blocks.

        One whose adapter or model was trained anew, put back or taken out since it was asked last is made again.

        Raises:
            UsageError: there is no such variant, or its adapter does not fit the base.
        """
        with self._lock:
            if name in self._settings.composed:
                self._forget_if_fitted_anew()
            self._forget_if_trained_anew(name)
            if name not in self._variants:
                self._variants[name] = self._register(name)
            return self._variants[name]

    def _forget_if_fitted_anew(self) -> None:
        """Have composed variants made again where an ensemble, which others may ask, was fitted meanwhile."""
        fits = fits_of(self._settings.ensembles, self._settings.adapters)
        if fits != self._fits:
            self._fits = fits
            for name in self._settings.composed:
                self._variants.pop(name, None)

    def _forget_if_trained_anew(self, name: str) -> None:
        """Have a variant made again whose files were replaced; of a composed one any of its members may have been."""
        looked = list(self._made_of) if name in self._settings.composed else [name]
        stale = [
            each
            for each in looked
            if each in self._made_of and weights_stamp(self._made_of[each][0]) != self._made_of[each][1]
        ]
        for each in stale:
            del self._made_of[each]
            self._variants.pop(each, None)
        if stale:
            for each in self._settings.composed:
                self._variants.pop(each, None)

    def revisions(self, names: Sequence[str]) -> dict[str, str]:
        """Return what changes with each of several variants. Blocks.

        Raises:
            UsageError: there is no such variant.
        """
        return {name: self.get(name).revision for name in names}

    def _register(self, name: str) -> Variant:
        if name in self._settings.variants:
            variant_names(self._settings.adapters, [name])  # refuses one that an adapter has as well
            service, variant = self._others.make(name)
            self._kernel.add_service(service)
            return variant
        if name in self._settings.composed:
            variant_names(self._settings.adapters, [name])
            return self._blended(name) if name in self._settings.blends else self._composed(name)
        if (made := find_lab_model(name, self._settings.models)) is not None:
            variant_names(self._settings.adapters, [name])
            stamp = weights_stamp(made)
            service, variant = self._others.make(name, lab_variant(name, made))
            self._kernel.add_service(service, overwrite=True)  # one that was made anew
            self._made_of[name] = made, stamp
            return variant
        folder, languages = None, frozenset(self._settings.generator_languages)
        local = self._local.engines()
        if name != BASE:
            folder = find_adapter(name, self._settings.adapters)
            if folder is None:
                known = ", ".join(variant_names(self._settings.adapters, self._settings.named_variants))
                raise UsageError(
                    f"there is no variant '{name}'; there are {known}, or give an adapter's folder"
                )
            self._made_of[name] = folder, weights_stamp(folder)
            card = check_adapter(folder, base=local.name, base_folder=local.folder)
            languages = frozenset(card.languages) or languages
        bound = local.bind(folder)
        self._kernel.add_service(
            LocalChatCompletion(service_id=name, generator=bound.generator, adapter=bound.adapter),
            overwrite=True,  # one that was trained anew
        )
        calls = may_call(self._settings.function_calling, local.folder)
        return Variant(
            name,
            languages,
            local.name,
            TokenCounter(local),
            self._local.revision(folder),
            calls,
            goes_on=True,
        )

    def _blended(self, name: str) -> Variant:
        local = self._local.engines()
        blending = Blending(
            local,
            adapters=self._settings.adapters,
            servers=self._settings.variants,
            composed=list(self._settings.composed),
            languages=self._settings.generator_languages,
            revision_of=self._local.revision,
        )
        for member in self._settings.ensembles[name].members:
            if (folder := find_adapter(member.variant, self._settings.adapters)) is not None:
                self._made_of.setdefault(member.variant, (folder, weights_stamp(folder)))
        made = blending.make(name, self._settings.ensembles[name])
        self._kernel.add_service(made.service, overwrite=True)  # one that was fitted anew
        calls = may_call(self._settings.function_calling, local.folder)
        return Variant(
            name, made.languages, local.name, TokenCounter(local), made.revision, calls, goes_on=True
        )

    def _composed(self, name: str) -> Variant:
        composition = self._compose(name)
        members = [self.get(member) for member in composition.members]
        local = [member.model for member in members if member.model and self._is_local(member.name)]
        return Variant(
            name,
            model=local[0] if local else "",
            revision=":".join([composition.revision, *(member.revision for member in members)]),
            composition=composition,
        )

    def keeps_grammars(self, name: str) -> bool:
        """Say whether a variant can be held to a grammar: one that another engine computes cannot."""
        return self._is_local(name)

    def _is_local(self, name: str) -> bool:
        """Say whether a variant is computed by the language model of the settings."""
        named = set(self._settings.named_variants).difference(self._settings.blends)
        return name != EXTRACTIVE and name not in named

    def check_room(self, variant: Variant) -> None:
        """Check that a variant can take another question, before anything is done for it.

        Raises:
            BusyError: too many wait for the language model.
        """
        self._local.check_room(variant.model)

    async def likelihoods(
        self, name: str, messages: Sequence[Mapping[str, str]], texts: Sequence[str], about: str
    ) -> list[float] | None:
        """Return how likely a variant finds each text behind a prompt; None where it cannot tell.

        Source: the mean of `LocalChatCompletion.likelihoods`.
        """
        service = self._kernel.services.get(name)
        if not isinstance(service, LocalChatCompletion):
            return None
        return await service.likelihoods(messages, texts, most_tokens=_JUDGED_TOKENS, about=about)

    def load(self, name: str) -> None:
        """Load what computes a variant, and those it asks. Blocks.

        Raises:
            UsageError: there is no such variant.
            TekioError: a model cannot be loaded.
        """
        composition = self.get(name).composition
        for member in composition.members if composition is not None else ():
            self.load(member)
        if self._is_local(name):
            self._local.load()

    def close(self) -> None:
        """End the language model and the servers that were started."""
        self._others.close()
        self._local.close()
