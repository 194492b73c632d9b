"""Questions of two parts: the share of the passages that answer them in the first five, with their parts or without.

    python -m evaluation.benchmarks.parts ../shared/data

Two questions of JSQuAD, or of the English XQuAD, about passages of one article are asked as one: 「…？また、…？」,
"..., and what ...?". Recall is the share of the two passages. Half of the articles are used. How the rankings of parts
are fused was chosen on the others; what the whole question counts in it was looked at on both halves, with other pairs.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmarks.output import main_of_folder, say
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import Beir, load_beir
from evaluation.retrieval.metrics import bootstrap_interval, compare, per_query
from evaluation.retrieval.scratch import scratch_index
from kernel.settings import Settings
from retrieval.question_parts import question_parts

SETS = (("jsquad", "ja"), ("xquad_en", "en"))
_FOLDER = "evaluations"
_DEPTH = 10
_SEED = 20261128
_ASKING = re.compile(
    r"(?:what|who|when|where|why|how|which|whose|is|are|was|were|do|does|did)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Result:
    """Recall of the pairs of a set, each with its 95 % interval, and the difference that the parts make."""

    set: str
    pairs: int
    split: int
    whole: float
    whole_interval: tuple[float, float]
    parts: float
    parts_interval: tuple[float, float]
    difference: float
    p_value: float


def joined(first: str, second: str, language: str) -> str:
    """Return two questions as one."""
    first, second = first.strip().rstrip("?？。"), second.strip().rstrip("?？。")
    if language == "ja":
        return f"{first}？また、{second}？"
    if _ASKING.match(second):
        return f"{first}, and {second[0].lower()}{second[1:]}?"
    return f"{first}? {second}?"


def pairs_of(found: Beir, language: str, half: int = 1) -> Beir:
    """Return the set with pairs of its questions, those about passages of one article, in place of them.

    Args:
        found: a set whose documents have the titles of articles.
        language: `ja` or `en`.
        half: of the articles, 0 or 1.
    """
    title = {document.id: document.title for document in found.documents}
    titles = sorted(set(title.values()))[half::2]
    groups: dict[str, list[tuple[str, str, str]]] = {name: [] for name in titles}
    for name, text in found.queries:
        right = next(iter(found.judgements[name]))
        if title[right] in groups:
            groups[title[right]].append((name, text, right))
    queries, judgements = [], {}
    chance = random.Random(_SEED)  # noqa: S311 - the same order each time is what is wanted
    for group in groups.values():
        chance.shuffle(group)
        while group:
            one, text, right = group.pop()
            other = next((each for each in group if each[2] != right), None)
            if other is None:
                continue
            group.remove(other)
            queries.append((f"{one}+{other[0]}", joined(text, other[1], language)))
            judgements[f"{one}+{other[0]}"] = {right: 1, other[2]: 1}
    return Beir(found.name, found.split, found.documents, queries, judgements)


def run(data: Path, settings: Settings) -> list[Result]:
    """Measure the pairs of each set; indexes are kept beside the models.

    Raises:
        UsageError: a set is not there.
    """
    place = settings.cache / _FOLDER
    sets = [(load_beir(data / name), language) for name, language in SETS]
    embedder = embedder_of(settings, say)
    results = []
    for found, language in sets:
        pairs = pairs_of(found, language)
        scratch = scratch_index(found, embedder, place, token_vectors=settings.token_vectors)
        with closing(scratch.index):
            whole, parts = (
                per_query(
                    {
                        name: scratch.search(text, top_k=_DEPTH, mode="hybrid", parts=parts)
                        for name, text in pairs.queries
                    },
                    pairs.judgements,
                )["recall@5"]
                for parts in (False, True)
            )
        difference = compare(whole, parts)
        results.append(
            Result(
                found.name,
                len(pairs.queries),
                sum(bool(question_parts(text)) for _, text in pairs.queries),
                float(whole.mean()),
                bootstrap_interval(whole),
                float(parts.mean()),
                bootstrap_interval(parts),
                difference.difference,
                difference.p_value,
            )
        )
    return results


def table(results: Sequence[Result]) -> list[str]:
    """Return results as lines for a terminal."""
    lines = [f"{'set':<10}{'pairs':>7}{'split':>7}{'whole':>24}{'parts too':>24}{'gain':>8}{'p':>8}"]
    for each in results:
        whole, parts = (
            f"{value:.3f} [{low:.3f}, {high:.3f}]"
            for value, (low, high) in (
                (each.whole, each.whole_interval),
                (each.parts, each.parts_interval),
            )
        )
        lines.append(
            f"{each.set:<10}{each.pairs:>7}{each.split:>7}{whole:>24}{parts:>24}"
            f"{each.difference:>+8.3f}{each.p_value:>8.4f}"
        )
    return lines


def main() -> int:
    """Run the benchmark."""
    return main_of_folder("parts", "holds the data sets", run, table)


if __name__ == "__main__":
    sys.exit(main())
