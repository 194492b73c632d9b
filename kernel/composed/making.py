"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from collections.abc import Callable

from kernel.answering.run import Variant
from kernel.asking import check_technique
from kernel.composed.composition import Composition
from kernel.ensembles.answers import AnswerEnsemble
from kernel.ensembles.clusters import Embed
from kernel.ensembles.fitted import fitted_place, read_fitted
from kernel.ensembles.settings import TOKEN_RULES
from kernel.settings import Settings
from retrieval.errors import UsageError


def compose(
    name: str, settings: Settings, *, embed: Embed, variant_of: Callable[[str], Variant]
) -> Composition:
    """Return how a composed variant of the settings makes its answers.

    Args:
        name: of the variant.
        settings: what they say of it.
        embed: gives vectors of texts; it is not called by this.
        variant_of: gives a variant by its name, found for it.

    Raises:
        UsageError: what it was fitted to cannot be read, or does not fit the settings.
    """
    if name in settings.ensembles and settings.ensembles[name].rule not in TOKEN_RULES:
        return _of_answers(name, settings, embed, variant_of)
    raise UsageError(f"there is no variant '{name}'")


def _of_answers(
    name: str, settings: Settings, embed: Embed, variant_of: Callable[[str], Variant]
) -> AnswerEnsemble:
    told = settings.ensembles[name]
    for member in told.members:
        if member.technique is not None:
            check_technique(member.technique, settings)
    place = fitted_place(name, told, settings.adapters)
    members = [variant_of(each) for each in told.asks]
    fitted = read_fitted(name, told, place, {member.name: member.revision for member in members})
    is_random = any(member.composition is not None and member.composition.is_random for member in members)
    return AnswerEnsemble(name, told, embed=embed, fitted=fitted, is_random=is_random)
