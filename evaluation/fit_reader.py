"""Train the reading model: `python -m evaluation.fit_reader JSQUAD XQUAD COVID_QA`.

Works on a part of the documents of sets in the form of BEIR with answers, fold 2/2, whose questions are reported
nowhere: figures are of fold 1/2. A set whose questions are measured nowhere is taken whole with `--whole NAME`. A tenth
of the documents is kept out of training and tells how it goes, epoch by epoch; nothing is chosen by it.
Written to kernel/answering/span_reader: the adapter, its two weights a token, and a card of what it was made from.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from adaptation.span_reader.examples import Example, make_examples
from adaptation.span_reader.training import Encoded, Recipe, encode, train
from evaluation.answers.reading import read_questions
from evaluation.answers.texts import token_f1
from evaluation.reader_questions import asked_of, watched_groups
from kernel.answering.reading import Reading
from kernel.model_store import ModelStore
from kernel.reading_model import BASE, FOLDER
from kernel.settings import load_settings
from retrieval.errors import TekioError
from retrieval.token_counter import load_tokenizer

FOLD = "2/2"


def watching(rows: Sequence[Encoded]) -> Callable[[Callable[[Sequence[Encoded]], list[Reading]]], str]:
    """Return what says how well encoded examples are read: F1 of answers, and how well those without are known."""
    from sklearn.metrics import roc_auc_score

    def watch(read: Callable[[Sequence[Encoded]], list[Reading]]) -> str:
        readings = read(rows)
        told = []
        for language in sorted({row.example.language for row in rows}):
            pairs = [
                (row.example, got)
                for row, got in zip(rows, readings, strict=True)
                if row.example.language == language
            ]
            f1 = [
                token_f1(example.text[got.start : got.end], example.answers, language)
                for example, got in pairs
                if example.kind == "right"
            ]
            told.append(f"{language}: F1 {np.mean(f1):.3f} of {len(f1)}")
            for kind in ("other", "changed"):
                both = [(e.kind == "right", got.margin) for e, got in pairs if e.kind in ("right", kind)]
                if len({right for right, _ in both}) == 2:
                    area = roc_auc_score([right for right, _ in both], [margin for _, margin in both])
                    told.append(f"area under the curve against {kind} {area:.3f}")
        return ", ".join(told)

    return watch


def main() -> int:
    """Train, write, print."""
    parser = argparse.ArgumentParser(description="Train the reading model.")
    parser.add_argument(
        "sets", nargs="*", type=Path, help=f"folders in the form of BEIR: fold {FOLD} of each"
    )
    parser.add_argument("--whole", action="append", type=Path, default=[], help="a set that is taken whole")
    parser.add_argument("--epochs", type=int, default=Recipe().epochs)
    parser.add_argument("--out", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    began = time.monotonic()
    recipe = Recipe(epochs=arguments.epochs)
    try:
        folders = [(path, FOLD) for path in arguments.sets] + [(path, None) for path in arguments.whole]
        sets = [asked_of(read_questions(path), fold=fold) for path, fold in folders]
        kept_out = {group for asked in sets for group in watched_groups(asked)}
        examples = make_examples([each for asked in sets for each in asked], seed=recipe.seed)
        settings = load_settings()
        base = ModelStore(settings.cache, offline=settings.offline).resolve(BASE)
    except TekioError as error:
        print(f"fit_reader: {error}", file=sys.stderr)
        return error.exit_code
    learnt = [example for example in examples if example.group not in kept_out]
    watched = [example for example in examples if example.group in kept_out]
    watch = watching(encode(load_tokenizer(base.folder / "tokenizer.json"), watched))
    last: list[str] = []

    def say(line: str) -> None:
        last.append(line)
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / "reader"
        train(base.folder, learnt, made, recipe, say=say, watch=watch)
        card = {
            "base": BASE,
            "base_revision": base.revision,
            "recipe": recipe.as_dict(),
            "sets": [{"name": path.name, "fold": fold or "all"} for path, fold in folders],
            "examples": _counted(learnt),
            "watched": _counted(watched),
            "result": last[-1],
            "minutes": round((time.monotonic() - began) / 60, 1),
        }
        (made / "card.json").write_text(json.dumps(card, ensure_ascii=False, indent=1) + "\n", "utf-8")
        arguments.out.mkdir(parents=True, exist_ok=True)
        for path in made.iterdir():
            (arguments.out / path.name).write_bytes(path.read_bytes())
    print(f"written to {arguments.out}")
    return 0


def _counted(examples: Sequence[Example]) -> dict[str, int]:
    return dict(sorted(Counter(f"{example.language} {example.kind}" for example in examples).items()))


if __name__ == "__main__":
    sys.exit(main())
