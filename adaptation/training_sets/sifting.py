"""What is left of the rows that were made: none twice, not too many of a kind, and none that an evaluation shares."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from adaptation.corpus import Part
from adaptation.training_sets.card import LeakageCard
from adaptation.training_sets.cleaning import Evaluation, Leakage, distinct
from adaptation.training_sets.parting import Parts
from adaptation.training_sets.plan import Plan, Questions
from adaptation.training_sets.rows import FILES, Row


def cleaned(by_part: Mapping[Part, Sequence[Row]], plan: Plan) -> tuple[dict[Part, list[Row]], int]:
    """Return the rows without those that say the same as another one, in any part, and not too many of a kind.

    What is measured on comes first, so that a row that stands in two parts is not learned from.
    """
    tagged = [row for part in (Part.MEASURE, Part.CHOOSE, Part.TRAIN) for row in by_part[part]]
    places = {id(row): part for part, rows in by_part.items() for row in rows}
    kept: dict[Part, list[Row]] = {part: [] for part in Part}
    dropped = 0
    for shape in FILES:
        names: Counter[str] = Counter()
        origin: dict[tuple[str, str], Part] = {}
        own = [row for row in tagged if isinstance(row, shape)]
        for row in own:
            origin.setdefault((row.question, row.answer), places[id(row)])
        unique, doubled = distinct(own)
        dropped += doubled
        for row in unique:
            kept[origin[row.question, row.answer]].append(_named_once(row, names))
    drawn = random.Random(plan.seed)  # noqa: S311 - no secret
    for part, rows in kept.items():
        drawn.shuffle(rows)
        if plan.most:
            counts: Counter[str] = Counter()
            few = []
            for row in rows:
                counts[row.kind] += 1
                if counts[row.kind] <= plan.most:
                    few.append(row)
            kept[part] = few
    return kept, dropped


def _named_once(row: Row, names: Counter[str]) -> Row:
    """Return a row under a name that no other has; two sources may name theirs alike."""
    names[row.id] += 1
    count = names[row.id]
    return row if count == 1 else row.model_copy(update={"id": f"{row.id}#{count}"})


def without_leaks(
    by_part: Mapping[Part, list[Row]], against: Sequence[Questions], parts: Parts, plan: Plan
) -> tuple[dict[Part, list[Row]], list[LeakageCard]]:
    """Return the parts without what an evaluation shares with what is learned from or stopped by."""
    kept = {part: list(rows) for part, rows in by_part.items()}
    cards = []
    for each in against:
        evaluation = Evaluation(each.name, each.items, parts.measured(each))
        found: list[Leakage] = [evaluation.leakage(kept[part]) for part in (Part.TRAIN, Part.CHOOSE)]
        shared = frozenset().union(*(leak.rows for leak in found))
        if not plan.keep_leaks:
            for part in (Part.TRAIN, Part.CHOOSE):
                kept[part] = [row for row in kept[part] if row.id not in shared]
        cards.append(
            LeakageCard(
                evaluation=each.name,
                questions=evaluation.count,
                same=sum(len(leak.same) for leak in found),
                alike=sum(len(leak.alike) for leak in found),
                seen=sum(len(leak.seen) for leak in found),
                copied=sum(len(leak.copied) for leak in found),
                removed=0 if plan.keep_leaks else len(shared),
            )
        )
    return kept, cards
