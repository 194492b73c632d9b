"""What a training set is made of, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from adaptation.corpus import Corpus
from adaptation.training_sets.facts import KnownQuestion
from adaptation.training_sets.feedback_rows import Said
from adaptation.training_sets.grounded import Asking, Mix
from adaptation.training_sets.public import PublicRows


@dataclass(frozen=True, slots=True)
class Questions:
    """A file of questions; `texts` are the passages that it brings, by their names, for questions of a class."""

    name: str
    form: str
    items: Sequence[KnownQuestion]
    texts: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Public:
    """A file of rows in a public form."""

    name: str
    rows: PublicRows
    licence: str = ""


@dataclass(frozen=True)
class Sources:
    """All that a set is made of; `asking` and `corpus` are of an index, and None without one.

    `base_answer` is what the base says to a request, None where it was cut; it is needed where something is rehearsed.
    """

    questions: Sequence[Questions] = ()
    public: Sequence[Public] = ()
    feedback: Sequence[Said] = ()
    against: Sequence[Questions] = ()
    asking: Asking | None = None
    corpus: Corpus | None = None
    index_name: str = ""
    base_answer: Callable[[str], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a set is made.

    Attributes:
        mix: of the rows over passages.
        made_up: questions that are made of the index's passages.
        rehearsed: general requests with the base's own answers, by which it keeps what it can do.
        share: of the documents that are stopped by, and that are measured on.
        most: rows of each kind in a part; 0 sets no limit.
        seed: decides all that is drawn.
        licence: of the set.
        keep_leaks: leave in what an evaluation shares; it is counted all the same.
    """

    mix: Mix = field(default_factory=Mix)
    made_up: int = 0
    rehearsed: int = 0
    share: float = 0.1
    most: int = 0
    seed: int = 0
    licence: str = ""
    keep_leaks: bool = False
