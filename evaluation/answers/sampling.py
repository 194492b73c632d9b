"""A part of a set of questions, the same whenever it is taken, whatever order the file is in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from evaluation.answers.items import Item
from retrieval.errors import UsageError

_FOLD = re.compile(r"(\d+)/(\d+)")


def chosen_items(
    items: Sequence[Item],
    *,
    fold: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    limit: int | None = None,
) -> tuple[Item, ...]:
    """Return the items of a fold, a sample of these, and of that the first, in the order of the file.

    Args:
        items: the questions.
        fold: such as 1/2: those of the first of two parts into which the documents fall. Items of one group,
            which mostly is a document's title, fall into one part, so what was tuned on another is not seen here.
        sample: how many to draw. Each language, answerable and not, and each label has its share.
        seed: of the draw.
        limit: how many to take at most.

    Raises:
        UsageError: the fold is none, or nothing is left.
    """
    chosen = list(items)
    if fold is not None:
        part, parts = _parts(fold)
        chosen = [item for item in chosen if _number(f"fold:{item.group}") % parts == part - 1]
    if sample is not None and sample < len(chosen):
        names = _sample(chosen, sample, seed)
        chosen = [item for item in chosen if item.id in names]
    chosen = chosen[:limit]
    if not chosen:
        raise UsageError("no question is left: take a larger fold, sample or limit")
    return tuple(chosen)


def _parts(fold: str) -> tuple[int, int]:
    match = _FOLD.fullmatch(fold)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise UsageError(f"'{fold}' is no fold: write 1/2 for the first of two parts")
    return part, parts


def _sample(items: Sequence[Item], size: int, seed: int) -> set[str]:
    strata: dict[tuple[object, ...], list[Item]] = {}
    for item in items:
        strata.setdefault((item.language, item.answerable, item.label), []).append(item)
    shares = {key: size * len(of) / len(items) for key, of in strata.items()}
    counts = {key: int(share) for key, share in shares.items()}
    # The largest remainders get what rounding down left over.
    by_remainder = sorted(strata, key=lambda key: (counts[key] - shares[key], str(key)))
    for key in by_remainder[: size - sum(counts.values())]:
        counts[key] += 1
    return {
        item.id
        for key, of in strata.items()
        for item in sorted(of, key=lambda item: _number(f"{seed}:{item.id}"))[: counts[key]]
    }


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
