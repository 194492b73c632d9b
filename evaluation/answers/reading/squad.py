"""SQuAD: the nested JSON of its authors, and the flat rows that many sets are given as.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016, and its second
version of 2018, whose unanswerable questions have `is_impossible`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluation.answers.items import Item, QuestionSet, as_read, span_of
from evaluation.answers.reading.rows import (
    Row,
    as_object,
    broken,
    identity,
    json_lines,
    list_field,
    text_field,
    whole_text,
)
from evaluation.retrieval.beir import BeirDocument
from retrieval.analysis import detect_language


def read_squad(path: Path) -> QuestionSet:
    """Read a SQuAD file, JSON or JSON lines. Each context is a document of its own.

    Raises:
        UsageError: it is none, or a question of it is broken; where it stands is named.
    """
    rows = json_lines(path) if path.suffix == ".jsonl" else _nested(path)
    names: dict[str, str] = {}
    pool: list[BeirDocument] = []
    items = []
    for row, where in rows:
        title, context = str(row.get("title") or ""), text_field(row, "context", where)
        if context not in names:
            names[context] = f"{title or path.stem}/{len(pool)}"
            pool.append(BeirDocument(names[context], title, context))
        items.append(_item(row, where, names[context], title, as_read(context)))
    return QuestionSet(path.stem, "squad", tuple(items), tuple(pool))


def _item(row: Row, where: str, document: str, title: str, text: str) -> Item:
    question = text_field(row, "question", where)
    answers = list(_answers(row, where))
    impossible = row.get("is_impossible")
    answerable = bool(answers) if impossible is None else not impossible
    if answerable and not answers:
        raise broken(where, "it has no answer, and is_impossible is not true")
    spans = [span_of(document, text, answer, start) for answer, start in answers] if answerable else []
    return Item(
        id=identity(row, ("id", "_id"), where),
        language=detect_language(question),
        question=question,
        answers=tuple(dict.fromkeys(answer for answer, _ in answers)) if answerable else (),
        answerable=answerable,
        places=((document, None),) if answerable else (),
        spans=tuple(dict.fromkeys(span for span in spans if span)),
        group=title or document,
    )


def _answers(row: Row, where: str) -> Iterator[tuple[str, int | None]]:
    """Yield the answers with their places: a list of objects, or an object of two lists."""
    answers = row.get("answers", [])
    if isinstance(answers, dict):
        texts, starts = answers.get("text"), answers.get("answer_start")
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            raise broken(where, "its answers are no list of texts and one of places")
        answers = [{"text": text, "answer_start": at} for text, at in zip(texts, starts, strict=True)]
    if not isinstance(answers, list):
        raise broken(where, "its answers are no list")
    for answer in answers:
        if isinstance(answer, str):
            answer = {"text": answer}
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise broken(where, "an answer has no text")
        if answer["text"].strip():
            start = answer.get("answer_start")
            yield answer["text"], start if isinstance(start, int) else None


def _nested(path: Path) -> Iterator[tuple[Row, str]]:
    """Yield the questions of the authors' form as flat rows."""
    try:
        whole: Any = json.loads(whole_text(path))
    except ValueError as error:
        raise broken(str(path), f"no JSON: {error}") from error
    if isinstance(whole, list):  # flat rows in one list
        for number, row in enumerate(whole, start=1):
            where = f"{path}, row {number}"
            yield as_object(row, where), where
        return
    for a, article in enumerate(list_field(as_object(whole, str(path)), "data", str(path))):
        place = f"{path}, data[{a}]"
        for p, paragraph in enumerate(list_field(as_object(article, place), "paragraphs", place)):
            at = f"{place}.paragraphs[{p}]"
            context = text_field(as_object(paragraph, at), "context", at)
            for q, question in enumerate(list_field(paragraph, "qas", at)):
                where = f"{at}.qas[{q}]"
                row = as_object(question, where)
                yield {**row, "context": context, "title": article.get("title") or ""}, where
