"""How fast answers are written: `python -m evaluation.benchmarks.generation [--adapter NAME] [--only PART,…] [--json]`.

In one run, on the same tokens, against transformers' `generate` in float32 and, where it is on this machine,
llama.cpp's server with the same weights as GGUF:

*whole*: one answer of 96 tokens behind a prompt of 1,370, nothing kept from before, nothing guessed.
*together*: eight answers at once, half of them by the adapter, against one after the other, and llama.cpp's slots.
*kept*: the first token of the second question of a conversation over 1,500 tokens, and of a new question behind the
same instructions and examples.
*guessed*: answers of the adapter that cite the handbook's passages, with guesses and without.

Every engine writes as many tokens, whatever they are, but for *guessed*, whose answers are real and end by themselves;
there the tokens of both ways are compared too. Of several times the best counts, for each engine alike.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluation.benchmarks.output import say, show
from evaluation.engines import a_prompt
from evaluation.speed import BatchedSpeed, LlamaSpeed, PlainSpeed, Speed, fastest
from kernel.app import Tekio
from kernel.chat.adapters import find_adapter
from kernel.chat.generation import Generation, Sampling
from kernel.chat.llama.finding import find_server
from kernel.chat.paged.serving import Serving
from kernel.model_store import ModelStore, ResolvedModel
from kernel.settings import Settings, load_settings
from retrieval.errors import TekioError, UsageError

PROMPT, WRITTEN, AT_ONCE = 1370, 96, 8
CONTEXT = 1500
PARTS = ("whole", "together", "kept", "guessed")
_SHORTER = 200
"""Tokens of the prompts that are asked at once, about as many as the default technique sends."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A ratio, against what, and what it should be; `holds` says whether it is."""

    measure: str
    against: str
    ratio: float
    aim: str
    holds: bool
    told: str


def at_least(measure: str, against: str, ratio: float, aim: float, told: str) -> Figure:
    """Return a figure that should be no less."""
    return Figure(measure, against, ratio, f"at least {aim:g}", ratio >= aim, told)


def at_most(measure: str, against: str, ratio: float, aim: float, told: str) -> Figure:
    """Return a figure that should be no more."""
    return Figure(measure, against, ratio, f"at most {aim:g}", ratio <= aim, told)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is measured with."""

    base: ResolvedModel
    store: ModelStore
    settings: Settings
    adapter: Path | None
    times: int

    @property
    def threads(self) -> int:
        """Of each engine."""
        return self.settings.threads or os.cpu_count() or 1

    def batched(self, *, guessed: int) -> BatchedSpeed:
        """Return the engine of batches, loaded and warm."""
        serving = Serving(threads=self.threads, slots=AT_ONCE, guessed=guessed)
        made = BatchedSpeed(self.base.name, self.base.folder, serving)
        made.one(a_prompt(self.base.folder, 64), 4)
        return made

    def llama(self, slots: int, window: int) -> LlamaSpeed | None:
        """Return llama.cpp's server, warm; None where there is none."""
        if find_server() is None:
            return None
        file = self.store.gguf(self.settings.generator)
        made = LlamaSpeed(file, slots=slots, threads=self.threads, window=window)
        made.one(a_prompt(self.base.folder, 64), 4)
        return made


def whole(bench: Bench) -> list[Figure]:
    """One answer, nothing kept, nothing guessed."""
    ids = a_prompt(bench.base.folder, PROMPT)
    with closing(bench.batched(guessed=0)) as batched:
        own = fastest(lambda: batched.one(ids, WRITTEN), bench.times)
    theirs = _plain(bench, ids)
    others = [("float32 generate", theirs)]
    if (server := bench.llama(1, PROMPT + WRITTEN + 64)) is not None:
        with closing(server):
            llama = fastest(lambda: server.one(ids, WRITTEN), bench.times)
        others.append(("llama.cpp", llama))
    name, best = min(others, key=lambda each: each[1].whole)
    quickest, reading = max(others, key=lambda each: each[1].prefill)
    found = [
        at_most("whole answer", name, own.whole / best.whole, 0.6, f"{own.whole:.2f} s, {best.whole:.2f} s"),
        at_least(
            "decode, one request",
            "float32 generate",
            own.decode / theirs.decode,
            5,
            f"{own.decode:.0f}/s, {theirs.decode:.0f}/s",
        ),
        at_least(
            "prefill",
            quickest,
            own.prefill / reading.prefill,
            1,
            f"{own.prefill:.0f}/s, {reading.prefill:.0f}/s",
        ),
    ]
    if server is not None:
        told = f"{own.decode:.0f}/s, {llama.decode:.0f}/s"
        found.insert(1, at_least("decode, one request", "llama.cpp", own.decode / llama.decode, 1, told))
    return found


