"""Windows of one size, whatever stands in them: the baseline that the other strategies have to beat."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ingest.assemble import Assembled
from ingest.blocks import BlockKind
from ingest.chunkers.plans import Job, Plan
from ingest.sections import heading_paths
from ingest.units import Unit, counted, cut_evenly, refine
from retrieval.records import page_at

# Characters between which a window may be cut; a few tokens.
_ATOM = 24
# Atoms that are counted together too, since a text costs less than the sum of its parts.
_JOINT = 32
# The share of a window that is repeated for each sentence of overlap, and the most of it.
_SHARE, _MOST = 0.1, 0.2
# Left free, because the tokens of a window are an estimate until it is made.
_FILL = 0.97


def plan_fixed(job: Job) -> list[Plan]:
    """Plan windows of equal size over the whole text; only the headings above them are looked at."""
    cap = job.chunking.max_tokens
    paths = _paths(job.assembled)
    job.fitter.prepare([(job.title, path) for _, path in paths])
    rooms = [max(1, int(_FILL * job.room([path]))) for _, path in paths]
    size = max(1, min(_ATOM, cap // 4))
    spans = [span for piece in _pieces(job.text) for span in cut_evenly(job.text, *piece, size)]
    atoms = [
        Unit(start, end, 0, 0, BlockKind.PARAGRAPH, page_at(job.assembled.page_starts, start), partial=True)
        for start, end in spans
    ]
    atoms = counted(job.text, atoms, job.count_tokens)
    least = min(rooms)
    atoms = [one for row in refine(job.text, atoms, [least] * len(atoms), job.count_tokens) for one in row]
    weights = _weights(job, atoms)
    repeated = cap * min(_MOST, _SHARE * job.chunking.overlap_sentences)
    starts = [start for start, _ in paths]
    plans: list[Plan] = []
    first = last = 0
    while last < len(atoms):
        place = bisect_right(starts, atoms[first].start) - 1
        reached, last, tokens = last, first, 0.0
        # A window goes on at least to where there is something new in it.
        while last < len(atoms) and (last <= reached or tokens + weights[last] <= rooms[place]):
            tokens += weights[last]
            last += 1
        plans.append(Plan(paths[place][1], atoms[first:last]))
        first, first_of_this = last, first
        tokens = 0.0
        while first - 1 > first_of_this and tokens + weights[first - 1] <= repeated:
            first -= 1
            tokens += weights[first]
    return plans


def _paths(assembled: Assembled) -> list[tuple[int, tuple[str, ...]]]:
    """Return where each heading begins and the headings from there on; the first entry is the beginning."""
    paths = heading_paths(assembled)
    return [(-1, ()), *((assembled.spans[index][0], path) for index, path in paths.items())]


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of lines, so that an atom is never a line end with a bit of text on both sides."""
    at = 0
    for line in text.split("\n"):
        if line.strip():
            lead = len(line) - len(line.lstrip())
            yield at + lead, at + len(line.rstrip())
        at += len(line) + 1


def _weights(job: Job, atoms: Sequence[Unit]) -> list[float]:
    """Return the tokens that each atom adds to a text."""
    groups = [atoms[i : i + _JOINT] for i in range(0, len(atoms), _JOINT)]
    joint = job.count_tokens([job.text[group[0].start : group[-1].end] for group in groups]) if groups else []
    weights: list[float] = []
    for group, tokens in zip(groups, joint, strict=True):
        total = sum(atom.tokens for atom in group)
        weights += [atom.tokens * tokens / total if total else 0.0 for atom in group]
    return weights
