"""The parts of a training set: which rows are learned from, stopped by and measured on, parted by document."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from adaptation.corpus import Corpus, Part, split
from adaptation.training_sets.plan import Plan, Questions
from adaptation.training_sets.rows import Row

NAMES = {Part.TRAIN: "train", Part.CHOOSE: "held_out", Part.MEASURE: "test"}
"""What the parts are called in the folder of a set: to learn from, to stop by, to measure on."""


class Parts:
    """Which part a row belongs to, by its group."""

    def __init__(self, corpus: Corpus | None, against: Sequence[Questions], plan: Plan) -> None:
        self._seed, self._share = plan.seed, plan.share
        self._part_of: dict[str, Part] = {}
        self.groups: dict[Part, dict[int, str]] = {part: {} for part in Part}
        self.documents: dict[Part, dict[int, str]] = {part: {} for part in Part}
        self.names: dict[str, str] = {}
        if corpus is None:
            return
        measured = {document for each in against for item in each.items for document, _ in item.places}
        rows = corpus.passages.values()
        apart = sorted({row.group for row in rows if row.name in measured})
        chosen = split(corpus, seed=plan.seed, share=plan.share, measured=apart, least=1)
        for row in rows:
            part, name = chosen[row.group], f"document:{row.group}"
            self._part_of[name] = part
            self.groups[part][row.group] = name
            self.documents[part][row.document] = name
            self.names[row.name] = name

    def of(self, row: Row) -> Part:
        """Return the part of a row; what is of no document of the index goes by the hash of its own group."""
        known = self._part_of.get(row.group)
        if known is not None:
            return known
        drawn = int.from_bytes(hashlib.blake2b(f"{self._seed}:{row.group}".encode()).digest()[:4], "big") / (
            1 << 32
        )
        if drawn < self._share:
            return Part.CHOOSE
        return Part.MEASURE if drawn < 2 * self._share else Part.TRAIN

    def measured(self, against: Questions) -> set[str]:
        """Return the groups that an evaluation's questions are about."""
        return {
            self.names[document]
            for item in against.items
            for document, _ in item.places
            if document in self.names
        }

    def count(self, by_part: Mapping[Part, Sequence[Row]]) -> dict[str, int]:
        """Return how many groups the rows of each part are of."""
        return {NAMES[part]: len({row.group for row in rows}) for part, rows in by_part.items()}
