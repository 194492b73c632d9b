"""A training set from its sources: rows made, parted by document, cleaned, counted and written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from adaptation.corpus import Part
from adaptation.training_sets.card import DataCard, FileCard, LeakageCard, SourceCard
from adaptation.training_sets.gathering import gathered
from adaptation.training_sets.parting import NAMES, Parts
from adaptation.training_sets.plan import Plan, Sources
from adaptation.training_sets.rows import FILES, ChatRow, PairRow, Row, TextRow, write_rows
from adaptation.training_sets.sifting import cleaned, without_leaks
from retrieval.errors import UsageError


async def make_set(
    sources: Sources, plan: Plan, out: Path, *, say: Callable[[str], None] = lambda text: None
) -> DataCard:
    """Make a training set and write it to a folder, which must not hold one.

    Raises:
        UsageError: there is nothing to make it of, no row could be made, or the folder is taken.
        TekioError: it cannot be written.
    """
    _check_free(out)
    parts = Parts(sources.corpus, sources.against, plan)
    made = await gathered(sources, plan, parts, say)
    if not made:
        raise UsageError("there is nothing to make rows of: name an index, --questions, --read or --feedback")
    by_part: dict[Part, list[Row]] = {part: [] for part in Part}
    for rows, _ in made:
        for row in rows:
            by_part[parts.of(row)].append(row)
    cards = [card for _, card in made]
    by_part, duplicates = cleaned(by_part, plan)
    by_part, leaks = without_leaks(by_part, sources.against, parts, plan)
    if not by_part[Part.TRAIN]:
        raise UsageError(_nothing(cards))
    return _written(out, by_part, parts, plan, cards, duplicates, leaks, sources)


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder by --out, or remove it")


def _nothing(cards: Sequence[SourceCard]) -> str:
    tried = "; ".join(f"{card.name}: {card.left_out:,} left out" for card in cards)
    return (
        f"no row to learn from could be made ({tried}): a question needs an answer that stands in the index, in a "
        "document that is not held out"
    )


def _written(
    out: Path,
    by_part: Mapping[Part, Sequence[Row]],
    parts: Parts,
    plan: Plan,
    cards: Sequence[SourceCard],
    duplicates: int,
    leaks: Sequence[LeakageCard],
    sources: Sources,
) -> DataCard:
    files: dict[str, FileCard] = {}
    digest = hashlib.sha256()
    for part, rows in by_part.items():
        for shape, name in FILES.items():
            own: list[ChatRow | PairRow | TextRow] = [row for row in rows if isinstance(row, shape)]
            if own:
                path = f"{NAMES[part]}/{name}"
                files[path] = FileCard(rows=len(own), sha256=write_rows(out / path, own))
                digest.update(f"{path}\0{files[path].sha256}\0".encode())
    card = DataCard(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=plan.seed,
        answers=plan.mix.answers,
        technique=plan.mix.technique,
        tone=plan.mix.tone.name if plan.mix.tone is not None else "",
        licence=plan.licence,
        sources=list(cards),
        counts={
            NAMES[part]: dict(sorted(Counter(row.kind for row in rows).items()))
            for part, rows in by_part.items()
        },
        languages=dict(sorted(Counter(row.language for row in by_part[Part.TRAIN]).items())),
        documents=parts.count(by_part),
        duplicates=duplicates,
        leakage=list(leaks),
        files=files,
        hash=digest.hexdigest(),
        index_sha256=sources.corpus.digest if sources.corpus is not None else "",
    )
    card.write(out)
    return card
