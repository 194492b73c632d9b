"""Weights for ensembles that mix next tokens: fitted to reference answers, and measured on documents left out.

`fit_token_ensemble` is what `tekio adapt ensemble NAME --questions FILE` does for the rules linear and log_linear.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adaptation.ensembles.mixing_fit import Expected, expected, fit_weights, losses
from kernel.answer import BASE
from kernel.chat.adapters import find_adapter
from kernel.chat.paged.mixing import MixRule
from kernel.comparison import bootstrap_interval, compare
from kernel.ensembles.kinds import Kind, kind_of_question
from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from kernel.ensembles.weights import FittedWeights, fitted_place
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.app import Tekio
    from kernel.chat.paged.generator import BatchedGenerator

Floats = NDArray[np.float64]
_FOLDS = 5
_LEAST_ROWS, _LEAST_DOCUMENTS = 10, 2
_ROWS_OF_PRIOR = 10
"""Rows that the weights of all questions count for among those of a kind."""
_FIRM_DOCUMENTS = 10
"""Documents from which on intervals are over documents; with fewer they are over rows, and too narrow."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A question that no member was trained on, with its reference answer, and the document that it is about."""

    question: str
    answer: str
    document: str
    language: str = "en"
    messages: tuple[Mapping[str, str], ...] = field(default=())
    """The prompt; empty has one made of the passages that are found."""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """What the members expect at each token of an answer."""

    document: str
    kind: Kind
    expected: Expected


@dataclass(frozen=True, slots=True)
class TokenFit:
    """Weights for all questions and for kinds, and what they are worth on documents that were left out."""

    weights: list[float]
    kinds: dict[Kind, list[float]]
    figures: dict[str, Any]

    def lines(self, members: Sequence[str]) -> list[str]:
        """Return the figures as a person reads them."""
        told = self.figures
        found = [
            f"{told['rows']:,} answers, {told['tokens']:,} tokens, {told['documents']:,} documents; loss in nats a "
            f"token on documents left out, with 95 % intervals over {told['intervals_over']}"
        ]
        for name, each in told["losses"].items():
            low, high = each["interval"]
            found.append(f"  {name:28s} {each['mean']:.4f}  [{low:.4f}, {high:.4f}]")
        for name, each in told["differences"].items():
            low, high = each["interval"]
            found.append(f"  {name:44s} {each['mean']:+.4f}  [{low:+.4f}, {high:+.4f}]")
        shown = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(members, self.weights, strict=True))
        found.append(f"weights: {shown}")
        for kind, weights in self.kinds.items():
            shown = ", ".join(f"{name} {each:.2f}" for name, each in zip(members, weights, strict=True))
            found.append(f"  for {kind}: {shown}")
        return found


def fit_token_weights(rule: MixRule, members: Sequence[str], rows: Sequence[ReadRow]) -> TokenFit:
    """Fit weights to all rows; their figures are of fits to the other documents, for each fifth of them.

    Kinds get weights of their own only where these are no worse on documents left out than one set for all.

    Raises:
        UsageError: there are too few rows, or all of them are of one document.
    """
    documents = sorted({row.document for row in rows})
    if len(rows) < _LEAST_ROWS or len(documents) < _LEAST_DOCUMENTS:
        raise UsageError(
            f"{len(rows)} answers of {len(documents)} documents are too few to fit weights to: at least {_LEAST_ROWS} "
            f"of {_LEAST_DOCUMENTS} are needed"
        )
    count = len(members)
    uniform = np.full(count, 1 / count)
    sets: dict[str, Floats] = {"uniform": np.zeros(len(rows)), "fitted": np.zeros(len(rows))}
    sets["fitted by kind"] = np.zeros(len(rows))
    sets |= {name: np.zeros(len(rows)) for name in members}
    fold_of = {document: number % _FOLDS for number, document in enumerate(_shuffled(documents))}
    for fold in range(min(_FOLDS, len(documents))):
        overall, kinds = _fitted(rule, [row for row in rows if fold_of[row.document] != fold], count)
        for place, row in enumerate(rows):
            if fold_of[row.document] != fold:
                continue
            tried = {"uniform": uniform, "fitted": overall, "fitted by kind": kinds.get(row.kind, overall)}
            tried |= {name: np.eye(count)[number] for number, name in enumerate(members)}
            for name, weights in tried.items():
                sets[name][place] = losses(rule, weights, row.expected).mean()
    overall, kinds = _fitted(rule, rows, count)
    by_kind = bool(sets["fitted by kind"].mean() <= sets["fitted"].mean())
    best = min(members, key=lambda name: sets[name].mean())
    over, values = _by_document(rows, sets)
    chosen = "fitted by kind" if by_kind else "fitted"
    figures = {
        "rows": len(rows),
        "tokens": sum(row.expected.tokens for row in rows),
        "documents": len(documents),
        "intervals_over": over,
        "best_member": best,
        "kept": chosen,
        "losses": {
            name: {"mean": float(each.mean()), "interval": list(bootstrap_interval(each))}
            for name, each in values.items()
        },
        "differences": {
            f"{chosen} less {name}": _difference(values[name], values[chosen])
            for name in dict.fromkeys(("uniform", best))
        },
    }
    return TokenFit(
        [round(float(each), 4) for each in overall],
        {kind: [round(float(each), 4) for each in weights] for kind, weights in kinds.items()}
        if by_kind
        else {},
        figures,
    )


