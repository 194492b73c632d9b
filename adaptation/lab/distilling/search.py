"""Temperature and mixing by trial: each pair a short training, of which the held-out loss decides."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.finetuning.encoding import Encoded
from adaptation.lab.distilling.plan import MIXINGS, TEMPERATURES, DistilPlan
from adaptation.lab.held_rows import losses_of
from retrieval.whole_files import write_whole


@dataclass(frozen=True, slots=True)
class Trial:
    """A pair that was tried, and the mean held-out loss of rows that it came to, in nats a token."""

    temperature: float
    mixing: float
    loss: float


def search(
    plan: DistilPlan,
    make: Callable[[], Any],
    teacher: Any,
    reaches: Sequence[int],
    rows: Sequence[Encoded],
    held: Sequence[Encoded],
    work: Path,
    say: Callable[[str], None],
) -> tuple[DistilPlan, list[Trial]]:
    """Return the plan with the temperature and mixing that came to the lowest held-out loss, and all trials.

    Each begins with the same student and the same rows. Trials that were done before a kill are not done again.

    Args:
        plan: with the steps of a trial.
        make: gives the student anew.
        teacher: of all of them.
        reaches: see `Student`.
        rows: that are learned.
        held: that decide.
        work: of the run; what was found is kept in it.
        say: is told of each trial.
    """
    from adaptation.lab.distilling.training import train_student

    kept = work / "search.json"
    done = _read(kept)
    for temperature in TEMPERATURES:
        for mixing in MIXINGS:
            if any((each.temperature, each.mixing) == (temperature, mixing) for each in done):
                continue
            model = make()
            folder = work / "trial"
            shutil.rmtree(folder, ignore_errors=True)
            train_student(
                model, rows, held, plan.trial(temperature, mixing), folder, teacher=teacher, reaches=reaches
            )
            shutil.rmtree(folder, ignore_errors=True)
            found = Trial(temperature, mixing, float(losses_of(model, held).mean()))
            say(f"temperature {temperature:g}, mixing {mixing:g}: held-out loss {found.loss:.4f}")
            done.append(found)
            write_whole(kept, json.dumps([asdict(each) for each in done]) + "\n")
    best = min(done, key=lambda each: each.loss)
    return replace(plan, temperature=best.temperature, mixing=best.mixing), done


def _read(path: Path) -> list[Trial]:
    try:
        return [Trial(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
