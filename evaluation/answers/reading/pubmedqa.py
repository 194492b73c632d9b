"""PubMedQA: abstracts without their conclusion, which is the answer, and yes, no or maybe.

Source: Jin et al., "PubMedQA: A Dataset for Biomedical Research Question Answering", EMNLP 2019.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from evaluation.answers.items import Item, QuestionSet
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

DECISIONS = ("yes", "no", "maybe")


def read_pubmedqa(path: Path) -> QuestionSet:
    """Read PubMedQA, its authors' JSON or JSON lines. Each abstract is a document.

    Raises:
        UsageError: it is none, or a row of it is broken; where it stands is named.
    """
    pool, items = [], []
    for row, where in json_lines(path) if path.suffix == ".jsonl" else _by_number(path):
        name = identity(row, ("pmid", "id"), where)
        contexts = list_field(row, "contexts", where)
        if not contexts or not all(isinstance(context, str) for context in contexts):
            raise broken(where, "its contexts are no texts")
        decision = str(row.get("final_decision") or "").lower()
        if decision and decision not in DECISIONS:
            raise broken(where, f"its decision is none of {', '.join(DECISIONS)}")
        pool.append(BeirDocument(name, "", "\n\n".join(contexts)))
        answer = row.get("long_answer")
        items.append(
            Item(
                id=name,
                language="en",
                question=text_field(row, "question", where),
                answers=(answer,) if isinstance(answer, str) and answer.strip() else (),
                places=((name, None),),
                label=decision or None,
                group=name,
            )
        )
    return QuestionSet(path.stem, "pubmedqa", tuple(items), tuple(pool))


def _by_number(path: Path) -> Iterator[tuple[Row, str]]:
    try:
        whole = json.loads(whole_text(path))
    except ValueError as error:
        raise broken(str(path), f"no JSON: {error}") from error
    for number, row in as_object(whole, str(path)).items():
        where = f"{path}, '{number}'"
        yield {"pmid": number} | {key.lower(): value for key, value in as_object(row, where).items()}, where
