"""What a policy is worth, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kernel.policies.settings import PolicySettings


def value_lines(value: dict[str, Any], policy: PolicySettings) -> list[str]:
    """Return the lines of a value, see `adaptation.policies.learning.worth`."""
    from kernel.policies.serving import estimate

    lines = [
        f"{value['questions']} held-out questions of {value['groups']} documents or decisions, mean reward 0 to 1:",
        f"policy, doubly robust  {estimate(value['doubly_robust'])}",
        f"policy, IPS            {estimate(value['ips'])}",
        f"policy, SNIPS          {estimate(value['snips'])}",
        f"safe default           {estimate(value['default'])}",
        f"gain over default      {estimate(value['gain'], signed=True)}",
        f"over the best action   {estimate(value['over_best_fixed'], signed=True)}",
    ]
    for action, fixed in zip(policy.actions, value["fixed"], strict=True):
        lines.append(f"  always {action.label}: " + ("never seen" if fixed is None else f"{fixed:.3f}"))
    return lines


def mean_of(mean: float | None, count: int) -> str:
    """Return a mean reward, and of how many answers it is."""
    return f"{count:,} answers" + ("" if mean is None else f" of mean reward {mean:.3f}")
