"""Whether a composed variant can answer: its members are there, and what was fitted for it is there and fits it."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.answer import BASE, EXTRACTIVE
from kernel.asking import check_technique
from kernel.chat.adapters import find_adapter
from kernel.ensembles.fitted import fitted_place, read_fitted
from kernel.ensembles.settings import FITTED_RULES, TOKEN_RULES, EnsembleSettings
from kernel.ensembles.weights import read_weights
from kernel.pipelines.settings import PipelineSettings
from kernel.policies.making import policy_folder
from kernel.policies.network import read_policy
from kernel.policies.settings import PolicySettings
from kernel.settings import Settings
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Standing:
    """How a composed variant stands."""

    fitted: bool | None = None
    """Whether something was fitted for it; None where nothing can be."""
    problem: str = ""
    """Why it cannot answer; empty where it can."""
    answers: bool = True
    """False for a pipeline of which no step answers, so that it is run, and not asked."""


def standing(name: str, settings: Settings) -> Standing:
    """Look how a composed variant of the settings stands. Loads no model, and asks no member.

    That a member was trained anew since something was fitted to it is seen when the variant is asked.
    """
    made = settings.composed[name]
    if missing := [asked for asked in made.asks if not _is_there(asked, settings)]:
        return Standing(
            problem=f"it asks {', '.join(missing)}, which is no variant (`tekio models` lists them)"
        )
    if isinstance(made, PipelineSettings):
        return Standing(answers=made.answering is not None)
    parts = made.members if isinstance(made, EnsembleSettings) else made.actions
    fitted = None
    try:
        for part in parts:
            if part.technique is not None:
                check_technique(part.technique, settings)
        if isinstance(made, EnsembleSettings) and made.rule in FITTED_RULES:
            place = fitted_place(name, made, settings.adapters)
            fitted = place.is_file()
            (read_weights if made.rule in TOKEN_RULES else read_fitted)(name, made, place, {})
        elif isinstance(made, PolicySettings):
            serving = policy_folder(name, settings).serving
            fitted = serving.is_file()
            if fitted:
                read_policy(serving, made.plain_actions)
    except UsageError as error:
        return Standing(fitted, str(error))
    return Standing(fitted)


def _is_there(name: str, settings: Settings) -> bool:
    known = (BASE, EXTRACTIVE, *settings.named_variants)
    return name in known or find_adapter(name, settings.adapters) is not None
