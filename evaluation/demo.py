"""Three questions over the sample corpus, with their cited answers: `python -m evaluation.demo`.

One in English, one in Japanese, one that the corpus does not answer. Ends with exit code 1
when an answer is not what the corpus says, so that the demo is a check too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from evaluation.questions import folded
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.settings import load_settings
from retrieval.errors import TekioError


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question, and where its answer stands; a document of None expects a refusal."""

    question: str
    document: str | None = None
    page: int | None = None
    text: str = ""


QUESTIONS = (
    DemoQuestion(
        "How long does a completed MRI screening form stay valid?",
        document="safety/mri-safety-zones.pdf",
        page=2,
        text="48 hours",
    ),
    DemoQuestion(
        "インフルエンザワクチンの多回用バイアルは、最初に針を刺してからどれくらいの時間使えますか。",
        document="pharmacy/reizoko-ondo-kanri.pdf",
        page=2,
        text="24時間以内",
    ),
    DemoQuestion("Which surgeon performs kidney transplants?"),
)


def fault(expected: DemoQuestion, answer: Answer) -> str | None:
    """Return what is wrong with an answer in one line, or None."""
    if expected.document is None:
        return None if answer.refused else "answered, though the documents do not hold the answer"
    if answer.refused:
        return "refused, though the documents hold the answer"
    if folded(expected.text) not in folded(answer.answer):
        return f"does not say '{expected.text}'"
    places = {(citation.document, citation.page) for citation in answer.citations}
    if (expected.document, expected.page) not in places:
        return f"does not cite {expected.document}, page {expected.page}"
    return None


def show(question: str, answer: Answer) -> str:
    """Return a question with its answer and sources as lines of text."""
    lines = [f"\n? {question}", f"  {answer.answer}"]
    for citation in answer.citations:
        page = f", p. {citation.page}" if citation.page else ""
        lines.append(f"  [{citation.marker}] {citation.document}{page}: “{citation.quote}”")
    lines += [f"  ({notice})" for notice in answer.notices]
    lines.append(f"  {answer.variant}, {answer.timings_ms['total'] / 1000:.1f} s")
    return "\n".join(lines)


async def run(tekio: Tekio) -> int:
    """Ask the questions, print the answers; return how many are not as expected."""
    faults = 0
    for expected in QUESTIONS:
        answer = await tekio.ask(expected.question)
        print(show(expected.question, answer), flush=True)
        if wrong := fault(expected, answer):
            faults += 1
            print(f"  NOT AS EXPECTED: {wrong}", flush=True)
    return faults


def main() -> int:
    """Run the demo over an index."""
    parser = argparse.ArgumentParser(description="Ask three questions of the sample corpus.")
    parser.add_argument("--index", type=Path, help="index of data/corpus")
    try:
        tekio = Tekio(
            load_settings(index=parser.parse_args().index),
            on_message=lambda line: print(line, file=sys.stderr),
        )
        faults = asyncio.run(run(tekio))
    except TekioError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.exit_code
    print(f"\n{len(QUESTIONS) - faults} of {len(QUESTIONS)} answers as expected")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
