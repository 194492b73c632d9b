"""A training set in words: what is in it, where it is from, and what it shares with questions of a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adaptation.training_sets.card import DataCard


def set_lines(card: DataCard, out: Path) -> list[str]:
    """Return the lines that tell of a set.

    Args:
        card: of the set.
        out: its folder.
    """
    kinds = sorted({kind for counts in card.counts.values() for kind in counts})
    width = max(len(part) for part in card.counts)
    lines = [f"{'':<{width}}  documents" + "".join(f"  {kind:>10}" for kind in kinds)]
    for part, counts in card.counts.items():
        lines.append(
            f"{part:<{width}}  {card.documents[part]:>9,}"
            + "".join(f"  {counts.get(kind, 0):>10,}" for kind in kinds)
        )
    for source in card.sources:
        left = f", {source.left_out:,} left out" if source.left_out else ""
        lines.append(f"from {source.name} ({source.form}): {source.rows:,} rows{left}")
    lines.append(f"said twice and taken out: {card.duplicates:,}")
    for leak in card.leakage:
        lines.append(
            f"shared with {leak.evaluation} ({leak.questions:,} questions): {leak.same:,} ask the same, {leak.alike:,} "
            f"nearly, {leak.seen:,} of documents cited there, {leak.copied:,} texts copied; {leak.removed:,} taken out"
        )
    lines.append(
        f"{out}: `tekio adapt train --data {out} --name NAME` learns from it; its card is {out / 'card.json'}"
    )
    return lines
