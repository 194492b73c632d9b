"""How much of the evidence for business questions is found among the first five: LIT-RAGBench.

    python -m evaluation.benchmarks.lit ../shared/data/lit_ragbench

Each answerable row comes with the chunks that hold its evidence, one to five of them, and with others; the chunks of
all rows of a language are searched together. Many are pieces of tables, as HTML, CSV or Markdown. Recall is the share
of a row's evidence among the first five documents, its mean over the rows with a bootstrap interval.
Rows that cannot be answered are left out: their evidence was taken away, and stands in the pool.
Source: Itai et al., LIT-RAGBench (CC-BY-SA-4.0).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evaluation.benchmarks.output import main_of_folder, say
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir, BeirDocument
from evaluation.retrieval.measure import measure
from evaluation.retrieval.metrics import bootstrap_interval, compare
from evaluation.retrieval.scratch import ScratchIndex, scratch_index
from kernel.settings import Settings
from retrieval.errors import UsageError
from retrieval.ranking import Mode

LANGUAGES = ("ja", "en")
_WAYS: tuple[tuple[str, Mode, bool], ...] = (
    ("keyword", "keyword", False),
    ("dense", "dense", False),
    ("hybrid", "hybrid", False),
    ("hybrid, parts by rules", "hybrid", True),
)
DEPTH = 10
"""Documents that are looked at of a search."""
_FOLDER = "evaluations"


@dataclass(frozen=True, slots=True)
class Result:
    """Recall of one way to search, its 95 % interval, and how it differs from the plain hybrid search."""

    language: str
    way: str
    recall: float
    interval: tuple[float, float]
    difference: float
    p_value: float


def load_lit(folder: Path, language: str) -> Beir:
    """Load the answerable rows of a language with the chunks of all rows as documents, each once.

    Raises:
        UsageError: the folder holds no such rows, or a row is broken, which is named.
    """
    path = folder / f"{language}.jsonl"
    names: dict[str, str] = {}
    documents: list[BeirDocument] = []
    queries: list[tuple[str, str]] = []
    judgements: dict[str, dict[str, int]] = {}
    try:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            row = json.loads(line)
            for chunk in (*row["positive_chunks"], *row["negative_chunks"]):
                title, text = str(chunk["title"]), str(chunk["content"])
                if f"{title}\n{text}" not in names:
                    names[f"{title}\n{text}"] = str(len(documents))
                    documents.append(BeirDocument(str(len(documents)), title, text))
            if row["answerable"]:
                right = [names[f"{chunk['title']}\n{chunk['content']}"] for chunk in row["positive_chunks"]]
                queries.append((str(number), str(row["question"])))
                judgements[str(number)] = dict.fromkeys(right, 1)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: name the folder of the data set ({error})") from error
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path}, line {number} is no row of LIT-RAGBench: {error!r}") from error
    if not queries:
        raise UsageError(f"{path} has no answerable row")
    return Beir(f"lit-{language}", "all", documents, queries, judgements)


def measure_ways(scratch: ScratchIndex, found: Beir, language: str) -> list[Result]:
    """Ask the rows of a language in every way."""
    scores = {
        way: measure(found, way, partial(scratch.search, top_k=DEPTH, mode=mode, parts=parts)).scores[
            "recall@5"
        ]
        for way, mode, parts in _WAYS
    }
    results = []
    for way, values in scores.items():
        found_difference = compare(scores["hybrid"], values)
        results.append(
            Result(
                language,
                way,
                float(values.mean()),
                bootstrap_interval(values),
                found_difference.difference,
                found_difference.p_value,
            )
        )
    return results


def run(folder: Path, settings: Settings, languages: Sequence[str] = LANGUAGES) -> list[Result]:
    """Measure the rows of each language; indexes are kept beside the models.

    Raises:
        UsageError: the data set is not there.
    """
    sets = {language: load_lit(folder, language) for language in languages}
    place = settings.cache / _FOLDER
    embedder = embedder_of(settings, say)
    results: list[Result] = []
    for language, found in sets.items():
        scratch = scratch_index(found, embedder, place, token_vectors=settings.token_vectors)
        with closing(scratch.index):
            results += measure_ways(scratch, found, language)
    return results


def table(results: Sequence[Result]) -> list[str]:
    """Return results as lines for a terminal."""
    lines = [f"{'':<4}{'way':<26}{'recall@5':>9}  {'95 % interval':<16}{'less hybrid':>12}{'p':>8}"]
    for each in results:
        low, high = each.interval
        lines.append(
            f"{each.language:<4}{each.way:<26}{each.recall:>9.3f}  {f'[{low:.3f}, {high:.3f}]':<16}"
            f"{each.difference:>+12.3f}{each.p_value:>8.3f}"
        )
    return lines


def main() -> int:
    """Run the benchmark."""
    return main_of_folder("lit", "holds ja.jsonl and en.jsonl", run, table)


if __name__ == "__main__":
    sys.exit(main())
