"""A share of the questions goes to another variant, blind, so that feedback can tell the two apart."""

from __future__ import annotations

import hashlib

from kernel.settings import Settings
from retrieval.access import Caller


def default_variant(
    settings: Settings,
    question: str,
    *,
    usual: str,
    caller: Caller | None = None,
    conversation: str = "",
) -> str:
    """Return who answers where nobody was asked for by name: the variant on trial for its share, else the usual one.

    A conversation stays with one of them, and so does a question that somebody asks again: who gets which follows from
    a hash of who asks and of the conversation, or of the question where there is none.
    """
    if not is_on_trial(settings):
        return usual
    user = "" if caller is None else caller.own_name
    key = f"{settings.trial_variant}\0{user}\0{conversation or question}"
    drawn = int.from_bytes(
        hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big"
    )
    return str(settings.trial_variant) if drawn / (1 << 64) < settings.trial_share else usual


def is_on_trial(settings: Settings) -> bool:
    """Tell whether a variant is on trial, so that nobody should be told which one answered."""
    return bool(settings.trial_variant) and settings.trial_share > 0
