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
from typing import TYPE_CHECKING

from adaptation.ensembles.mixing_fit import expected
from adaptation.ensembles.token_fit import ReadRow, fit_token_weights
from kernel.chat.adapters import find_adapter
from kernel.chat.paged.mixing import MixRule
from kernel.ensembles.fitted import fitted_place
from kernel.ensembles.kinds import kind_of_question
from kernel.ensembles.settings import TOKEN_RULES, EnsembleSettings
from kernel.ensembles.weights import FittedWeights
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.variant_names import BASE
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.app import Tekio
    from kernel.chat.paged.generator import BatchedGenerator


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A question that no member was trained on, with its reference answer, and the document that it is about."""

    question: str
    answer: str
    document: str
    language: str = "en"
    messages: tuple[Mapping[str, str], ...] = field(default=())
    """The prompt; empty has one made of the passages that are found."""


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


def _hash(rows: Sequence[HeldOut]) -> str:
    said = [[row.question, row.answer, row.document] for row in rows]
    return hashlib.sha256(json.dumps(said, ensure_ascii=True).encode()).hexdigest()
