"""`evaluate trial`: which of two variants people like better, by their thumbs."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.console import print_json, print_text
from ui.opening import opened
from ui.options import IndexOption, JsonFlag

SinceOption = Annotated[
    str, typer.Option("--since", metavar="DATE", help="Count what was said from then on, such as 2026-11-01.")
]


def evaluate_trial(since: SinceOption = "", as_json: JsonFlag = False, index: IndexOption = None) -> None:
    """Count the thumbs of each variant, and compare the one on trial (`trial_variant`) with the usual one."""
    from evaluation.trial import count_trial, lines

    with opened(index) as tekio:
        usual, tried = tekio.default_variant(), tekio.settings.trial_variant
        said = tekio.memory.feedback(everybody=True)
    found = count_trial(said, usual, tried, since=since)
    if as_json:
        print_json(found.as_dict())
    else:
        print_text("\n".join(lines(found, usual, tried)))
