"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.asking import check_technique
from kernel.composed.composition import Composition
from kernel.ensembles.answers import AnswerEnsemble
from kernel.ensembles.fitted import fitted_place, read_fitted
from kernel.ensembles.settings import TOKEN_RULES
from kernel.policies.making import make_policy
from kernel.settings import Settings
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.engine.engine import Engine


def compose(name: str, settings: Settings, engine: Engine) -> Composition:
    """Return how a composed variant of the settings makes its answers. Loads no model.

    Raises:
        UsageError: what it was fitted to cannot be read, or does not fit the settings.
    """
    if name in settings.ensembles and settings.ensembles[name].rule not in TOKEN_RULES:
        return _of_answers(name, settings, engine)
    if name in settings.pipelines:
        from kernel.pipelines.composition import PipelineComposition  # its steps stand on the engine

        return PipelineComposition.of(engine.pipeline(name))
    if name in settings.policies:
        return make_policy(name, settings, measure=engine.measuring.measured, feedback=engine.all_feedback)
    raise UsageError(f"there is no variant '{name}'")


def _of_answers(name: str, settings: Settings, engine: Engine) -> AnswerEnsemble:
    told = settings.ensembles[name]
    for member in told.members:
        if member.technique is not None:
            check_technique(member.technique, settings)
    place = fitted_place(name, told, settings.adapters)
    members = [engine.variants.get(each) for each in told.asks]
    fitted = read_fitted(name, told, place, {member.name: member.revision for member in members})
    is_random = any(member.composition is not None and member.composition.is_random for member in members)
    return AnswerEnsemble(
        name,
        told,
        embed=engine.searching.embed,
        fitted=fitted,
        is_random=is_random,
        likelihoods=engine.variants.likelihoods,
    )
