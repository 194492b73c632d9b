"""Which policy serves: what there is of one, and how it is put to serve and taken out, whichever way in asks."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from kernel.policies.making import (
    check_techniques,
    decision_store,
    missing_variants,
    policy_folder,
    policy_settings,
)
from kernel.policies.network import PolicyFile, read_policy
from kernel.settings import Settings
from retrieval.errors import UsageError


class TrainedPolicy(BaseModel):
    """A policy as it was trained, without its weights."""

    made: str = Field(description="when, ISO 8601")
    activated: str = Field(description="when it began to serve; empty for one that has not")
    learned: list[bool] = Field(description="of each action, whether answers of it were seen")
    value: dict[str, Any] = Field(
        description="by off-policy evaluation: doubly robust, IPS, SNIPS, gain over the safe default; `beats_default`"
    )
    trained: dict[str, Any] = Field(description="from what, and how")

    @staticmethod
    def of(file: PolicyFile) -> TrainedPolicy:
        """Return what is shown of a file."""
        return TrainedPolicy(**{name: getattr(file, name) for name in TrainedPolicy.model_fields})

    @property
    def beats_default(self) -> bool:
        """Whether it is better than the safe default beyond chance, so that it may serve without force."""
        return bool(self.value.get("beats_default"))


class PolicyState(BaseModel):
    """A policy of the settings as it stands."""

    policy: str
    actions: list[dict[str, Any]] = Field(description="the first is the safe default")
    missing: list[str] = Field(description="variants of its actions that are not there")
    decisions: int = Field(description="that are kept")
    earlier: int = Field(description="policies that served before and can be rolled back to")
    serving: TrainedPolicy | None = Field(description="null: the safe default answers, exploration aside")
    candidate: TrainedPolicy | None = Field(description="that was trained last")


def policy_state(name: str, settings: Settings) -> PolicyState:
    """Return a policy as it stands. Blocks.

    Raises:
        UsageError: there is none of this name, or a file of it cannot be read.
    """
    policy, folder = policy_settings(name, settings), policy_folder(name, settings)
    files = {
        path: read_policy(path, policy.plain_actions) if path.exists() else None
        for path in (folder.serving, folder.candidate)
    }
    serving, candidate = (None if file is None else TrainedPolicy.of(file) for file in files.values())
    return PolicyState(
        policy=name,
        actions=policy.plain_actions,
        missing=missing_variants(policy, settings),
        decisions=len(decision_store(settings).read(name)),
        earlier=len(folder.earlier()),
        serving=serving,
        candidate=candidate,
    )


def activate(name: str, settings: Settings, *, force: bool = False) -> None:
    """Let the policy that was trained last serve; a running server takes it up with its next question. Blocks.

    Args:
        name: of the policy.
        settings: that have it.
        force: though it is not shown to be better than the safe default.

    Raises:
        UsageError: there is none, none was trained, an action's variant is not there, or it is not shown to be better.
        TekioError: its folder cannot be written.
    """
    policy, folder = policy_settings(name, settings), policy_folder(name, settings)
    check_techniques(name, policy, settings)
    if not folder.candidate.exists():
        raise UsageError(untrained(name))
    file = read_policy(folder.candidate, policy.plain_actions)
    if missing := missing_variants(policy, settings):
        raise UsageError(f"policy '{name}' has actions of variants that are not there: {', '.join(missing)}")
    if not (force or TrainedPolicy.of(file).beats_default):
        gain = file.value.get("gain") or {"value": 0.0, "low": 0.0, "high": 0.0}
        raise UsageError(
            f"policy '{name}' is not shown to be better than its safe default: {estimate(gain, signed=True)} on held "
            "out questions, and the interval must be above 0; record more answers, or force it (--force)"
        )
    folder.activate(file)


def untrained(name: str) -> str:
    """Return what is said of a policy that was never trained."""
    return f"policy '{name}' has not been trained: `tekio adapt policy train {name} --from RUN.json`"


def estimate(each: dict[str, float], *, signed: bool = False) -> str:
    """Return an estimate with its interval of 95 %."""
    form = "+.3f" if signed else ".3f"
    return f"{each['value']:{form}} [{each['low']:{form}}, {each['high']:{form}}]"
