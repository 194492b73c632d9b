"""How well a class is named by base and adapter: `python -m evaluation.benchmarks.classes QUESTIONS`.

`QUESTIONS` is a file of questions over texts whose answer is a class, such as PubMedQA's yes, no and maybe. They are
cut into folds; those of each fold are asked of the base and of an adapter that was trained on the others. *said* is
the first word of what is written, *likeliest* the class whose first token the model finds likeliest, which even a
model can give that writes something else. The share of the most frequent class stands beside. What each fold came to is
kept in a folder, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from adaptation.finetuning.encoding import encode_chat
from adaptation.finetuning.recipe import Recipe
from adaptation.training_sets.plain_rows import class_row
from adaptation.training_sets.rows import ChatRow
from evaluation.answers.reading import read_questions
from evaluation.benchmarks.output import say, show
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.comparison import bootstrap_interval, compare
from kernel.model_store import ModelStore, ResolvedModel
from kernel.settings import Settings, load_settings
from retrieval.errors import TekioError, UsageError

WAYS = ("base, said", "tuned, said", "base, likeliest", "tuned, likeliest")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered to a question: its class, and what each way named."""

    id: str
    label: str
    named: dict[str, str]


@dataclass(frozen=True, slots=True)
class Result:
    """The share that a way names rightly, its interval, and what it has over the most frequent class."""

    way: str
    questions: int
    share: float
    interval: tuple[float, float]
    over_majority: float
    over_majority_interval: tuple[float, float]


def rows_of(path: Path) -> tuple[list[ChatRow], list[str]]:
    """Return the questions as rows, and the classes.

    Raises:
        UsageError: the file has no classes, or brings no texts.
    """
    found = read_questions(path)
    texts = {row.id: row.text for row in found.pool}
    classes = sorted({item.label for item in found.items if item.label})
    made = [
        class_row(item, texts[item.places[0][0]], classes, item.id, found.name)
        for item in found.items
        if item.label and item.places and item.places[0][0] in texts
    ]
    rows = [row for row in made if row is not None]
    if len(classes) < 2 or not rows:
        raise UsageError(f"{path} has no questions over texts whose answer is a class")
    return rows, classes


