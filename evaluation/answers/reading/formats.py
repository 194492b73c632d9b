"""Which form a question file is of, told by what it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from evaluation.answers.items import QuestionSet
from evaluation.answers.reading.beir import read_beir
from evaluation.answers.reading.lit import read_lit
from evaluation.answers.reading.own import read_own
from evaluation.answers.reading.pubmedqa import read_pubmedqa
from evaluation.answers.reading.rows import json_lines, whole_text
from evaluation.answers.reading.squad import read_squad
from retrieval.errors import UsageError

FORMS: Mapping[str, Callable[[Path], QuestionSet]] = {
    "own": read_own,
    "squad": read_squad,
    "pubmedqa": read_pubmedqa,
    "lit": read_lit,
    "beir": read_beir,
}
_HEAD = 4000


def read_questions(path: Path, *, form: str | None = None) -> QuestionSet:
    """Read a question file, or a folder in the form of BEIR.

    Args:
        path: the file or folder; `queries.jsonl` stands for its folder.
        form: one of `FORMS`; None tells it by what the file holds.

    Raises:
        UsageError: it cannot be read, is of no known form, is empty, or a row of it is broken; the row is named.
    """
    if form is not None and form not in FORMS:
        raise UsageError(f"there is no form '{form}' of questions; there are {', '.join(FORMS)}")
    if path.name == "queries.jsonl" and (path.parent / "corpus.jsonl").is_file():
        path = path.parent
    found = FORMS[form or _form_of(path)](path)
    if not found.items:
        raise UsageError(f"{path} holds no questions")
    return _distinct(found)


def _distinct(found: QuestionSet) -> QuestionSet:
    """Return a set in which each id names one question: a second one is called ID#2."""
    counts: Counter[str] = Counter()
    items = []
    for item in found.items:
        counts[item.id] += 1
        items.append(item if counts[item.id] == 1 else replace(item, id=f"{item.id}#{counts[item.id]}"))
    again = len(items) - len(counts)
    if not again:
        return found
    notice = f"{again} questions have an id that another one has: the second is called ID#2, and so on"
    return replace(found, items=tuple(items), notices=(*found.notices, notice))


def _form_of(path: Path) -> str:
    if path.is_dir():
        if not (path / "corpus.jsonl").is_file():
            raise UsageError(f"{path} is a folder without corpus.jsonl: name a file of questions")
        return "beir"
    if path.suffix == ".json":
        return "pubmedqa" if '"CONTEXTS"' in whole_text(path)[:_HEAD] else "squad"
    for row, _ in json_lines(path):
        if "positive_chunks" in row:
            return "lit"
        if "contexts" in row and ("pmid" in row or "final_decision" in row):
            return "pubmedqa"
        return "squad" if "context" in row else "own"
    raise UsageError(f"{path} holds no questions")
