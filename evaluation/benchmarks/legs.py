"""Whether hybrid search is ever below the better of its legs, set by set and language by language.

    python -m evaluation.benchmarks.legs ../shared/data

The sets are SciFact, XQuAD and LIT-RAGBench in English, JSQuAD and LIT-RAGBench in Japanese, the latter with the chunks
of all its rows together. Each leg is searched alone and both together, with their parts by rules, as the settings
say; nDCG@10. The better leg is the one with the higher mean over the questions that are compared, of one set or of all
sets of a language; the difference has a bootstrap interval and the p-value of a paired randomisation test.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmarks.lit import DEPTH, load_lit
from evaluation.benchmarks.output import main_of_folder, say
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir, load_beir
from evaluation.retrieval.measure import measure
from evaluation.retrieval.metrics import compare
from evaluation.retrieval.scratch import scratch_index
from kernel.settings import Settings
from retrieval.ranking import Mode

Scores = Mapping[Mode, NDArray[np.float64]]
MODES: tuple[Mode, ...] = ("hybrid", "dense", "keyword")
METRIC = "ndcg@10"
_FOLDER = "evaluations"
_SETS: tuple[tuple[str, str, Callable[[Path], Beir]], ...] = (
    ("en", "scifact", load_beir),
    ("en", "xquad_en", load_beir),
    ("en", "lit_ragbench", lambda folder: load_lit(folder, "en")),
    ("ja", "jsquad", load_beir),
    ("ja", "lit_ragbench", lambda folder: load_lit(folder, "ja")),
)


@dataclass(frozen=True, slots=True)
class Result:
    """The means of one set, or of all of a language, and hybrid less the better leg."""

    language: str
    name: str
    questions: int
    hybrid: float
    dense: float
    keyword: float
    difference: float
    interval: tuple[float, float]
    p_value: float


def run(folder: Path, settings: Settings) -> list[Result]:
    """Measure every set; indexes are kept beside the models.

    Raises:
        UsageError: a data set is not there.
    """
    loaded = [(language, name, load(folder / name)) for language, name, load in _SETS]
    place = settings.cache / _FOLDER
    embedder = embedder_of(settings, say)
    results: list[Result] = []
    scores: Scores
    of_language: dict[str, list[Scores]] = {}
    for language, name, found in loaded:
        say(f"{name}, {language}")
        scratch = scratch_index(found, embedder, place, token_vectors=settings.token_vectors)
        with closing(scratch.index):
            scores = {
                mode: measure(
                    found, mode, partial(scratch.search, top_k=DEPTH, mode=mode, parts=True)
                ).scores[METRIC]
                for mode in MODES
            }
        of_language.setdefault(language, []).append(scores)
        results.append(result(language, name, scores))
    for language, several in of_language.items():
        whole = {mode: np.concatenate([scores[mode] for scores in several]) for mode in MODES}
        results.append(result(language, "all questions", whole))
    return results


def result(language: str, name: str, scores: Scores) -> Result:
    """Compare hybrid search with the better leg by the same questions."""
    better = max(MODES[1:], key=lambda mode: float(scores[mode].mean()))
    compared = compare(scores[better], scores["hybrid"])
    hybrid, dense, keyword = (float(scores[mode].mean()) for mode in MODES)
    return Result(
        language,
        name,
        len(scores["hybrid"]),
        hybrid,
        dense,
        keyword,
        compared.difference,
        compared.interval,
        compared.p_value,
    )


def table(results: Sequence[Result]) -> list[str]:
    """Return results as lines for a terminal."""
    lines = [
        f"{'':<4}{'nDCG@10':<16}{'questions':>9}{'hybrid':>9}{'dense':>9}{'keyword':>9}"
        f"{'less the better':>17}  {'95 % interval':<18}{'p':>7}"
    ]
    for each in results:
        low, high = each.interval
        lines.append(
            f"{each.language:<4}{each.name:<16}{each.questions:>9}{each.hybrid:>9.4f}{each.dense:>9.4f}"
            f"{each.keyword:>9.4f}{each.difference:>+17.4f}  {f'[{low:+.4f}, {high:+.4f}]':<18}{each.p_value:>7.4f}"
        )
    return lines


def main() -> int:
    """Run the benchmark."""
    return main_of_folder("legs", "holds the data sets", run, table)


if __name__ == "__main__":
    sys.exit(main())
