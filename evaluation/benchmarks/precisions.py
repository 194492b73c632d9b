"""What it costs to hold weights in fewer bits: `python -m evaluation.benchmarks.precisions [--adapter NAME] [--json]`.

For each precision of the engine openvino: the speed of a prompt and of writing, how much the
next token's probabilities differ from those of float32 on general texts (Kullback-Leibler divergence, nats a token, and
in how many places the likeliest token is the same), the perplexity of those texts, and answers to the handbook's
questions over the passages that are found: token F1 against the expected answer, with its interval, and how many are to
the letter what float32 answers.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.adapters.comparing import load_general
from evaluation.answers.texts import token_f1
from evaluation.benchmarks.generation import Bench, a_bench, prompts_of
from evaluation.benchmarks.output import run_shown, say
from evaluation.engines import a_prompt
from evaluation.questions import Question, load_questions
from evaluation.speed import BatchedSpeed, fastest
from kernel.chat.generation import Sampling
from kernel.chat.paged.model import PagedModel
from kernel.chat.paged.precision import PRECISIONS
from kernel.chat.paged.serving import Serving
from kernel.chat.paged.step import BLOCK, Row
from kernel.comparison import bootstrap_interval

_TEXT = 512
"""Most tokens of a general text."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Result:
    """What a precision costs and loses."""

    precision: str
    prefill: float
    decode: float
    perplexity: float
    divergence: float
    same_token: float
    f1: float
    f1_interval: tuple[float, float]
    same_answers: int
    answers: int


def measure(bench: Bench, index: Path, questions: Sequence[Question]) -> list[Result]:
    """Return what each precision costs, float32 first."""
    prompts = asyncio.run(prompts_of(bench.settings, index, [each.question for each in questions]))
    texts = load_general()[1]
    found: list[Result] = []
    wanted: tuple[list[Floats], list[str]] | None = None
    for precision in PRECISIONS:
        say(f"measuring {precision}")
        shares, perplexity = _read(bench, precision, texts)
        with closing(_engine(bench, precision)) as batched:
            ids = a_prompt(bench.base.folder, 1370)
            speed = fastest(lambda: batched.one(ids, 64, guessed=0), bench.times)  # noqa: B023 - called at once
            adapter = None if bench.adapter is None else batched.engine.load_adapter(bench.adapter)
            begun = [
                batched.engine.start(messages, Sampling(max_new_tokens=120), adapter=adapter)
                for messages in prompts
            ]
            answers = [each.result().text for each in begun]
        if wanted is None:
            wanted = shares, answers
        pairs = zip(answers, questions, strict=True)
        scores = np.array([token_f1(text, [asked.answer], "en") for text, asked in pairs])
        found.append(
            Result(
                precision,
                speed.prefill,
                speed.decode,
                perplexity,
                *_difference(wanted[0], shares),
                float(np.mean(scores)),
                bootstrap_interval(scores),
                sum(one == other for one, other in zip(wanted[1], answers, strict=True)),
                len(answers),
            )
        )
    return found


def _engine(bench: Bench, precision: str) -> BatchedSpeed:
    serving = Serving(precision=precision, threads=bench.threads)
    return BatchedSpeed(bench.base.name, bench.base.folder, serving)


def _read(bench: Bench, precision: str, texts: Sequence[str]) -> tuple[list[Floats], float]:
    """Return the logarithms of the next tokens' shares in texts, and the perplexity of these."""
    from kernel.chat.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(bench.base.folder)
    model = PagedModel(bench.base.folder, precision=precision, threads=bench.threads, cache_mb=64)
    found, total, count = [], 0.0, 0
    for text in texts:
        ids = tokenizer.encode_text(text)[:_TEXT]
        (logits,) = model.run([Row(ids, 0, range(-(-len(ids) // BLOCK)), None, len(ids))])
        shifted = logits - logits.max(axis=1, keepdims=True)
        shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        found.append(shares)
        total -= float(shares[np.arange(len(ids) - 1), ids[1:]].sum())
        count += len(ids) - 1
    return found, math.exp(total / count)


def _difference(wanted: Sequence[Floats], found: Sequence[Floats]) -> tuple[float, float]:
    apart, same, places = 0.0, 0, 0
    for one, other in zip(wanted, found, strict=True):
        apart += float((np.exp(one) * (one - other)).sum())
        same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
        places += len(one)
    return apart / places, same / places


def _table(results: Sequence[Result]) -> list[str]:
    lines = [
        f"{'precision':14s} {'prompt/s':>9s} {'written/s':>10s} {'perplexity':>11s} {'divergence':>11s} "
        f"{'same token':>11s}  {'F1':24s} {'same answers':>12s}"
    ]
    for each in results:
        f1 = f"{each.f1:.3f} [{each.f1_interval[0]:.3f}, {each.f1_interval[1]:.3f}]"
        lines.append(
            f"{each.precision:14s} {each.prefill:9.0f} {each.decode:10.0f} {each.perplexity:11.2f} "
            f"{each.divergence:11.4f} {each.same_token:11.3f}  {f1:24s} {each.same_answers:6d} of {each.answers}"
        )
    return lines


def main() -> int:
    """Measure, and print a line for each precision."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.precisions")
    parser.add_argument("--adapter", default="", help="name or folder, by which the questions are answered")
    parser.add_argument("--index", type=Path, default=Path(".tekio/demo"), help="made by make demo")
    parser.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    def run() -> list[Result]:
        asked: list[Any] = [
            each for each in load_questions(options.questions) if each.language == "en" and each.answerable
        ]
        return measure(a_bench(options.adapter, options.times), options.index, asked)

    return run_shown(run, _table, as_json=options.json)


if __name__ == "__main__":
    raise SystemExit(main())
