"""One sentence is searched, the sentences around it are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ingest.chunkers.plans import Job, Plan
from ingest.chunkers.structure import make_room, split_tail
from ingest.sections import make_sections
from ingest.units import Unit, make_units

# A sentence with fewer tokens says too little to be found; it is taken together with the next.
_SHORT = 16


def plan_sentence_windows(job: Job) -> list[Plan]:
    """Plan a chunk for each sentence, row, item of a list or block of code.

    A heading is a part of the sentence below it. What is shown does not go over a heading.
    """
    cap, most = job.chunking.max_tokens, job.chunking.parent_tokens
    sections = make_sections(job.assembled, make_units(job.assembled, job.count_tokens))
    plans: list[Plan] = []
    for section, budget in job.fitted(sections, cap):
        units = section.units
        groups = _joined(list(_groups(units, budget, min(_SHORT, cap // 4))), budget, min(_SHORT, cap // 4))
        first = 0
        for group in groups:
            last = first + len(group)
            shown = _window(units, first, last, job.chunking.window_sentences, most)
            plans.append(Plan(section.path, group, shown))
            first = last
    return plans


def _groups(units: Sequence[Unit], budget: int, short: int) -> Iterator[list[Unit]]:
    current: list[Unit] = []
    for unit in units:
        size = sum(one.tokens for one in current)
        if current and (size + unit.tokens > budget or not _goes_on(current, unit, size, short)):
            done, tail = split_tail(current)
            if done:
                yield done
            alone, current = make_room(tail, unit, budget)
            if alone:
                yield alone
        current.append(unit)
    if current:
        yield current


def _goes_on(current: Sequence[Unit], unit: Unit, size: int, short: int) -> bool:
    return current[-1].sticky or (size < short and current[-1].page == unit.page)


def _joined(groups: list[list[Unit]], budget: int, short: int) -> list[list[Unit]]:
    """Put a short last group to the one before it: nothing follows that it could be put to."""
    if len(groups) < 2:
        return groups
    *rest, before, last = groups
    size = sum(one.tokens for one in last)
    fits = size + sum(one.tokens for one in before) <= budget
    return [*rest, before + last] if size < short and fits and before[-1].page == last[0].page else groups


def _window(units: Sequence[Unit], first: int, last: int, around: int, most: int) -> tuple[int, int]:
    """Return the span of units[first:last] and `around` more on both sides, as far as `most` tokens go."""
    total = sum(unit.tokens for unit in units[first:last])
    before, after = first, last
    for _ in range(around):
        if before > 0 and total + units[before - 1].tokens <= most:
            before -= 1
            total += units[before].tokens
        if after < len(units) and total + units[after].tokens <= most:
            total += units[after].tokens
            after += 1
    return units[before].start, units[after - 1].end
