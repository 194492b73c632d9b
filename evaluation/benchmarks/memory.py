"""What the floor of memory lets through: `python -m evaluation.benchmarks.memory FOLDER...`.

Each folder holds public questions with answers (`queries.jsonl` with `answers`, `corpus.jsonl`, `qrels/`). The sentence
that holds the answer of a question stands for a memory that fits it, those of the other questions for such that do not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ingest.sentences import split_sentences
from kernel.app import Tekio
from kernel.settings import load_settings
from plugins.memory.scoring import COHORT, FLOOR, cohort_mean, similarity
from retrieval.analysis import content_tokens
from retrieval.embedding import Embedder
from retrieval.errors import TekioError, UsageError

SEED = 7
LONGEST = 300


def pairs(folder: Path, count: int) -> list[tuple[str, str]]:
    """Return questions with the sentence that holds the answer, the same ones each time.

    Raises:
        UsageError: the folder holds no such questions.
    """
    try:
        texts = {str(row["_id"]): str(row["text"]) for row in _lines(folder / "corpus.jsonl")}
        questions = list(_lines(folder / "queries.jsonl"))
        judged = dict(_judged(folder / "qrels"))
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder} holds no questions with answers: {error}") from error
    random.Random(SEED).shuffle(questions)  # noqa: S311
    found = []
    for question in questions:
        text, answers = texts.get(judged.get(str(question["_id"]), ""), ""), question.get("answers") or [""]
        held = (text[start:end] for start, end in split_sentences(text) if answers[0] in text[start:end])
        sentence = next(held, "")
        if answers[0] and 0 < len(sentence) <= LONGEST:
            found.append((str(question["text"]), sentence))
    return found[:count]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _judged(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.iterdir()):
        for line in path.read_text(encoding="utf-8").splitlines():
            query, document, relevance = line.split("\t")[:3]
            if relevance.isdigit() and int(relevance):
                yield query, document


def measure(embedder: Embedder, chosen: list[tuple[str, str]]) -> tuple[float, float]:
    """Return the shares of fitting and of other memories that are above the floor."""
    asked = [content_tokens(question) for question, _ in chosen]
    held = [frozenset(content_tokens(sentence)) for _, sentence in chosen]
    questions = embedder.embed_queries([question for question, _ in chosen])
    sentences = embedder.embed_passages([sentence for _, sentence in chosen])
    base = questions @ cohort_mean(embedder.embed_passages(list(COHORT)))
    cosines = questions @ sentences.T
    above = np.array(
        [
            [
                similarity(float(cosines[i, j]), float(base[i]), asked[i], held[j]) >= FLOOR
                for j in range(len(chosen))
            ]
            for i in range(len(chosen))
        ]
    )
    own = np.eye(len(chosen), dtype=bool)
    return float(above[own].mean()), float(above[~own].mean())


def main() -> int:
    """Measure over folders."""
    parser = argparse.ArgumentParser(description="Measure what the floor of memory lets through.")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=300)
    arguments = parser.parse_args()
    try:
        embedder = Tekio(load_settings()).embedder
        for folder in arguments.folders:
            chosen = pairs(folder, arguments.questions)
            fitting, others = measure(embedder, chosen)
            print(
                f"{folder.name}: {len(chosen)} questions; above {FLOOR}: {fitting:.3f} of what fits, "
                f"{others:.4f} of what does not"
            )
    except TekioError as error:
        print(f"memory: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