def read_rows(
    engine: BatchedGenerator,
    rule: MixRule,
    adapters: Sequence[str | None],
    rows: Sequence[HeldOut],
    *,
    say: Callable[[str], None],
) -> list[ReadRow]:
    """Have every member read the answers behind their prompts. Blocks.

    Raises:
        TekioError: a text does not fit the model.
    """
    found = []
    for number, row in enumerate(rows, 1):
        ids, logits = engine.logits_behind(row.messages, row.answer, adapters)
        found.append(ReadRow(row.document, kind_of_question(row.question), expected(rule, ids, logits)))
        if number % 20 == 0:
            say(f"{number:,} of {len(rows):,} answers read")
    return found


async def fit_token_ensemble(
    tekio: Tekio,
    name: str,
    rows: Sequence[HeldOut],
    *,
    technique: str = "zero_shot",
    say: Callable[[str], None],
) -> tuple[FittedWeights, Path]:
    """Fit the weights of an ensemble of the settings, print what they are worth, and write them where it looks.

    Args:
        tekio: has the index that prompts are made of.
        name: of the ensemble.
        rows: questions with answers; those without an answer are left out.
        technique: how prompts are built.
        say: is given each line.

    Returns:
        the weights, and the file that they are in.

    Raises:
        UsageError: there is no such ensemble, a member cannot be mixed, or there are too few rows.
        TekioError: a member is broken, or the file cannot be written.
    """
    told = ensemble_of_tokens(tekio, name)
    rule: MixRule = "linear" if told.rule == "linear" else "log_linear"
    answered = [row for row in rows if row.answer.strip()]
    prompts = [row if row.messages else await _with_prompt(tekio, row, technique) for row in answered]
    members = [member.variant for member in told.members]

    def run() -> tuple[list[ReadRow], dict[str, str]]:
        from kernel.chat.paged.generator import BatchedGenerator

        settings = tekio.settings
        models = LanguageModels(settings, ModelStore(settings.cache, offline=settings.offline))
        try:
            engines = models.engines()
            folders = {}
            for member in members:
                folder = None if member == BASE else find_adapter(member, settings.adapters)
                if (member != BASE and folder is None) or (why := engines.why_not_batched(folder)):
                    why = "there is no such adapter" if member != BASE and folder is None else why
                    raise UsageError(f"the member '{member}' of the ensemble '{name}' cannot be mixed: {why}")
                folders[member] = folder
            adapters = [engines.bind(folders[member]).adapter for member in members]
            engine = engines.bind(None).generator
            assert isinstance(engine, BatchedGenerator)
            read = read_rows(engine, rule, adapters, prompts, say=say)
            return read, {member: models.revision(folder) for member, folder in folders.items()}
        finally:
            models.close()

    read, revisions = await asyncio.to_thread(run)
    fit = await asyncio.to_thread(fit_token_weights, rule, members, read)
    for line in fit.lines(members):
        say(line)
    made = FittedWeights(
        rule=rule,
        members=members,
        revisions=revisions,
        weights=fit.weights,
        kinds=fit.kinds,
        data_hash=_hash(answered),
        figures=fit.figures,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    place = fitted_place(name, told, tekio.settings.adapters)
    made.write(place)
    say(f"written to {place}")
    return made, place


def ensemble_of_tokens(tekio: Tekio, name: str) -> EnsembleSettings:
    """Return what the settings say of an ensemble that mixes next tokens.

    Raises:
        UsageError: there is none of this name, or it is over whole answers.
    """
    told = tekio.settings.ensembles.get(name)
    if told is None:
        known = ", ".join(tekio.settings.ensembles) or "none"
        raise UsageError(f"there is no ensemble '{name}' in the settings; there are: {known}")
    if told.rule not in TOKEN_RULES:
        raise UsageError(f"the ensemble '{name}' goes by the rule {told.rule}, which mixes no tokens")
    return told


async def _with_prompt(tekio: Tekio, row: HeldOut, technique: str) -> HeldOut:
    settings = tekio.settings
    passages = await tekio.search(row.question, top_k=settings.top_k)
    shown = await tekio.prompt(
        row.question,
        passages,
        language=row.language,
        technique=technique,
        sentences=settings.focus_sentences,
    )
    return HeldOut(row.question, row.answer, row.document, row.language, tuple(map(dict, shown.messages)))


def _fitted(rule: MixRule, rows: Sequence[ReadRow], members: int) -> tuple[Floats, dict[Kind, Floats]]:
    """Return the weights for all rows, and for each kind that there are rows of, held to those for all."""
    length = sum(row.expected.tokens for row in rows) / len(rows)
    uniform = np.full(members, 1 / members)
    overall = fit_weights(rule, [row.expected for row in rows], uniform, length)
    kinds = {
        kind: fit_weights(
            rule,
            [row.expected for row in rows if row.kind == kind],
            overall,
            _ROWS_OF_PRIOR * length,
        )
        for kind in sorted({row.kind for row in rows})
    }
    return overall, kinds


def _shuffled(documents: Sequence[str]) -> list[str]:
    """Return documents in an order that has nothing to do with their names, and is always the same."""
    return sorted(documents, key=lambda name: hashlib.sha256(name.encode()).digest())


def _by_document(rows: Sequence[ReadRow], sets: Mapping[str, Floats]) -> tuple[str, dict[str, Floats]]:
    documents = sorted({row.document for row in rows})
    if len(documents) < _FIRM_DOCUMENTS:
        return "answers", dict(sets)
    places = [[n for n, row in enumerate(rows) if row.document == each] for each in documents]
    return "documents", {
        name: np.array([values[group].mean() for group in places]) for name, values in sets.items()
    }


def _difference(before: Floats, after: Floats) -> dict[str, Any]:
    found = compare(before, after)
    return {"mean": found.difference, "interval": list(found.interval), "p_value": found.p_value}


def _hash(rows: Sequence[HeldOut]) -> str:
    said = [[row.question, row.answer, row.document] for row in rows]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
