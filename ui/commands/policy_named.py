"""The policy that a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ui.console import quiet_libraries

if TYPE_CHECKING:
    from kernel.policies.settings import PolicySettings
    from kernel.settings import Settings

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="The policy: a table [policies.NAME] of the settings.", show_default=False
    ),
]


def named(name: str, index: str | None) -> tuple[Settings, PolicySettings]:
    """Return the settings, and the policy of this name.

    Raises:
        UsageError: there is none, or one of its techniques is none.
    """
    quiet_libraries()
    from kernel.policies.making import check_techniques, policy_settings
    from kernel.settings import load_settings

    settings = load_settings(index=index)
    policy = policy_settings(name, settings)
    check_techniques(name, policy, settings)
    return settings, policy
