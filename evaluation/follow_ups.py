"""Follow-up questions of a file, asked in their conversation: `python -m evaluation.follow_ups`.

Each is asked as it stands (`off`), made to stand alone by the rules and, where asked for, by the model, and as a person
would write it so that it stands alone (`stands_alone` of its row), which is what can be reached. The questions of
another file, which stand alone, are asked after a turn about something else: none of them should be changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.metrics import reciprocal_rank, share
from evaluation.questions import folded, load_questions
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError

DEPTH = 5
UNRELATED = {
    "en": ("When was the cathedral of the city built?", "It was built in the thirteenth century."),
    "ja": ("その街の大聖堂はいつ建てられましたか。", "十三世紀に建てられました。"),
}
WAYS = ("off", "rules", "by hand")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A question with the turns before it; `quote` stands in the passage that answers it."""

    id: str
    language: str
    history: tuple[tuple[str, str], ...]
    question: str
    stands_alone: str
    answer: str
    document: str
    page: int | None
    quote: str


def read_follow_ups(path: Path) -> list[FollowUp]:
    """Read follow-up questions, one JSON object a line.

    Raises:
        UsageError: the file is missing, or a line is none.
    """
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [
            FollowUp(
                **{**row, "history": tuple((turn["question"], turn["answer"]) for turn in row["history"])}
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no follow-up questions: {error}") from error


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a question: as it was searched for, the rank of its passage, whether the answer is there."""

    asked: str
    rank: int | None
    contained: bool


async def ask_one(tekio: Tekio, row: FollowUp, way: str, variant: str) -> Result:
    """Ask a question in one of the ways."""
    by_hand = way == "by hand"
    answer = await tekio.ask(
        row.stands_alone if by_hand else row.question,
        history=() if by_hand else row.history,
        follow_ups="off" if by_hand else way,
        variant=variant,
        top_k=DEPTH,
        memory=False,
    )
    return Result(answer.asked, _rank(answer, row), folded(row.answer) in folded(answer.answer))


def _rank(answer: Answer, row: FollowUp) -> int | None:
    for place, passage in enumerate(answer.passages, start=1):
        if passage.document == row.document and folded(row.quote) in folded(passage.text):
            return place
    return None


async def changed(tekio: Tekio, questions: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the questions that stand alone and were changed after an unrelated turn, as they were searched for."""
    found = []
    for language, question in questions:
        history = [UNRELATED[language]]
        answer = await tekio.ask(question, history=history, variant="extractive", top_k=1, memory=False)
        if answer.asked != question:
            found.append((question, answer.asked))
    return found


async def run(tekio: Tekio, arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask everything; return the report."""
    rows = read_follow_ups(arguments.questions)
    ways = [*WAYS, "model"] if arguments.model else list(WAYS)
    report: dict[str, Any] = {"ways": {}, "rows": []}
    results: dict[str, list[Result]] = {}
    for way in ways:
        variant = arguments.variant if way == "model" else "extractive"
        results[way] = [await ask_one(tekio, row, way, variant) for row in rows]
    for language in ("en", "ja", "all"):
        chosen = [place for place, row in enumerate(rows) if language in (row.language, "all")]
        report["ways"][language] = {
            way: {
                "hit": share([found[place].rank is not None for place in chosen]).as_dict(),
                "mrr": round(reciprocal_rank([found[place].rank for place in chosen]), 3),
                "contained": share([found[place].contained for place in chosen]).as_dict(),
            }
            for way, found in results.items()
            if chosen
        }
    report["rows"] = [
        {"id": row.id, "question": row.question}
        | {
            way: {"asked": found[place].asked, "rank": found[place].rank, "contained": found[place].contained}
            for way, found in results.items()
        }
        for place, row in enumerate(rows)
    ]
    if arguments.standing:
        standing = [(each.language, each.question) for each in load_questions(arguments.standing)]
        report["standing"] = {"questions": len(standing), "changed": await changed(tekio, standing)}
    return report


def lines(report: dict[str, Any]) -> list[str]:
    """Return the report as lines of text."""
    found = [f"{'':4} {'way':8} {'passage in 5':>16} {'MRR':>6} {'answer there':>16}"]
    for language, ways in report["ways"].items():
        for way, figures in ways.items():
            hit, contained = (
                f"{figures[name]['hits']} of {figures[name]['total']}" for name in ("hit", "contained")
            )
            found.append(f"{language:4} {way:8} {hit:>16} {figures['mrr']:6.3f} {contained:>16}")
    if standing := report.get("standing"):
        found.append(f"standing alone: {len(standing['changed'])} of {standing['questions']} changed")
    return found


def main() -> int:
    """Measure over an index."""
    parser = argparse.ArgumentParser(description="Ask follow-up questions in their conversations.")
    parser.add_argument("--index", type=Path, help="index of data/corpus")
    parser.add_argument("--questions", type=Path, default=Path("data/follow_ups.jsonl"))
    parser.add_argument("--standing", type=Path, help="questions that stand alone")
    parser.add_argument("--model", action="store_true", help="let the language model rewrite too")
    parser.add_argument("--variant", default="base", help="the language model's")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        tekio = Tekio(load_settings(index=arguments.index))
        report = asyncio.run(run(tekio, arguments))
        tekio.close()
    except TekioError as error:
        print(f"follow_ups: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, ensure_ascii=False, indent=2) if arguments.json else "\n".join(lines(report)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
