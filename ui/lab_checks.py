"""The checks of `tekio doctor` on models that the lab made, and on runs of it that were stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.failures import describe

if TYPE_CHECKING:
    from kernel.settings import Settings

_MAKE_AGAIN = "make it again under its name with --force, or take its folder away"


def lab_models(settings: Settings) -> Iterator[Check]:
    """Look whether each model can be read and says what it is, and tell of runs that can go on. None is loaded."""
    from adaptation.lab.models import read_card
    from adaptation.lab.work_folder import stopped_runs
    from kernel.lab_models import lab_variant, list_lab_models, writes_text

    for name in list_lab_models(settings.models):
        folder = settings.models / name
        try:
            card = read_card(folder)
            told = f"made in the lab: {card.method}, {card.bytes / 1e6:,.1f} MB"
            if not writes_text(folder):
                yield Check(f"model {name}", OK, f"{told}; it writes no text, so it is no variant")
                continue
            lab_variant(name, folder)
        except TekioError as error:
            yield Check(f"variant {name}", FAIL, describe(error), _MAKE_AGAIN)
            continue
        yield Check(f"variant {name}", OK, told)
    for folder in (settings.models, settings.adapters):
        for name, work in stopped_runs(folder).items():
            yield _stopped(name, work)


def _stopped(name: str, work: Path) -> Check:
    size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    return Check(
        f"making of {name}",
        WARN,
        f"it was stopped before its end, or is under way; {work} has {size / 1e6:,.1f} MB",
        "give the same command with --resume, or take the folder away",
    )
