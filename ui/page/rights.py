"""Who may do on the page what concerns everyone: start jobs, change what answers, see the settings."""

from __future__ import annotations

from ui.authentication import of_user
from ui.page.here import Here


def may_run(here: Here) -> bool:
    """Say whether somebody runs the service: everyone where users are not told apart, else those of `admins`."""
    if here.caller is None:
        return True
    return bool(here.caller.user) and of_user(here.caller, here.settings).scope == "admin"
