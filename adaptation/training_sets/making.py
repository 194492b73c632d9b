"""A training set from its sources: rows made, parted by document, cleaned, counted and written."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from adaptation.changed_questions import QuestionChanger
from adaptation.corpus import Corpus, Part, split
from adaptation.training_sets.card import DataCard, FileCard, LeakageCard, SourceCard
from adaptation.training_sets.cleaning import Evaluation, Leakage, distinct
from adaptation.training_sets.facts import KnownQuestion
from adaptation.training_sets.feedback_rows import Said, feedback_rows
from adaptation.training_sets.grounded import Asking, GroundedRows, Mix
from adaptation.training_sets.made_up import make_up
from adaptation.training_sets.plain_rows import class_row, pair_row, text_rows
from adaptation.training_sets.public import PublicRows
from adaptation.training_sets.rehearsal import rehearsal_rows
from adaptation.training_sets.rows import FILES, ChatRow, PairRow, Row, TextRow, write_rows
from retrieval.errors import TekioError, UsageError

NAMES = {Part.TRAIN: "train", Part.CHOOSE: "held_out", Part.MEASURE: "test"}
"""What the parts are called in the folder of a set: to learn from, to stop by, to measure on."""
_ASKED_AT_ONCE = 50


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


async def make_set(
    sources: Sources, plan: Plan, out: Path, *, say: Callable[[str], None] = lambda text: None
) -> DataCard:
    """Make a training set and write it to a folder, which must not hold one.

    Raises:
        UsageError: there is nothing to make it of, no row could be made, or the folder is taken.
        TekioError: it cannot be written.
    """
    _check_free(out)
    parts = _Parts(sources.corpus, sources.against, plan)
    made = [
        *[
            await _of_questions(each, sources, plan, parts, say)
            for each in _with_made_up(sources, plan, parts)
        ],
        *_of_public(sources.public),
        *([await _of_feedback(sources, plan, parts)] if sources.feedback else []),
        *([_rehearsed(sources, plan, say)] if plan.rehearsed else []),
        *([_of_texts(sources, parts)] if "text" in plan.mix.kinds and sources.corpus is not None else []),
    ]
    if not made:
        raise UsageError("there is nothing to make rows of: name an index, --questions, --read or --feedback")
    by_part: dict[Part, list[Row]] = {part: [] for part in Part}
    for rows, _ in made:
        for row in rows:
            by_part[parts.of(row)].append(row)
    cards = [card for _, card in made]
    by_part, duplicates = _cleaned(by_part, plan)
    by_part, leaks = _without_leaks(by_part, sources.against, parts, plan)
    if not by_part[Part.TRAIN]:
        raise UsageError(_nothing(cards))
    return _written(out, by_part, parts, plan, cards, duplicates, leaks, sources)


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name another folder by --out, or remove it")


def _nothing(cards: Sequence[SourceCard]) -> str:
    tried = "; ".join(f"{card.name}: {card.left_out:,} left out" for card in cards)
    return (
        f"no row to learn from could be made ({tried}): a question needs an answer that stands in the index, in a "
        "document that is not held out"
    )


class _Parts:
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


def _with_made_up(sources: Sources, plan: Plan, parts: _Parts) -> list[Questions]:
    """Return the files of questions, and the made-up ones as one more."""
    found = list(sources.questions)
    if plan.made_up and sources.corpus is not None:
        pieces = [row for row in sources.corpus.passages.values() if row.language in ("en", "ja")]
        random.Random(plan.seed).shuffle(pieces)  # noqa: S311 - no secret
        each = max(1, -(-plan.made_up // max(1, len(pieces))))
        items = [
            item for row in pieces for item in make_up(row, row.name, row.language, most=each, seed=plan.seed)
        ][: plan.made_up]
        found.append(Questions("made-up questions", "index", items))
    return found


async def _of_questions(
    each: Questions, sources: Sources, plan: Plan, parts: _Parts, say: Callable[[str], None]
) -> tuple[list[Row], SourceCard]:
    rows: list[Row] = []
    left_out = 0
    classes = sorted({item.label for item in each.items if item.label})
    over_passages = {"grounded", "refusal", "format", "tone"}.intersection(plan.mix.kinds)
    changer = QuestionChanger((item.question, item.language) for item in each.items)
    makers = (
        [
            GroundedRows(sources.asking, plan.mix, changer, parts.documents[part], seed=plan.seed)
            for part in Part
            if parts.documents[part]
        ]
        if sources.asking is not None and over_passages
        else []
    )
    for number, item in enumerate(each.items, start=1):
        made: list[Row] = []
        for maker in makers:
            made += await maker.of(item, each.name)
            if made and item.answerable:
                break
        group = parts.names.get(item.places[0][0]) if item.places else None
        own = group or f"{each.name}:{item.places[0][0] if item.places else item.id}"
        if "qa" in plan.mix.kinds:
            pair = pair_row(item, own, each.name)
            text = each.texts.get(item.places[0][0]) if item.places else None
            labelled = class_row(item, text, classes, own, each.name) if text and len(classes) > 1 else None
            made += [row for row in (pair, labelled) if row is not None]
        left_out += not made
        rows += made
        if number % _ASKED_AT_ONCE == 0:
            say(f"{each.name}: {number:,} of {len(each.items):,} questions, {len(rows):,} rows")
    return rows, SourceCard(
        name=each.name, form=each.form, rows=len(rows), licence=each.licence, left_out=left_out
    )


def _of_public(public: Sequence[Public]) -> Iterable[tuple[list[Row], SourceCard]]:
    for each in public:
        rows: list[Row] = list(each.rows.rows)
        yield (
            rows,
            SourceCard(
                name=each.name,
                form=each.rows.form,
                rows=len(rows),
                licence=each.licence,
                left_out=len(each.rows.broken),
            ),
        )


async def _of_feedback(sources: Sources, plan: Plan, parts: _Parts) -> tuple[list[Row], SourceCard]:
    if sources.asking is None:
        raise UsageError("feedback is on answers over an index: name it by --index")
    chats, pairs = await feedback_rows(
        sources.feedback, sources.asking, parts.names, technique=plan.mix.technique, sentences=0
    )
    rows: list[Row] = [*chats, *pairs]
    left_out = len(sources.feedback) - len(rows)
    return rows, SourceCard(name="feedback", form="feedback", rows=len(rows), left_out=max(0, left_out))


def _rehearsed(sources: Sources, plan: Plan, say: Callable[[str], None]) -> tuple[list[Row], SourceCard]:
    if sources.base_answer is None:
        raise UsageError("what is rehearsed is answered by the base, and there is none")
    rows: list[Row] = list(rehearsal_rows(plan.rehearsed, sources.base_answer, seed=plan.seed, say=say))
    return rows, SourceCard(
        name="rehearsal", form="base", rows=len(rows), left_out=plan.rehearsed - len(rows)
    )


def _of_texts(sources: Sources, parts: _Parts) -> tuple[list[Row], SourceCard]:
    assert sources.corpus is not None
    pieces = list(sources.corpus.passages.values())
    groups = {group: name for part in Part for group, name in parts.groups[part].items()}
    languages = {row.id: row.language for row in pieces}
    rows: list[Row] = list(text_rows(pieces, groups, languages, sources.index_name))
    card = SourceCard(name=sources.index_name, form="index", rows=len(rows), left_out=len(pieces) - len(rows))
    return rows, card


def _cleaned(by_part: Mapping[Part, Sequence[Row]], plan: Plan) -> tuple[dict[Part, list[Row]], int]:
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


def _without_leaks(
    by_part: Mapping[Part, list[Row]], against: Sequence[Questions], parts: _Parts, plan: Plan
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


def _written(
    out: Path,
    by_part: Mapping[Part, Sequence[Row]],
    parts: _Parts,
    plan: Plan,
    cards: Sequence[SourceCard],
    duplicates: int,
    leaks: Sequence[LeakageCard],
    sources: Sources,
) -> DataCard:
    files: dict[str, FileCard] = {}
    digest = hashlib.sha256()
    for part, rows in by_part.items():
        for shape, name in FILES.items():
            own: list[ChatRow | PairRow | TextRow] = [row for row in rows if isinstance(row, shape)]
            if own:
                path = f"{NAMES[part]}/{name}"
                files[path] = FileCard(rows=len(own), sha256=write_rows(out / path, own))
                digest.update(f"{path}\0{files[path].sha256}\0".encode())
    card = DataCard(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=plan.seed,
        answers=plan.mix.answers,
        technique=plan.mix.technique,
        tone=plan.mix.tone.name if plan.mix.tone is not None else "",
        licence=plan.licence,
        sources=list(cards),
        counts={
            NAMES[part]: dict(sorted(Counter(row.kind for row in rows).items()))
            for part, rows in by_part.items()
        },
        languages=dict(sorted(Counter(row.language for row in by_part[Part.TRAIN]).items())),
        documents=parts.count(by_part),
        duplicates=duplicates,
        leakage=list(leaks),
        files=files,
        hash=digest.hexdigest(),
        index_sha256=sources.corpus.digest if sources.corpus is not None else "",
    )
    card.write(out)
    return card


def check_set(folder: Path) -> DataCard:
    """Read the card of a training set and hold its files against it.

    Raises:
        UsageError: it is none, or a file of it was changed or is gone.
        TekioError: a file cannot be read.
    """
    from adaptation.training_sets.card import read_card

    card = read_card(folder)
    for name, file in card.files.items():
        try:
            held = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise UsageError(f"{folder} lacks {name}: make the training set again") from error
        except OSError as error:
            raise TekioError(f"{folder / name} cannot be read: {error.strerror}") from error
        if held != file.sha256:
            raise UsageError(
                f"{folder / name} is not what its card says (changed or cut short): make the set again"
            )
    return card