def _plain(bench: Bench, ids: Sequence[int]) -> Speed:
    plain = PlainSpeed(bench.base.folder, dtype="float32", threads=bench.threads)
    plain.one(ids[:64], 4)
    return fastest(lambda: plain.one(ids, WRITTEN), bench.times)


def together(bench: Bench) -> list[Figure]:
    """Eight answers at once."""
    prompts = [a_prompt(bench.base.folder, _SHORTER + number)[number:] for number in range(AT_ONCE)]
    with closing(bench.batched(guessed=0)) as batched:
        name = None if bench.adapter is None else batched.engine.load_adapter(bench.adapter)
        who = [name if number % 2 else None for number in range(AT_ONCE)]
        batched.begin(prompts[0], 4, adapter=name).result()

        def at_once() -> float:
            batched.forget()
            started = time.perf_counter()
            begun = [
                batched.begin(ids, WRITTEN, adapter=adapter)
                for ids, adapter in zip(prompts, who, strict=True)
            ]
            for each in begun:
                each.result()
            return time.perf_counter() - started

        def in_turn() -> float:
            started = time.perf_counter()
            for ids, adapter in zip(prompts, who, strict=True):
                batched.one(ids, WRITTEN, adapter=adapter)
            return time.perf_counter() - started

        once = min(at_once() for _ in range(bench.times))
        turns = min(in_turn() for _ in range(bench.times))
    tokens = AT_ONCE * WRITTEN
    mixed = "half of them by the adapter" if bench.adapter else "the base alone"
    found = [
        at_least(
            f"{AT_ONCE} at once, {mixed}",
            "one after the other",
            turns / once,
            3,
            f"{tokens / once:.0f}/s, {tokens / turns:.0f}/s",
        )
    ]
    if (server := bench.llama(AT_ONCE, _SHORTER + WRITTEN + 64)) is not None:
        with closing(server), ThreadPoolExecutor(AT_ONCE) as clients:

            def slots() -> float:
                started = time.perf_counter()
                list(clients.map(lambda ids: server.one(ids, WRITTEN), prompts))
                return time.perf_counter() - started

            theirs = min(slots() for _ in range(bench.times))
        told = f"{tokens / once:.0f}/s, {tokens / theirs:.0f}/s"
        found.append(at_least(f"{AT_ONCE} at once, {mixed}", "llama.cpp, base", theirs / once, 1, told))
    return found


def kept(bench: Bench) -> list[Figure]:
    """The first token where the beginning of the prompt was read before."""
    ids = a_prompt(bench.base.folder, CONTEXT + 400)
    with closing(bench.batched(guessed=0)) as batched:

        def first(prompt: Sequence[int]) -> float:
            return batched.begin(prompt, 2).result().seconds_to_first_token

        def conversation() -> tuple[float, float]:
            batched.forget()
            return first(ids[:CONTEXT]), first(ids[: CONTEXT + 60])

        def instructions() -> tuple[float, float]:
            batched.forget()
            # 700 tokens of instructions and examples, 400 of passages and question
            new = ids[:700] + ids[900:1300]
            fresh = first(new)
            batched.forget()
            first(ids[:900])
            return fresh, first(new)

        pairs = [
            [min(each) for each in zip(*(way() for _ in range(bench.times)), strict=True)]
            for way in (conversation, instructions)
        ]
    names = (
        "first token, second question, 1,500 tokens of context",
        "first token, new question, 700 of 1,100 tokens kept",
    )
    return [
        at_most(name, against, again / fresh, aim, f"{1000 * again:.0f} ms, {1000 * fresh:.0f} ms")
        for name, against, aim, (fresh, again) in zip(
            names, ("first question", "nothing kept"), (0.25, 0.6), pairs, strict=True
        )
    ]


