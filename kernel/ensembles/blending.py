"""Ensembles that mix next tokens: which members can be, and the service that is made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel.chat.adapters import OtherBaseError, check_adapter, find_adapter, vocabulary_of
from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.mixing import MixRule
from kernel.ensembles.blending_chat import Blend, BlendChatCompletion, Member
from kernel.ensembles.fitted import fitted_place
from kernel.ensembles.settings import EnsembleSettings
from kernel.ensembles.weights import read_weights, weights_of
from kernel.variant_names import BASE, EXTRACTIVE
from kernel.variant_settings import VariantSettings
from retrieval.errors import TekioError, UsageError, first_line

_APART = "which has its own tokenizer and does not share a batch"
_COMPUTED_BY: Mapping[str, str] = {
    "openai": f"another server, {_APART}",
    "llama.cpp": f"llama.cpp's server, {_APART}",
    "seq2seq": f"an engine of its own, {_APART}",
    "local": "an engine of its own, which does not share a batch",
}


@dataclass(frozen=True, slots=True)
class Blended:
    """A service over several members, the languages that all of them speak, and what changes with them."""

    service: BlendChatCompletion
    languages: frozenset[str]
    revision: str


class Blending:
    """Makes services of the settings' ensembles over the base and its adapters.

    Args:
        engines: compute the base and its adapters.
        adapters: the folder that adapters are in.
        servers: the variants that servers compute.
        composed: the names of variants that are composed of others.
        languages: that the base speaks.
        revision_of: gives what changes with the base, or with an adapter's folder.
    """

    def __init__(
        self,
        engines: LocalEngines,
        *,
        adapters: Path,
        servers: Mapping[str, VariantSettings],
        composed: Sequence[str],
        languages: Sequence[str],
        revision_of: Callable[[Path | None], str],
    ) -> None:
        self._engines, self._adapters = engines, adapters
        self._servers, self._composed = servers, composed
        self._languages = frozenset(languages)
        self._revision_of = revision_of

    def make(self, name: str, told: EnsembleSettings) -> Blended:
        """Return the service of an ensemble, its adapters loaded. Blocks.

        A member that is broken takes no part, which answers say.

        Raises:
            UsageError: a member cannot be mixed with the others, none of them is whole, or the weights do not fit.
        """
        folders = {member.variant: self._folder(name, member.variant) for member in told.members}
        members: list[Member] = []
        languages = [self._languages]
        for variant, folder in folders.items():
            try:
                members.append(Member(variant, self._engines.bind(folder).adapter))
                if folder is not None:
                    card = check_adapter(folder, base=self._engines.name, base_folder=self._engines.folder)
                    languages.append(frozenset(card.languages) or self._languages)
            except TekioError as error:
                members.append(Member(variant, error=first_line(error)))
        whole = [each for each in members if not each.error]
        if not whole:
            raise UsageError(f"no member of the ensemble '{name}' can answer: {members[0].error}")
        revisions = {each.variant: self._revision_of(folders[each.variant]) for each in whole}
        fitted = read_weights(name, told, fitted_place(name, told, self._adapters), revisions)
        weights = weights_of(told, fitted)
        rule: MixRule = "linear" if told.rule == "linear" else "log_linear"
        blend = Blend(rule, tuple(members), weights)
        service = BlendChatCompletion(
            service_id=name, generator=self._engines.bind(None).generator, blend=blend
        )
        parts = [rule, weights.digest, *(f"{each}={revision}" for each, revision in revisions.items())]
        return Blended(service, frozenset.intersection(*languages), ":".join(["blend", *parts]))

    def _folder(self, name: str, variant: str) -> Path | None:
        """Return the folder of a member's adapter, None for the base.

        Raises:
            UsageError: the member has other tokens, or is computed by what does not tell which may come next.
        """
        start = f"the ensemble '{name}' mixes next tokens, but its member '{variant}'"
        hint = "take it out, or take a rule over whole answers, such as majority"
        if variant == EXTRACTIVE:
            raise UsageError(f"{start} quotes sentences and writes no tokens; {hint}")
        if variant in self._composed:
            raise UsageError(f"{start} is composed of other variants; {hint}")
        if variant in self._servers:
            engine = self._servers[variant].engine
            raise UsageError(f"{start} is computed by {_COMPUTED_BY[engine]}; {hint}")
        folder = None
        if variant != BASE:
            folder = find_adapter(variant, self._adapters)
            if folder is None:
                raise UsageError(f"{start} is not there: no adapter of this name is in {self._adapters}")
            self._check_same_tokens(start, folder, hint)
        if why := self._engines.why_not_batched():
            raise UsageError(f"{start} is computed one answer at a time, as {why}; {hint}")
        if folder is not None and self._is_whole(folder) and (why := self._engines.why_not_batched(folder)):
            raise UsageError(f"{start} is computed one answer at a time: {why}; {hint}")
        return folder

    def _is_whole(self, folder: Path) -> bool:
        try:
            check_adapter(folder, base=self._engines.name, base_folder=self._engines.folder)
        except UsageError:
            return False
        return True

    def _check_same_tokens(self, start: str, folder: Path, hint: str) -> None:
        base = self._engines.folder
        try:
            own, bases = vocabulary_of(folder), vocabulary_of(base)
        except (OSError, ValueError, KeyError):
            own = bases = b""  # it is broken, which loading it says
        if own and own != bases:
            raise UsageError(
                f"{start} has another tokenizer ({_short(own)}) than {self._engines.name} ({_short(bases)}); {hint}"
            )
        try:
            check_adapter(folder, base=self._engines.name, base_folder=base)
        except OtherBaseError as error:
            raise UsageError(f"{start} cannot be mixed: {error}; {hint}") from error
        except UsageError:
            pass  # it is broken, which takes it out, but not the others


def _short(vocabulary: bytes) -> str:
    return hashlib.sha256(vocabulary).hexdigest()[:8]
