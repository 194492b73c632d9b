"""BEIR sets whose queries carry answers: the judged documents are the expected ones."""

from __future__ import annotations

from pathlib import Path

from evaluation.answers.items import Item, QuestionSet, as_read, span_of
from evaluation.answers.reading.rows import broken, json_lines
from evaluation.retrieval.beir import load_beir
from retrieval.analysis import detect_language


def read_beir(folder: Path) -> QuestionSet:
    """Read a set. An answer's span is known where it stands only once in a judged document.

    Raises:
        UsageError: the folder holds no such set, or a line of it is broken, which is named.
    """
    found = load_beir(folder)
    answers: dict[str, tuple[str, ...]] = {}
    for row, where in json_lines(folder / "queries.jsonl"):
        given = row.get("answers", [])
        if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
            raise broken(where, "its answers are no list of texts")
        answers[str(row.get("_id"))] = tuple(dict.fromkeys(text for text in given if text.strip()))
    documents = {document.id: document for document in found.documents}
    items = []
    for name, question in found.queries:
        right = list(found.judgements[name])
        spans = [
            span_of(document, text, answer)
            for document in right
            for text in [as_read(documents[document].text)]
            for answer in answers.get(name, ())
        ]
        items.append(
            Item(
                id=name,
                language=detect_language(question),
                question=question,
                answers=answers.get(name, ()),
                places=tuple((document, None) for document in right),
                spans=tuple(dict.fromkeys(span for span in spans if span)),
                group=documents[right[0]].title or right[0],
            )
        )
    notices = list(found.notices)
    if not any(item.answers for item in items):
        notices.append("no query has answers: exact match and F1 cannot be told")
    return QuestionSet(found.name, "beir", tuple(items), tuple(found.documents), tuple(notices))
