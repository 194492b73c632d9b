"""What every strategy does: leave room for the context, cut units to it, and check the cap at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.assemble import Assembled
from ingest.blocks import BlockKind
from ingest.context import ContextFitter, CountTokens, embedding_texts
from ingest.sections import Section
from ingest.strategies import Chunking
from ingest.units import Unit, halves, refine
from retrieval.records import Chunk

# Line ends between units and the one after the context; most tokenizers count none of them.
_SLACK = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """Units that become one chunk, and the span that is shown in its place where that is another."""

    path: tuple[str, ...]
    units: list[Unit]
    shown: tuple[int, int] | None = None

    @property
    def span(self) -> tuple[int, int]:
        """The characters from its first unit to its last."""
        return self.units[0].start, self.units[-1].end

    @property
    def headings(self) -> tuple[str, ...]:
        """What its text stands under: the headings, and in a later piece of a table the table's header."""
        header = self.units[0].header
        return (*self.path, header) if header else self.path


class Job:
    """One document that is being cut."""

    def __init__(
        self, assembled: Assembled, count_tokens: CountTokens, chunking: Chunking, title: str
    ) -> None:
        self.assembled = assembled
        self.text = assembled.text
        self.count_tokens = count_tokens
        self.chunking = chunking
        self.title = title
        self.fitter = ContextFitter(count_tokens, chunking.max_tokens)

    def room(self, paths: Sequence[tuple[str, ...]]) -> int:
        """Return the tokens that the context leaves to a text under any of these headings."""
        used = max(self.fitter.fit(self.title, path)[2] for path in paths)
        return max(1, self.chunking.max_tokens - used - _SLACK)

    def fitted(self, sections: Sequence[Section], ceiling: int) -> Iterator[tuple[Section, int]]:
        """Yield each section with its units cut to size, and the tokens that a chunk of it may have.

        That is what the context leaves, or `ceiling` where it is less.
        """
        self.fitter.prepare([(self.title, path) for section in sections for path in section.contexts()])
        budgets = [min(ceiling, self.room(section.contexts())) for section in sections]
        return self.cut(sections, budgets)

    def cut(self, sections: Sequence[Section], budgets: Sequence[int]) -> Iterator[tuple[Section, int]]:
        """Yield each section with its units cut to its budget."""
        limits = [
            limit
            for section, budget in zip(sections, budgets, strict=True)
            for limit in _limits(section.units, budget)
        ]
        units = [unit for section in sections for unit in section.units]
        parts = iter(refine(self.text, units, limits, self.count_tokens))
        for section, budget in zip(sections, budgets, strict=True):
            yield Section(section.path, [part for _ in section.units for part in next(parts)]), budget

    def chunks(self, plans: Sequence[Plan]) -> list[Chunk]:
        """Return the chunks of plans, none of which is over the cap with its context."""
        return [self._chunk(plan) for plan in self.settled(plans, self._embedded, self.chunking.max_tokens)]

    def settled(
        self, plans: Sequence[Plan], measure: Callable[[Sequence[Plan]], list[int]], cap: int
    ) -> list[Plan]:
        """Cut plans that are too long after all: joined texts can cost more than their parts."""
        done: list[tuple[Plan, bool]] = [(plan, False) for plan in plans]
        while True:
            open_plans = [plan for plan, known in done if not known]
            if not open_plans:
                return _without_contained([plan for plan, _ in done])
            tokens = iter(measure(open_plans))
            smaller: list[tuple[Plan, bool]] = []
            for plan, known in done:
                if known or next(tokens) <= cap:
                    smaller.append((plan, True))
                else:
                    parts = _smaller(self.text, plan, self.count_tokens)
                    # A part that cannot be cut is as short as it gets.
                    smaller += [(part, len(parts) == 1) for part in parts]
            done = smaller

    def _embedded(self, plans: Sequence[Plan]) -> list[int]:
        texts = embedding_texts(
            [self._chunk(plan) for plan in plans],
            self.title,
            self.count_tokens,
            self.chunking.max_tokens,
            fitter=self.fitter,
        )
        return self.count_tokens(texts)

    def _chunk(self, plan: Plan) -> Chunk:
        start, end = plan.span
        return Chunk(
            self.text[start:end],
            start,
            end,
            page=plan.units[0].page,
            headings=self.fitter.fit(self.title, plan.headings)[1],
            shown=plan.shown if plan.shown != (start, end) else None,
        )


def _limits(units: Sequence[Unit], budget: int) -> Iterator[int]:
    """Yield the tokens that each unit may have: a heading must have room for the beginning of its text."""
    runs, run = [], 0
    for unit in units:
        run = run + unit.tokens if unit.sticky else 0
        runs.append(run)
    sticky = max(runs, default=0)
    beside = budget - sticky if sticky <= budget // 2 else max(1, budget // 2)
    for index, unit in enumerate(units):
        alone = index == 0 or not units[index - 1].sticky
        # Code is cut only where it has to be.
        yield budget if alone and unit.kind is BlockKind.CODE else beside


def _smaller(text: str, plan: Plan, count_tokens: CountTokens) -> list[Plan]:
    return [Plan(plan.path, units, plan.shown) for units in _parted(text, plan.units, count_tokens) if units]


def _parted(text: str, units: list[Unit], count_tokens: CountTokens) -> list[list[Unit]]:
    if len(units) == 1:
        return [[part] for part in halves(text, units[0], count_tokens)]
    middle = len(units) // 2
    pairs = list(enumerate(pairwise(units), start=1))
    # Not between a heading and its text, where there is another place; rows carry the header of their table.
    places = (
        [place for place, (before, _) in pairs if not before.sticky]
        or [place for place, (_, after) in pairs if after.header and not after.sticky]
        or [place for place, (before, _) in pairs if before.kind is not BlockKind.HEADING]
    )
    if places:
        middle = min(places, key=lambda place: abs(place - middle))
    elif units[-1].kind is not BlockKind.HEADING:
        first, *rest = halves(text, units[-1], count_tokens)
        if rest:
            return [[*units[:-1], first], rest]
        first, *rest = halves(text, units[0], count_tokens)
        if rest:
            return [[first], [*rest, *units[1:]]]
        middle = 1
    return [units[:middle], units[middle:]]


def _without_contained(plans: Sequence[Plan]) -> list[Plan]:
    """Leave out what a cut has left of an overlap, when another chunk holds all of it; begin to end."""
    kept: list[Plan] = []
    for plan in sorted(plans, key=lambda one: (one.span[0], -one.span[1])):
        if not kept or plan.span[1] > kept[-1].span[1]:
            kept.append(plan)
    return kept
