"""Several rows as one sequence, in which what they begin with alike stands once.

Rows of a training set begin with the same instructions, and many with the same passages too. A pack is a tree of token
runs, written one after another: each token sees its own run up to itself and the runs above it, and stands at the
position that it has in its row. So the model computes for each row what it would compute for it alone, without the
padding of a batch, and a shared beginning once. (Packing without contamination: Krell et al., 2021; shared prefixes as
trees: Cai et al., "Medusa", 2024, for decoding.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from adaptation.finetuning.encoding import Encoded

_BRANCH = 256
"""Tokens up to which a part of the tree is one branch: smaller ones cost more calls than they save."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Tokens [start, end) of a pack that see nothing but themselves and the (start, end) `above` them."""

    start: int
    end: int
    above: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """One sequence of several rows.

    Attributes:
        ids: token ids, shape (t,).
        positions: of the tokens in their rows, shape (t,).
        spans: for each run the (start, end) of those above it, and its own last.
        places: tokens whose next token is learned, shape (k,); one may stand there for several answers.
        targets: those next tokens, shape (k,).
        rows: how many rows it holds.
        saved: tokens that stand once in place of several times.
        branches: the pack in parts that see nothing of each other but what is above them, in order.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    spans: tuple[tuple[tuple[int, int], ...], ...]
    places: NDArray[np.int64]
    targets: NDArray[np.int64]
    rows: int
    saved: int
    branches: tuple[Branch, ...]

    def mask(self) -> NDArray[np.bool_]:
        """Return which token sees which, shape (t, t)."""
        size = len(self.ids)
        seen = np.zeros((size, size), np.bool_)
        for spans in self.spans:
            first, behind = spans[-1]
            for start, end in spans:
                seen[first:behind, start:end] = True
        return seen & np.tri(size, dtype=np.bool_)

    def plain(self, most: int) -> NDArray[np.int64]:
        """Return a text of it, shape (n,): the longest run of a branch before anything is learned, cut to the most.

        It has a token at least, so that processes that train together all have one.
        """
        ends = [min([branch.end, *self.places[self.places >= branch.start][:1]]) for branch in self.branches]
        start, end = max(
            zip((branch.start for branch in self.branches), ends, strict=True),
            key=lambda span: span[1] - span[0],
        )
        return self.ids[start : max(start + 1, min(end, start + most))]


@dataclass(slots=True)
class _Run:
    """A node of the tree of prompts: its tokens, what goes on behind them, and the answers that begin there."""

    ids: tuple[int, ...]
    children: list[_Run] = field(default_factory=list)
    answers: list[tuple[int, ...]] = field(default_factory=list)


class _Tree:
    """Prompts by what they begin with."""

    def __init__(self) -> None:
        self.roots: list[_Run] = []
        self.size = 0
        self.rows = 0
        self.tokens = 0

    def new_tokens(self, row: Encoded) -> int:
        """Return how many tokens a row would add."""
        runs, left = self.roots, row.prompt
        while left:
            run = _beginning_with(runs, left[0])
            shared = 0 if run is None else _shared(run.ids, left)
            left = left[shared:]
            if run is None or shared < len(run.ids):
                break
            runs = run.children
        return len(left) + len(row.answer) - 1

    def insert(self, row: Encoded) -> None:
        """Add a row."""
        self.size += self.new_tokens(row)
        self.rows += 1
        self.tokens += len(row) - 1
        runs, left = self.roots, row.prompt
        while True:
            run = _beginning_with(runs, left[0])
            if run is None:
                run = _Run(left)
                runs.append(run)
                break
            shared = _shared(run.ids, left)
            if shared < len(run.ids):
                rest = _Run(run.ids[shared:], run.children, run.answers)
                run.ids, run.children, run.answers = run.ids[:shared], [rest], []
            left = left[shared:]
            if not left:
                break
            runs = run.children
        run.answers.append(row.answer)


def _beginning_with(runs: Sequence[_Run], token: int) -> _Run | None:
    return next((run for run in runs if run.ids[0] == token), None)


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens two runs begin with alike."""
    return next(
        (place for place, (one, other) in enumerate(zip(first, second, strict=False)) if one != other),
        min(len(first), len(second)),
    )


class _Writer:
    """Writes a tree as a sequence."""

    def __init__(self, branch: int) -> None:
        self._branch = branch
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.spans: list[tuple[tuple[int, int], ...]] = []
        self.places: list[int] = []
        self.targets: list[int] = []

    def prompt(self, run: _Run, depth: int, above: tuple[tuple[int, int], ...]) -> list[Branch]:
        """Write a run of prompts, its answers, and what goes on behind it; return its branches."""
        start = len(self.ids)
        spans = self._run(run.ids, depth, above)
        last, depth = len(self.ids) - 1, depth + len(run.ids)
        for answer in run.answers:
            self._answer(answer, last, depth, spans)
        own = Branch(start, len(self.ids), above)
        behind = [branch for child in run.children for branch in self.prompt(child, depth, spans)]
        size = len(self.ids) - start
        return [own, *behind] if size > self._branch else [Branch(start, start + size, above)]

    def _answer(
        self, answer: Sequence[int], last: int, depth: int, above: tuple[tuple[int, int], ...]
    ) -> None:
        start = len(self.ids)
        self.places += [last, *range(start, start + len(answer) - 1)]
        self.targets += answer
        if len(answer) > 1:  # its last token is learned, not read
            self._run(answer[:-1], depth, above)

    def _run(
        self, ids: Sequence[int], depth: int, above: tuple[tuple[int, int], ...]
    ) -> tuple[tuple[int, int], ...]:
        start = len(self.ids)
        self.ids += ids
        self.positions += range(depth, depth + len(ids))
        spans = (*above, (start, start + len(ids)))
        self.spans.append(spans)
        return spans


def pack_rows(rows: Iterable[Encoded], *, size: int, branch: int = _BRANCH) -> list[Pack]:
    """Put rows into packs in their order; a row longer than the size has a pack of its own.

    Args:
        rows: in the order in which they are learned; a prompt has a token at least.
        size: the most tokens of a pack, those that are shared counted once.
        branch: the tokens of a part of the tree that is not parted further.
    """
    packs: list[Pack] = []
    tree = _Tree()
    for row in rows:
        if tree.rows and tree.size + tree.new_tokens(row) > size:
            packs.append(_pack_of(tree, branch))
            tree = _Tree()
        tree.insert(row)
    return [*packs, _pack_of(tree, branch)] if tree.rows else packs


def _pack_of(tree: _Tree, branch: int) -> Pack:
    writer = _Writer(branch)
    branches = [part for root in tree.roots for part in writer.prompt(root, 0, ())]
    return Pack(
        np.array(writer.ids, np.int64),
        np.array(writer.positions, np.int64),
        tuple(writer.spans),
        np.array(writer.places, np.int64),
        np.array(writer.targets, np.int64),
        tree.rows,
        tree.tokens - tree.size,
        tuple(branches),
    )


def shuffled_near(rows: Sequence[Encoded], *, seed: int) -> Iterator[Encoded]:
    """Yield rows in random order, but those of one prompt beside each other, so that they share it."""
    drawn = np.random.default_rng(seed)
    groups: dict[tuple[int, ...], list[Encoded]] = {}
    for row in rows:
        groups.setdefault(row.prompt[: _near(row)], []).append(row)
    keys = list(groups)
    for place in drawn.permutation(len(keys)):
        yield from groups[keys[place]]


def _near(row: Encoded) -> int:
    """Return how much of a prompt two rows must share to stand beside each other: three quarters."""
    return max(1, 3 * len(row.prompt) // 4)
