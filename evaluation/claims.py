"""How well it is told whether a text says what a sentence claims: `python -m evaluation.claims`.

Works on data/claims: pairs of a claim and a text, half Japanese, of which half are not supported, most of these by
one figure, unit, date, name, denial or limit. The rules were made on `dev`; `test` has other subjects and was not
looked at. Beside it stands what a share of common words alone tells.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.benchmarks.output import say, show
from evaluation.embedder import embedder_of
from evaluation.metrics import Share, share
from kernel.answering.citations import check_citations
from kernel.answering.claims.check import Claim, Evidence, judge
from kernel.answering.claims.meaning import WordEmbedder, WordMeaning
from kernel.answering.support import SUPPORTED, weighted_share
from kernel.settings import load_settings
from retrieval.analysis import analyze
from retrieval.records import Passage

DATA = Path(__file__).parent.parent / "data" / "claims"
_MENDED = ("figure", "unit", "date", "negation", "limit", "name")


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim and a text that may support it; `heading` is what the text stands under."""

    id: str
    language: str
    kind: str
    claim: str
    evidence: str
    supported: bool
    heading: str = ""


def load_pairs(split: str) -> list[Pair]:
    """Read the pairs of a split, `dev` or `test`."""
    lines = (DATA / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Pair(**json.loads(line)) for line in lines]


def checked(pair: Pair) -> bool:
    """Say whether the check finds a pair's claim supported, without any model."""
    return judge(Claim(pair.claim), _evidence(pair), {}).is_supported


def with_meaning(embedder: WordEmbedder) -> Callable[[Pair], bool]:
    """Return the check as answers are checked, in which other words may say the same."""
    meaning = WordMeaning(embedder)

    def says(pair: Pair) -> bool:
        passage = Passage(
            id=0,
            document_id=0,
            document="",
            path="",
            title=pair.heading,
            page=None,
            start=0,
            end=len(pair.evidence),
            headings=(),
            text=pair.evidence,
            score=0.0,
            rank=1,
            similarity=0.0,
        )
        found = check_citations(pair.claim, [passage], lambda words: {}, likeness=meaning)
        return not found.unsupported

    return says


def by_words(pair: Pair) -> bool:
    """Say whether enough of the claim's words stand in the text: the baseline."""
    words = [token.text for token in analyze(pair.claim) if token.is_content]
    evidence = _evidence(pair)
    return weighted_share(words, evidence.words | evidence.context, {}) >= SUPPORTED


def _evidence(pair: Pair) -> Evidence:
    words, context = (
        frozenset(token.text for token in analyze(text)) for text in (pair.evidence, pair.heading)
    )
    return Evidence(pair.evidence, words, context, pair.evidence, pair.heading)


def shares(pairs: Sequence[Pair], says: Callable[[Pair], bool]) -> dict[str, Share]:
    """Return how many of what it takes for supported is, and how many of what is supported it finds."""
    taken = [(pair, says(pair)) for pair in pairs]
    return {
        "precision": share([pair.supported for pair, yes in taken if yes]),
        "recall": share([yes for pair, yes in taken if pair.supported]),
        "one thing changed, noticed": share(
            [not yes for pair, yes in taken if not pair.supported and pair.kind in _MENDED]
        ),
    }


def main() -> int:
    """Print the shares of each way and language."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.claims")
    parser.add_argument("--split", choices=("dev", "test"), default="test")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    pairs = load_pairs(options.split)
    settings = load_settings()
    embedder = embedder_of(settings, say)
    found = {
        f"{name}, {language}": shares([pair for pair in pairs if pair.language == language], says)
        for name, says in (
            ("checked, with meaning", with_meaning(embedder)),
            ("checked", checked),
            ("common words", by_words),
        )
        for language in ("en", "ja")
    }

    def table() -> None:
        for name, row in found.items():
            print(name)
            for measure, value in row.items():
                print(f"  {measure:<28}{value}")

    document = {name: {key: asdict(value) for key, value in row.items()} for name, row in found.items()}
    show(document, table, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
