"""A policy made of the settings, and what goes with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kernel.chat.adapters import find_adapter, variant_names
from kernel.policies.composition import Measure, PolicyComposition
from kernel.policies.registry import PolicyFolder
from kernel.policies.rewards import Rating
from kernel.policies.settings import PolicySettings
from kernel.settings import Settings
from kernel.techniques import Technique
from plugins.memory.decisions import DecisionStore
from plugins.memory.said import in_postgresql
from plugins.prompt_folders import prompt_folders
from retrieval.errors import UsageError


def make_policy(
    name: str, settings: Settings, *, measure: Measure, feedback: Callable[[], Sequence[Rating]]
) -> PolicyComposition:
    """Return a policy of the settings. An action whose variant is not there fails when it is chosen, and is named then.

    Args:
        name: of the policy.
        settings: that have it.
        measure: measures a question.
        feedback: gives what people said of answers. Blocks.

    Raises:
        UsageError: its safe default is not there, a technique is none, or its file does not fit.
    """
    policy = policy_settings(name, settings)
    check_techniques(name, policy, settings)
    missing = missing_variants(policy, settings)
    default = policy.actions[0].variant
    if default in missing:
        raise UsageError(f"the safe default of policy '{name}' is variant '{default}', which is not there")
    return PolicyComposition(
        name,
        policy,
        policy_folder(name, settings),
        decision_store(settings),
        measure=measure,
        feedback=feedback,
        members=[each for each in policy.asks if each not in missing],
    )


def policy_settings(name: str, settings: Settings) -> PolicySettings:
    """Return a policy of the settings.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in settings.policies:
        known = ", ".join(settings.policies) or "none"
        raise UsageError(
            f"there is no policy '{name}': tekio.toml has {known} (a table [policies.NAME] each)"
        )
    return settings.policies[name]


def check_techniques(name: str, policy: PolicySettings, settings: Settings) -> None:
    """Raise a UsageError where an action's technique is none."""
    known = [*Technique, *(path.name for path in prompt_folders(settings.prompts))]
    for action in policy.actions:
        if action.technique is not None and action.technique not in known:
            raise UsageError(
                f"policy '{name}' has the technique '{action.technique}', which is none; there are {', '.join(known)}"
            )


def missing_variants(policy: PolicySettings, settings: Settings) -> list[str]:
    """Name the variants of a policy's actions that are not there."""
    known = variant_names(settings.adapters, settings.named_variants)
    return [
        each for each in policy.asks if each not in known and find_adapter(each, settings.adapters) is None
    ]


def policy_folder(name: str, settings: Settings) -> PolicyFolder:
    """Return where a policy's files are."""
    return PolicyFolder(settings.policy_files, name)


def decision_store(settings: Settings) -> DecisionStore:
    """Return where decisions are kept: beside conversations and feedback."""
    place = settings.memory_place
    return DecisionStore(place if in_postgresql(place) else settings.memory)
