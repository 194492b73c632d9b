"""LIT-RAGBench: business questions, each over chunks of its own, some without the evidence.

An unanswerable row repeats an answerable one with its evidence taken away, so each is asked over its own chunks.
Source: Itai et al., LIT-RAGBench.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.answers.items import Item, QuestionSet
from evaluation.answers.reading.rows import broken, json_lines, list_field, text_field
from evaluation.retrieval.beir import BeirDocument
from retrieval.analysis import detect_language


def read_lit(path: Path) -> QuestionSet:
    """Read rows of LIT-RAGBench. A chunk is a document, named by its row.

    Raises:
        UsageError: a row is broken; the line is named.
    """
    pool, items = [], []
    for number, (row, where) in enumerate(json_lines(path), start=1):
        right: list[str] = []
        for kind, name in (("positive_chunks", "right"), ("negative_chunks", "other")):
            for place, chunk in enumerate(list_field(row, kind, where), start=1):
                if not isinstance(chunk, dict):
                    raise broken(where, f"{kind} holds no objects")
                document = f"{number}/{name}-{place}"
                pool.append(
                    BeirDocument(document, str(chunk.get("title") or ""), text_field(chunk, "content", where))
                )
                if name == "right":
                    right.append(document)
        answerable = row.get("answerable")
        if not isinstance(answerable, bool):
            raise broken(where, "it does not say whether it is answerable")
        question = text_field(row, "question", where)
        items.append(
            Item(
                id=str(number),
                language=detect_language(question),
                question=question,
                answers=(text_field(row, "answer", where),) if answerable else (),
                answerable=answerable,
                places=tuple((document, None) for document in right) if answerable else (),
                group=question,
                where=(f"document~{number}/*",),
            )
        )
    return QuestionSet(f"{path.parent.name}-{path.stem}", "lit", tuple(items), tuple(pool))
