"""How well two versions of a document are compared: known edits, and which of them are found.

    python -m evaluation.benchmarks.comparing --index DIR

Every document of the index is edited by chance, seeded: figures are changed, sentences denied, taken out, and put in
from other documents. The figures say how many of each kind are told as what they are, how many sentences that were
left alone are told to be the same, and how many differences are told that are none.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from kernel.answering.evidence import Sentence
from kernel.documents.alignment import align
from kernel.documents.sentences import compared_sentences
from kernel.embedders import find_embedder
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.passages import PassageIndex

_SEED = 20261128
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?![\w.,]*\d)")
_DENIED = ((" is ", " is not "), (" are ", " are not "), ("する。", "しない。"), ("できる。", "できない。"))


def edited(
    sentences: list[Sentence], others: list[Sentence], chance: random.Random
) -> tuple[list[Sentence], dict[int, str], int]:
    """Return an edited version, what was done to which sentence, and how many were put in."""
    made: list[Sentence] = []
    done: dict[int, str] = {}
    put_in = 0
    for place, item in enumerate(sentences):
        drawn = chance.random()
        text = item.text
        if drawn < 0.05:
            done[place] = "taken out"
            continue
        if drawn < 0.15 and (found := _NUMBER.search(text)):
            number = str(int(found[0]) + chance.randint(1, 9))
            text = text[: found.start()] + number + text[found.end() :]
            done[place] = "figures"
        elif drawn < 0.25:
            for before, after in _DENIED:
                if before in text:
                    text = text.replace(before, after, 1)
                    done[place] = "negation"
                    break
        made.append(replace(item, text=text))
        if drawn > 0.96:
            made.append(chance.choice(others))
            put_in += 1
    return made, done, put_in


def main() -> None:
    """Print the counts as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, required=True)
    settings = load_settings(index=parser.parse_args().index)
    embedder = find_embedder(settings, ModelStore(settings.cache))
    index = PassageIndex(settings.place, embedder.signature)
    documents = [compared_sentences(index.passages_of(row)) for row in index.documents()]
    chance = random.Random(_SEED)  # noqa: S311 - edits, no secrets
    counts: Counter[str] = Counter()
    for place, sentences in enumerate(documents):
        texts = {item.text for item in sentences}
        others = [
            item
            for number, other in enumerate(documents)
            for item in other
            if number != place and item.text not in texts
        ]
        version, done, put_in = edited(sentences, others, chance)
        found = align(sentences, version, index.inverse_frequencies, embedder.embed_passages)
        pairs = {(pair.first.start, pair.first.end): pair for pair in found.pairs}
        for number, item in enumerate(sentences):
            what, pair = done.get(number, "left alone"), pairs.get((item.start, item.end))
            told = "taken out" if pair is None else ", ".join(pair.differs_in) or "left alone"
            counts[f"{what}: {told if told != what else 'right'}"] += 1
        own = {id(item) for item in others}
        counts["put in: right"] += sum(id(item) in own for item in found.only_second)
        counts["put in: other"] += put_in - sum(id(item) in own for item in found.only_second)
    index.close()
    print(json.dumps({"documents": len(documents), **dict(sorted(counts.items()))}, indent=2))


if __name__ == "__main__":
    main()
