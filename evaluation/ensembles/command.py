"""What `tekio evaluate ensemble` does: members asked where that is not recorded, and an ensemble measured by that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from adaptation.ensembles.command import ensemble_of, recorded_cases
from adaptation.ensembles.recording import Asking
from evaluation.ensembles.report import report
from kernel.app import Tekio
from kernel.ensembles.election import Elector
from kernel.ensembles.fitted import Fitted, fitted_place, read_fitted
from kernel.ensembles.settings import EnsembleSettings


async def fitted_of(tekio: Tekio, name: str) -> Fitted | None:
    """Return what was fitted for an ensemble; None for a rule that goes without.

    Raises:
        UsageError: there is no such ensemble, it is not fitted, or it was to other members.
        TekioError: a member is not there.
    """
    told = ensemble_of(tekio, name)
    revisions = (await tekio.recorded_with(told.asks))["variants"]
    return read_fitted(name, told, fitted_place(name, told, tekio.settings.adapters), revisions)


async def evaluate_ensemble(
    tekio: Tekio,
    name: str,
    askings: Sequence[Asking],
    digest: str,
    *,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Return the report of an ensemble over questions, as JSON values.

    Args:
        tekio: answers.
        name: of the ensemble.
        askings: the questions.
        digest: names them.
        say: is told of progress.

    Raises:
        UsageError: there is no such ensemble, or it is not fitted.
        TekioError: a member is not there, or its answers cannot be recorded.
    """
    told, fitted = ensemble_of(tekio, name), await fitted_of(tekio, name)
    cases = await recorded_cases(tekio, name, askings, say=say)
    notices = []
    if fitted is not None and fitted.questions.get("digest") == digest:
        notices.append(
            "these are the very questions that it was fitted to: the figures of `tekio adapt ensemble`, of documents "
            "left out, are the honest ones"
        )

    def elector_of(of: EnsembleSettings) -> Elector:
        return Elector(of, lambda texts: tekio.embed(texts).vectors, fitted)

    return await asyncio.to_thread(report, name, told, cases, elector_of, notices=notices)
