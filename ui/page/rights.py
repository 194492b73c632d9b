"""What somebody may do on the page, by the same settings as over the API: see `ui/authentication.py`."""

from __future__ import annotations

from ui.authentication import is_admin
from ui.page.here import Here


def may_run(here: Here) -> bool:
    """Say whether somebody runs the service: starts jobs, chooses who answers, sees the settings."""
    return here.caller is None or is_admin(here.caller, here.settings)


def may_change(here: Here) -> bool:
    """Say whether somebody may add and change documents."""
    return may_run(here) or here.settings.user_scope == "write"
