"""The smallest variant of a model within a device's limits: chains of steps are made, measured and held against them.

What is made is kept while the search goes on: a chain is made of the one before its last step, and a search that was
stopped goes on behind the last chain that was measured, to the same end.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adaptation.lab.compressing.limits import Cost, Limits, cost_of
from adaptation.lab.compressing.steps import Chain, Step, chains_of, name_of
from adaptation.lab.figures import ModelFigures
from adaptation.lab.models import LabCard, keep_written, read_card
from kernel.lab_models import LAB_CARD
from retrieval.errors import TekioError, UsageError
from retrieval.whole_files import write_whole

TRIED_FILE = "tried.json"
_HOPELESS = 10.0
"""Times the loss that is allowed, from which nothing but a teacher brings a model back."""

Measure = Callable[[Path, bool], ModelFigures]
"""Returns the figures of a model; with True those of its answers too, which take longest."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A chain that was made and measured; one that was not says why.

    Attributes:
        name: of the chain.
        cost: what it takes; None where it was not measured.
        figures: of it.
        fits: it is within all limits.
        why: it was left out, or failed.
    """

    name: str
    cost: Cost | None = None
    figures: ModelFigures | None = None
    fits: bool = False
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "cost": None if self.cost is None else asdict(self.cost),
            "figures": None if self.figures is None else self.figures.model_dump(),
            "fits": self.fits,
            "why": self.why,
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Tried:
        """Return what `as_dict` wrote."""
        cost = None if told["cost"] is None else Cost(**told["cost"])
        figures = None if told["figures"] is None else ModelFigures.model_validate(told["figures"])
        return cls(told["name"], cost, figures, told["fits"], told["why"])


@dataclass(slots=True)
class Found:
    """What a search came to.

    Attributes:
        before: figures of the model that it began with.
        tried: all chains, in the order in which they were tried, the empty one first: the model as it is.
        cut: time ran out before all were.
    """

    before: ModelFigures
    tried: list[Tried] = field(default_factory=list)
    cut: bool = False

    @property
    def best(self) -> Tried | None:
        """The smallest that is within all limits, of equal ones the one that lost least."""
        fitting = [each for each in self.tried if each.fits and each.cost is not None]
        return min(fitting, key=_size, default=None)

    def nearest(self, limits: Limits) -> Tried | None:
        """Return the one whose worst miss is least."""

        def worst(tried: Tried) -> float:
            return max(limits.misses(tried.cost).values(), default=0.0) if tried.cost else float("inf")

        return min((each for each in self.tried if each.cost is not None), key=worst, default=None)


def search(
    base: Path,
    steps: Sequence[Step],
    limits: Limits,
    measure: Measure,
    work: Path,
    *,
    digest: str = "",
    resume: bool = False,
    force: bool = False,
    minutes: float = 0.0,
    say: Callable[[str], None] = lambda text: None,
) -> Found:
    """Try the chains of some steps, and return what each takes; what was made is in `work`, under the chains' names.

    A model that is too large or too slow is not asked for its answers, nor is one that is larger than another that
    fits: it cannot be chosen.

    Args:
        base: folder of the model to begin with.
        steps: that chains are made of.
        limits: of the device.
        measure: gives figures.
        work: folder of what is made.
        digest: tells this search from others, so that none goes on as another.
        resume: go on with a search that was stopped.
        force: begin anew where one was stopped.
        minutes: after which no further chain is begun; 0 tries them all.
        say: is told how it goes.

    Raises:
        UsageError: a search was stopped and neither resume nor force is given, or there is none to resume.
        TekioError: the folder cannot be written.
    """
    noted = _begin(work, digest, resume=resume, force=force)
    began = time.monotonic()
    if noted is None:
        say("measuring what it begins with")
        before = measure(base, True)
        cost = cost_of(base, before, before)
        found = Found(before, [Tried(name_of(()), cost, before, fits=not limits.misses(cost))])
        _note(work, digest, found)
    else:
        found = noted
    done = {each.name: each for each in found.tried}
    chains = chains_of(steps)
    for number, chain in enumerate(chains, start=1):
        name = name_of(chain)
        if name in done:
            continue
        if minutes and time.monotonic() - began > 60 * minutes:
            found.cut = True
            break
        say(f"{number} of {len(chains)}: {name}")
        tried = _try(base, chain, limits, measure, work, found, done)
        if tried.why:
            say(f"{name}: {tried.why}")
        done[name] = tried
        found.tried.append(tried)
        _note(work, digest, found)
    return found


def hand_over(tried: Tried, work: Path, out: Path, card: LabCard, *, force: bool = False) -> Path:
    """Copy what a search made to its place, with a card of its own; return its folder.

    Raises:
        UsageError: there is a model of this name.
        TekioError: it cannot be written.
    """
    made = work / tried.name
    told = read_card(made)

    def write(target: Path) -> None:
        shutil.copytree(made, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(LAB_CARD))

    return keep_written(out, write, card.model_copy(update={"parameters": told.parameters}), force=force)


def _try(
    base: Path,
    chain: Chain,
    limits: Limits,
    measure: Measure,
    work: Path,
    found: Found,
    done: dict[str, Tried],
) -> Tried:
    """Make and measure one chain; one that fails is left out, and the others are tried."""
    name = name_of(chain)
    before = done[name_of(chain[:-1])]
    if why := _why_not(before, chain[-1], limits):
        return Tried(name, why=why)
    source = work / before.name if chain[:-1] else base
    folder = work / name
    try:
        if not (folder / LAB_CARD).is_file():
            chain[-1].make(source, folder)
        figures = measure(folder, False)
        plain = found.before.model_copy(update={"quality": {}})
        cost = cost_of(folder, plain, figures)
        best = found.best
        if best is not None and best.cost is not None and best.cost.memory <= cost.memory:
            return Tried(name, cost, figures, why=f"it is larger than {best.name}, which fits")
        cannot = [each for each in limits.misses(cost) if each != "max-loss"]
        if not found.before.quality or cannot:
            return Tried(name, cost, figures, fits=not limits.misses(cost))
        figures = measure(folder, True)
    except TekioError as error:
        return Tried(name, why=str(error))
    cost = cost_of(folder, found.before, figures)
    return Tried(name, cost, figures, fits=not limits.misses(cost))


def _why_not(before: Tried, step: Step, limits: Limits) -> str:
    """Return why a chain is not made of another; empty where it is."""
    if before.cost is None:
        return f"it would be made of {before.name}, which was left out"
    if step.kind != "distil" and limits.loss and before.cost.loss > _HOPELESS * limits.loss:
        return f"{before.name} lost {100 * before.cost.loss:.0f} % already"
    return ""


def _begin(work: Path, digest: str, *, resume: bool, force: bool) -> Found | None:
    """Make the folder of a search; return what one that was stopped had found."""
    file = work / TRIED_FILE
    try:
        held = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
        if resume:
            if held is None:
                raise UsageError("no such search was stopped: leave out --resume")
            if held["digest"] != digest:
                raise UsageError(
                    "the search that was stopped had another model, set or other limits: give the same ones, or "
                    "--force in place of --resume"
                )
            tried = [Tried.from_dict(each) for each in held["tried"]]
            return Found(ModelFigures.model_validate(held["before"]), tried)
        if held is not None and not force:
            raise UsageError(
                "a search was stopped before its end: --resume goes on with it, --force begins anew"
            )
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
    except OSError as error:
        raise TekioError(f"{work} cannot be written ({error.strerror or error}): free some space") from error
    return None


def _note(work: Path, digest: str, found: Found) -> None:
    held = {
        "digest": digest,
        "before": found.before.model_dump(),
        "tried": [each.as_dict() for each in found.tried],
    }
    write_whole(work / TRIED_FILE, json.dumps(held) + "\n")


def _size(tried: Tried) -> tuple[int, float]:
    assert tried.cost is not None
    return tried.cost.memory, tried.cost.loss


__all__ = ["Found", "Measure", "Tried", "hand_over", "search"]
