"""Who may do on the page what concerns everyone: start jobs, change what answers, see the settings."""

from __future__ import annotations

from ui.page.here import Here


def may_run(here: Here) -> bool:
    """Say whether somebody runs the service: everyone where users are not told apart, else those of `job_users`."""
    return here.caller is None or bool(here.caller.user and here.caller.user in here.settings.job_users)
