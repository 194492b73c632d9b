"""From a ranking to the passages that are shown: each text once, not all saying the same, neighbours as one.

A ranking orders rows. Several of them can stand for one text (children of one parent, windows that overlap, copies
of a file), say nearly the same, or follow one another in a document, where one longer passage reads better.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval.chosen import Chosen, Span
from retrieval.errors import UsageError
from retrieval.sections import RowAt, with_sections
from retrieval.stores.interface import Hit

Excerpts = Callable[[Sequence[Span]], Mapping[Span, str]]

_TELLING = 120
"""Characters from which the same text under the same headings is a copy, whatever the documents' titles."""
_LONGEST_GAP = 64
_MOST_MERGED = 4
"""Rows that one passage is made of, at most."""
_POOL = 4
"""Times as many candidates as are wanted, from which unlike ones are chosen."""


@dataclass(frozen=True, slots=True)
class Selection:
    """How passages are chosen from a ranking.

    `collapse` shows a text that stands in several places once. `diversity` is how much being unlike those before it
    counts against being good, 0 (not at all) to 1. `merge` makes one passage of neighbours. `section` shows each
    passage with what stands around it in its section, so many characters at most and whole rows; it leaves nothing
    to merge.
    """

    collapse: bool = False
    diversity: float = 0.0
    merge: bool = False
    section: int = 0

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: the diversity or the characters of a section are out of range.
        """
        if not 0 <= self.diversity <= 1:
            raise UsageError(f"diversity must be between 0 and 1, not {self.diversity}")
        if self.section < 0:
            raise UsageError(f"the characters around a passage must be 0 or more, not {self.section}")


AS_RANKED = Selection()


def select(
    ranked: Sequence[tuple[int, float]],
    rows: Callable[[Sequence[int]], Mapping[int, Hit]],
    excerpts: Excerpts,
    top_k: int,
    how: Selection,
    row_at: RowAt = lambda document_id, number: None,
) -> list[Chosen]:
    """Return up to top_k passages, best first.

    Args:
        ranked: ids and scores of rows, best first.
        rows: gives rows by id, in the order of the ids.
        excerpts: gives the text of spans.
        top_k: how many.
        how: to choose them.
        row_at: gives the rows around one, for `how.section`.
    """

    def together(found: list[Chosen]) -> list[Chosen]:
        if how.section:
            return with_sections(found, row_at, how.section)
        return merged(found, excerpts) if how.merge else found

    candidates = _Candidates(how.collapse)
    pool = top_k if how.diversity == 0 else _POOL * top_k
    found: list[Chosen] = []
    for start in range(0, len(ranked), top_k):
        for hit in rows([row_id for row_id, _ in ranked[start : start + top_k]]).values():
            candidates.add(hit)
        found = candidates.chosen if how.diversity > 0 else together(candidates.chosen)
        if len(found) >= pool:
            break
    if how.diversity > 0 and found:
        scores = dict(ranked)
        vectors = np.stack([_vector(each.hit) for each in found])
        places = maximal_marginal_relevance(
            [scores[each.hit.id] for each in found], vectors, count=top_k, diversity=how.diversity
        )
        found = together([found[place] for place in places])
    return found[:top_k]


class _Candidates:
    """Rows that show different text, in the order in which they came."""

    def __init__(self, collapse: bool) -> None:
        self._collapse = collapse
        self.chosen: list[Chosen] = []
        self._texts: dict[tuple[object, ...], int] = {}

    def add(self, hit: Hit) -> None:
        data = hit.data
        span = (data["document_id"], *(data.get("shown") or (data["start"], data["end"])))
        # Children of one parent, and sentences whose windows overlap, stand for the same text: the best shows it.
        if data.get("shown") and any(_overlap(span, other.span) for other in self.chosen):
            return
        if self._collapse:
            keys = list(_keys(hit, span))
            place = next((self._texts[key] for key in keys if key in self._texts), len(self.chosen))
            self._texts.update(dict.fromkeys(keys, place))
            if place < len(self.chosen):
                self._note(place, data["document"])
                return
        self.chosen.append(Chosen(hit, span, (hit.id,)))

    def _note(self, place: int, document: str) -> None:
        first = self.chosen[place]
        if document != first.hit.data["document"] and document not in first.also_in:
            self.chosen[place] = replace(first, also_in=(*first.also_in, document))


def _keys(hit: Hit, span: Span) -> Iterator[tuple[object, ...]]:
    """Give what a copy of a row has in common with it; what is short says little without its title."""
    data = hit.data
    text = " ".join(unicodedata.normalize("NFKC", data["text"]).split())
    same = (tuple(data["headings"]), span[2] - span[1] if data.get("shown") else 0, text)
    yield (data["title"], *same)
    if len(text) >= _TELLING:
        yield same


def merged(chosen: Sequence[Chosen], excerpts: Excerpts) -> list[Chosen]:
    """Return passages, those of one section that follow one another as one, in the place of the best of them."""
    out: list[Chosen] = []
    for each in chosen:
        out.append(each)
        place = len(out) - 1
        # A passage can close the gap between two that were apart.
        while (other := _neighbour(out, place, excerpts)) is not None:
            place, last = sorted((place, other))
            out[place] = _joined(out[place], out.pop(last))
    return out


def _neighbour(chosen: Sequence[Chosen], place: int, excerpts: Excerpts) -> int | None:
    others = (n for n, each in enumerate(chosen) if n != place and _adjoin(each, chosen[place], excerpts))
    return next(others, None)


def _joined(best: Chosen, other: Chosen) -> Chosen:
    document, start, end = best.span
    return Chosen(
        best.hit,
        (document, min(start, other.span[1]), max(end, other.span[2])),
        (*best.rows, *other.rows),
        tuple(dict.fromkeys((*best.also_in, *other.also_in))),
    )


def _adjoin(one: Chosen, other: Chosen, excerpts: Excerpts) -> bool:
    """Tell whether two passages follow one another in a section, with nothing but space between them."""
    first, second = sorted((one.span, other.span))
    if first[0] != second[0] or len(one.rows) + len(other.rows) > _MOST_MERGED:
        return False
    if one.hit.data["headings"] != other.hit.data["headings"]:
        return False
    if second[1] - first[2] > _LONGEST_GAP:
        return False
    gap = (first[0], first[2], second[1])
    return second[1] <= first[2] or not excerpts([gap])[gap].strip()


def _overlap(span: Span, other: Span) -> bool:
    return span[0] == other[0] and span[1] < other[2] and other[1] < span[2]


def _vector(hit: Hit) -> NDArray[np.float32]:
    assert hit.vector is not None
    return hit.vector


def maximal_marginal_relevance(
    scores: Sequence[float], vectors: NDArray[np.float32], *, count: int, diversity: float
) -> list[int]:
    """Return the places of `count` candidates, each good and unlike those chosen before it.

    Source: Carbonell and Goldstein, "The Use of MMR", SIGIR 1998. Scores and likenesses are each spread over 0 to 1,
    since they are of different scales.

    Args:
        scores: of the candidates, best first.
        vectors: theirs, shape (n, dimension), of length one.
        count: how many to choose.
        diversity: 0 chooses by score alone, 1 by being unlike the others alone; the first is always the best.
    """
    if not len(scores):
        return []
    relevance = _spread(np.array(scores, np.float64))
    likeness = _spread(np.asarray(vectors @ vectors.T, np.float64))
    chosen = [0]
    left = list(range(1, len(scores)))
    while left and len(chosen) < count:
        nearest = likeness[np.ix_(left, chosen)].max(axis=1)
        value = (1 - diversity) * relevance[left] - diversity * nearest
        chosen.append(left.pop(int(value.argmax())))
    return chosen


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
