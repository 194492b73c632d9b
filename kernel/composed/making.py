"""Which variants of the settings are composed, and how each is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.asking import check_technique
from kernel.composed.composition import Composition
from kernel.ensembles.answers import AnswerEnsemble
from kernel.ensembles.fitted import fitted_place, read_fitted
from kernel.ensembles.settings import TOKEN_RULES, MemberSettings
from kernel.policies.making import make_policy
from kernel.settings import Settings
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.engine import Engine


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
        return make_policy(name, settings, measure=engine.measured, feedback=engine.all_feedback)
    raise UsageError(f"there is no variant '{name}'")


def _of_answers(name: str, settings: Settings, engine: Engine) -> AnswerEnsemble:
    told = settings.ensembles[name]
    for member in told.members:
        if member.technique is not None:
            check_technique(member.technique, settings)
    for member in told.members:
        _check_voters(name, member, engine)
    place = fitted_place(name, told, settings.adapters)
    members = [engine.variant(each) for each in told.asks]
    fitted = read_fitted(name, told, place, {member.name: member.revision for member in members})
    is_random = any(member.composition is not None and member.composition.is_random for member in members)
    return AnswerEnsemble(
        name, told, embed=engine.embed, fitted=fitted, is_random=is_random, likelihoods=engine.likelihoods
    )


def _check_voters(name: str, member: MemberSettings, engine: Engine) -> None:
    """Raise a UsageError where variants cannot write on from one draft together."""
    if not member.step_voters:
        return
    voting = [engine.variant(each) for each in (member.variant, *member.step_voters)]
    start = f"the member '{member.name}' of the ensemble '{name}' votes on steps with"
    for each in voting:
        if not each.goes_on:
            raise UsageError(
                f"{start} '{each.name}', which cannot write on from a draft: the base, its adapters and mixtures can"
            )
        if not (each.languages or frozenset()) >= (voting[0].languages or frozenset()):
            raise UsageError(f"{start} '{each.name}', which does not speak all its languages: leave it out")