def folds_of(rows: Sequence[ChatRow], folds: int, seed: int) -> list[list[ChatRow]]:
    """Return the rows in folds, each class spread over all of them."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    of_class: dict[str, list[ChatRow]] = {}
    for row in rows:
        of_class.setdefault(row.answer, []).append(row)
    found: list[list[ChatRow]] = [[] for _ in range(folds)]
    place = 0
    for label in sorted(of_class):
        drawn.shuffle(of_class[label])
        for row in of_class[label]:
            found[place % folds].append(row)
            place += 1
    return found


def run_fold(
    learned: Sequence[ChatRow],
    asked: Sequence[ChatRow],
    classes: Sequence[str],
    base: ResolvedModel,
    recipe: Recipe,
    settings: Settings,
) -> list[Outcome]:
    """Train on some rows, and ask the others of base and adapter."""
    from adaptation.finetuning.answers import answer_trainer
    from adaptation.finetuning.building import adapted, load_base, write_adapter
    from adaptation.finetuning.training import run
    from adaptation.finetuning.watching import in_lines

    model = LanguageModel(base.name, base.folder, dtype=settings.dtype, threads=settings.threads)
    tokenizer = model.tokenizer
    with tempfile.TemporaryDirectory(prefix="tekio-classes-") as place:
        rows = [
            row for row in (encode_chat(tokenizer, each) for each in learned) if len(row) <= recipe.window
        ]
        trainer, schedule = answer_trainer(
            adapted(load_base(base.folder), recipe), rows, [], recipe, Path(place) / "work"
        )
        run(trainer, recipe, schedule, show=in_lines(say))
        folder = Path(place) / "adapter"
        write_adapter(trainer.model, base.name, folder, method=recipe.method)
        adapter = model.load_adapter(folder)
    begins = {tokenizer.encode_text(label)[0]: label for label in classes}
    if len(begins) < len(classes):
        raise UsageError(f"two of the classes {', '.join(classes)} begin with the same token of {base.name}")
    outcomes = []
    for row in asked:
        messages = [message.model_dump() for message in row.messages[:-1]]
        prompt = tokenizer.encode_chat(messages)
        named = {}
        for name, variant in (("base", None), ("tuned", adapter)):
            text = model.generate(messages, Sampling(max_new_tokens=6), adapter=variant).text
            named[f"{name}, said"] = (_WORD.findall(text.lower()) or [""])[0]
            likeliest = model.likeliest_next(prompt, list(begins), adapter=variant)
            named[f"{name}, likeliest"] = begins[likeliest]
        outcomes.append(Outcome(row.id, row.answer, named))
    return outcomes


def measure(
    path: Path, settings: Settings, recipe: Recipe, *, folds: int, keep: Path, only: Sequence[int] = ()
) -> list[Outcome]:
    """Return what was answered in all folds; those that were run before are read.

    Raises:
        UsageError: the file has no such questions, or there are fewer than two folds.
    """
    if folds < 2:
        raise UsageError(f"--folds is at least 2, not {folds}")
    rows, classes = rows_of(path)
    parts = folds_of(rows, folds, recipe.seed)
    base = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    keep.mkdir(parents=True, exist_ok=True)
    found: list[Outcome] = []
    for number, asked in enumerate(parts, start=1):
        file = keep / f"{path.stem}-{recipe.digest(str(folds), base.revision)[:12]}-{number}.json"
        if file.is_file():
            found += [Outcome(**row) for row in json.loads(file.read_text(encoding="utf-8"))]
            continue
        if only and number not in only:
            continue
        say(f"fold {number} of {folds}")
        learned = [row for other in parts if other is not asked for row in other]
        outcomes = run_fold(learned, asked, classes, base, recipe, settings)
        file.write_text(json.dumps([asdict(each) for each in outcomes]) + "\n", encoding="utf-8")
        found += outcomes
    return found


def results(outcomes: Sequence[Outcome]) -> list[Result]:
    """Return the share of each way, beside that of always naming the most frequent class."""
    most = Counter(each.label for each in outcomes).most_common(1)[0][0]
    majority = np.array([float(each.label == most) for each in outcomes])
    found = []
    for way in ("majority", *WAYS):
        right = (
            majority
            if way == "majority"
            else np.array([float(each.named[way] == each.label) for each in outcomes])
        )
        over = compare(majority, right)
        found.append(
            Result(
                f"always {most}" if way == "majority" else way,
                len(outcomes),
                float(right.mean()),
                bootstrap_interval(right),
                over.difference,
                over.interval,
            )
        )
    return found


def lines(found: Sequence[Result]) -> list[str]:
    """Return the table."""
    rows = [f"{'':18}{'questions':>10}  right                   over the most frequent class"]
    for each in found:
        rows.append(
            f"{each.way:18}{each.questions:>10}  {each.share:.3f} [{each.interval[0]:.3f}, {each.interval[1]:.3f}]    "
            f"{each.over_majority:+.3f} [{each.over_majority_interval[0]:+.3f}, {each.over_majority_interval[1]:+.3f}]"
        )
    return rows


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.classes")
    parser.add_argument("questions", type=Path, help="a file of questions whose answer is a class")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", default="", help="run these folds, separated by commas; others are read")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--layers", type=float, default=1.0, help="share of the layers that learn")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    settings = load_settings()
    recipe = Recipe(
        epochs=options.epochs, rank=options.rank, rate=options.rate, layers=options.layers, hold=0, pack=2048
    )
    try:
        recipe.check()
        outcomes = measure(
            options.questions,
            settings,
            recipe,
            folds=options.folds,
            keep=settings.cache / "evaluations" / "classes",
            only=[int(number) for number in options.only.split(",") if number],
        )
    except TekioError as error:
        say(str(error))
        return error.exit_code
    found = results(outcomes)
    show([asdict(each) for each in found], lambda: print("\n".join(lines(found))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
