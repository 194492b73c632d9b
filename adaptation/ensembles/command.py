"""What `tekio adapt ensemble` does: members asked, a rule fitted, and what it is worth on documents left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.ensembles.cases import Case, cases_of
from adaptation.ensembles.fitting import check_fits, fit
from adaptation.ensembles.recording import Asking, record
from kernel.app import Tekio
from kernel.comparison import bootstrap_interval, compare
from kernel.ensembles.election import Elector
from kernel.ensembles.fitted import fitted_place, write_fitted
from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from retrieval.errors import UsageError

_SUFFIX = ".answers.jsonl"


@dataclass(frozen=True, slots=True)
class Adapted:
    """What was fitted for an ensemble, where it is, and its figures as JSON values."""

    path: Path
    rule: str
    figures: dict[str, Any]


def ensemble_of(tekio: Tekio, name: str) -> EnsembleSettings:
    """Return what the settings say of an ensemble over whole answers.

    Raises:
        UsageError: there is none of this name, or its rule mixes tokens.
    """
    told = tekio.settings.ensembles.get(name)
    if told is None:
        known = ", ".join(tekio.settings.ensembles) or "none"
        raise UsageError(f"there is no ensemble '{name}' in the settings; there are: {known}")
    if told.rule in TOKEN_RULES:
        raise UsageError(
            f"the rule {told.rule} of '{name}' mixes tokens, not answers: set it beside its members by "
            f"`tekio evaluate answers --variants {','.join([name, *told.asks])} --questions FILE`"
        )
    return told


def journal_of(tekio: Tekio, name: str) -> Path:
    """Return the file in which the members' answers are recorded."""
    place = fitted_place(name, tekio.settings.ensembles[name], tekio.settings.adapters)
    return place.with_suffix(_SUFFIX)


async def recorded_cases(
    tekio: Tekio, name: str, askings: Sequence[Asking], *, say: Callable[[str], None]
) -> list[Case]:
    """Return the questions with the members' answers, asked where they are not recorded yet.

    Raises:
        UsageError: no member answered any question.
        TekioError: a member is not there, or the answers cannot be written.
    """
    told = ensemble_of(tekio, name)
    records = await record(tekio, askings, told, journal_of(tekio, name), say=say)
    elector = Elector(told, lambda texts: tekio.embed(texts).vectors)
    cases = await asyncio.to_thread(cases_of, askings, records, told, elector)
    if not cases:
        first = next(iter(records.values()))
        raise UsageError(f"no member answered any question; {first.member}: {first.error}")
    return cases


async def adapt_ensemble(
    tekio: Tekio,
    name: str,
    askings: Sequence[Asking],
    about: Mapping[str, Any],
    *,
    say: Callable[[str], None],
) -> Adapted:
    """Fit an ensemble to questions and write what was fitted.

    Args:
        tekio: answers.
        name: of the ensemble.
        askings: the questions.
        about: names them.
        say: is told of progress.

    Raises:
        UsageError: there is nothing to fit, or too little to fit it to.
        TekioError: a member is not there, or a file cannot be written.
    """
    told = ensemble_of(tekio, name)
    check_fits(told)
    cases = await recorded_cases(tekio, name, askings, say=say)
    revisions = (await tekio.recorded_with(told.asks))["variants"]

    def embed(texts: Sequence[str]) -> Any:
        return tekio.embed(texts).vectors

    say(f"fitting to {len(cases):,} questions")
    found = await asyncio.to_thread(fit, cases, told, lambda fitted: Elector(told, embed, fitted))
    members = [member.name for member in told.members]
    worth = np.array([case.worth for case in cases])
    best = int(worth.mean(axis=0).argmax())
    against = compare(worth[:, best], found.worth)
    figures = {
        "questions": len(cases),
        "documents": len({case.group for case in cases}),
        "ensemble": {"worth": float(found.worth.mean()), "interval": list(bootstrap_interval(found.worth))},
        "members": {
            member: {
                "worth": float(worth[:, place].mean()),
                "interval": list(bootstrap_interval(worth[:, place])),
            }
            for place, member in enumerate(members)
        },
        "refusing_all": float(np.mean([case.refused for case in cases])),
        "best_member": members[best],
        "gain": against.difference,
        "gain_interval": list(against.interval),
        "p_value": against.p_value,
    }
    fitted = found.fitted.model_copy(
        update={
            "revisions": revisions,
            "questions": dict(about),
            "figures": figures,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    place = fitted_place(name, told, tekio.settings.adapters)
    write_fitted(place, fitted)
    if fitted.weights is not None:
        figures = figures | {
            "weights": dict(zip(members, fitted.weights, strict=True)),
            "kinds": {
                kind: dict(zip(members, weights, strict=True)) for kind, weights in fitted.kinds.items()
            },
        }
    return Adapted(place.absolute(), told.rule, figures)