def guessed(bench: Bench, index: Path, questions: Sequence[str]) -> list[Figure]:
    """Answers that cite, of real prompts over the passages that are found."""
    prompts = asyncio.run(prompts_of(bench.settings, index, questions))
    plain, slow = _answered(bench, prompts, 0)
    fast, quick = _answered(bench, prompts, Serving().guessed)
    same = sum(one.text == other.text for one, other in zip(plain, fast, strict=True))
    drafted, accepted = sum(each.drafted_tokens for each in fast), sum(each.accepted_tokens for each in fast)
    length = statistics.mean(each.completion_tokens for each in fast)
    rates = [sum(each.completion_tokens for each in plain) / spent for spent in (slow, quick)]
    told = (
        f"{rates[1]:.0f}/s, {rates[0]:.0f}/s; {accepted} of {drafted} guesses held; "
        f"{same} of {len(fast)} answers the same; {length:.0f} tokens each"
    )
    return [at_least("cited answers, guessed ahead", "nothing guessed", rates[1] / rates[0], 1.3, told)]


def _answered(
    bench: Bench, prompts: Sequence[Sequence[Mapping[str, str]]], most: int
) -> tuple[list[Generation], float]:
    """Return the answers to prompts with at most so many tokens guessed, and the seconds of writing, at best."""
    with closing(bench.batched(guessed=most)) as batched:
        adapter = None if bench.adapter is None else batched.engine.load_adapter(bench.adapter)

        def run() -> list[Generation]:
            batched.forget()
            return [
                batched.engine.start(messages, Sampling(max_new_tokens=160), adapter=adapter).result()
                for messages in prompts
            ]

        runs = [run() for _ in range(bench.times)]
    return runs[0], min(sum(each.seconds - each.seconds_to_first_token for each in made) for made in runs)


async def prompts_of(settings: Settings, index: Path, questions: Sequence[str]) -> list[list[dict[str, str]]]:
    """Return what the default technique sends for questions, over the passages of an index that are found."""
    tekio = Tekio(settings.model_copy(update={"index": index, "store": ""}))
    try:
        found = []
        for question in questions:
            passages = await tekio.search(question, top_k=3)
            prompt = await tekio.prompt(question, passages, language="en")
            found.append([dict(message) for message in prompt.messages])
        return found
    finally:
        tekio.close()


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.generation")
    parser.add_argument("--adapter", default="", help="name or folder; empty: the base alone")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument(
        "--index", type=Path, default=Path(".tekio/demo"), help="for guessed; made by make demo"
    )
    parser.add_argument("--questions", type=Path, default=Path("data/questions.jsonl"), help="for guessed")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts = options.only.split(",")
    try:
        if unknown := set(parts) - set(PARTS):
            raise UsageError(f"there is no part {sorted(unknown)[0]}; there are {', '.join(PARTS)}")
        bench = a_bench(options.adapter, options.times)
        if find_server() is None:
            say("llama.cpp's server is not on this machine: what is measured against it is left out")
        ways: dict[str, Callable[[], list[Figure]]] = {
            "whole": lambda: whole(bench),
            "together": lambda: together(bench),
            "kept": lambda: kept(bench),
            "guessed": lambda: guessed(bench, options.index, _questions(options.questions)),
        }
        figures: list[Figure] = []
        for part in parts:
            say(f"measuring {part}")
            figures += ways[part]()
    except TekioError as error:
        say(str(error))
        return error.exit_code

    def table() -> None:
        for each in figures:
            mark = "" if each.holds else "  NOT reached"
            print(
                f"{each.measure:54s} {each.against:20s} {each.ratio:5.2f}  {each.aim:13s}{mark}\n    {each.told}"
            )

    show([asdict(each) for each in figures], table, as_json=options.json)
    return 0


def a_bench(adapter: str, times: int) -> Bench:
    """Return what is measured with, by the settings.

    Raises:
        UsageError: there is no such adapter.
    """
    settings = load_settings()
    store = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    folder = find_adapter(adapter, settings.adapters) if adapter else None
    if adapter and folder is None:
        raise UsageError(f"there is no adapter '{adapter}' in {settings.adapters}")
    return Bench(store.resolve(settings.generator), store, settings, folder, times)


def _questions(file: Path) -> list[str]:
    import json

    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [row["question"] for row in rows if row.get("language") == "en"][:20]


if __name__ == "__main__":
    raise SystemExit(main())
