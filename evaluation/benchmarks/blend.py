"""What a mixture of two costs: `python -m evaluation.benchmarks.blend [--adapter NAME] [--times N] [--json]`.

In one run, on the same tokens, nothing kept from before and nothing guessed: an answer of 96 tokens that the base and
an adapter write together, by each rule, against one that the base writes alone, and against both writing one after the
other. Without an adapter the base is mixed with itself. Of several times the best counts, for each way alike.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

from evaluation.benchmarks.generation import AT_ONCE, WRITTEN, Bench, a_bench
from evaluation.benchmarks.output import say, show
from evaluation.engines import a_prompt
from evaluation.speed import BatchedSpeed, Speed
from kernel.chat.paged.mixing import MixRule, Mixture
from retrieval.errors import TekioError

PROMPT = 400
"""Tokens of the prompt, about as many as the default technique sends."""
RULES: tuple[MixRule, ...] = ("linear", "log_linear")


@dataclass(frozen=True, slots=True)
class Cost:
    """A rule against one member: ratios of what a second gives, and of the time of a whole answer.

    Attributes:
        rule: of the mixture.
        written: tokens a second of the mixture, and of the base alone.
        of_one: the first by the second.
        whole: seconds of a whole answer by the mixture, by the base, and by both members one after the other.
        times_one: the first by the second.
        times_both: the first by the third.
        at_once: tokens a second of so many mixtures at once as there are slots for, and of twice as many by the base.
    """

    rule: str
    written: tuple[float, float]
    of_one: float
    whole: tuple[float, float, float]
    times_one: float
    times_both: float
    at_once: tuple[float, float]


def costs(bench: Bench) -> list[Cost]:
    """Return what each rule costs."""
    ids = a_prompt(bench.base.folder, PROMPT)
    with closing(bench.batched(guessed=0)) as batched:
        name = None if bench.adapter is None else batched.engine.load_adapter(bench.adapter)
        mixtures = [Mixture(rule, (None, name), (0.5, 0.5)) for rule in RULES]
        found: dict[str, list[Speed]] = {"base": [], "adapter": [], **{rule: [] for rule in RULES}}
        batched.one(ids, 4, mixture=mixtures[0])
        for _ in range(bench.times):  # in turns, so that what else the machine does meets all of them
            found["base"].append(batched.one(ids, WRITTEN))
            found["adapter"].append(batched.one(ids, WRITTEN, adapter=name))
            for mixture in mixtures:
                found[mixture.rule].append(batched.one(ids, WRITTEN, mixture=mixture))
        alone = _together(batched, ids, None, bench.times)
        many = {mixture.rule: _together(batched, ids, mixture, bench.times) for mixture in mixtures}
    decode = {way: max(each.decode for each in speeds) for way, speeds in found.items()}
    whole = {way: min(each.whole for each in speeds) for way, speeds in found.items()}
    both = whole["base"] + whole["adapter"]
    return [
        Cost(
            rule,
            (decode[rule], decode["base"]),
            decode[rule] / decode["base"],
            (whole[rule], whole["base"], both),
            whole[rule] / whole["base"],
            whole[rule] / both,
            (many[rule], alone),
        )
        for rule in RULES
    ]


def _together(batched: BatchedSpeed, ids: Sequence[int], mixture: Mixture | None, times: int) -> float:
    """Return tokens a second of all that have a slot at once, each with a prompt of its own."""
    count = AT_ONCE if mixture is None else AT_ONCE // 2
    best = 0.0
    for _ in range(times):
        batched.forget()
        begun = [batched.begin(ids[number:], WRITTEN, mixture=mixture) for number in range(count)]
        seconds = max(each.result().seconds for each in begun)
        best = max(best, count * WRITTEN / seconds)
    return best


def table(found: Sequence[Cost], adapter: str) -> list[str]:
    """Return the costs as lines."""
    lines = [f"the base with {adapter or 'itself'}: {PROMPT} tokens read, {WRITTEN} written, nothing guessed"]
    for each in found:
        written, whole, at_once = each.written, each.whole, each.at_once
        lines += [
            f"{each.rule}",
            f"  tokens a second        {written[0]:7.1f}  one member {written[1]:7.1f}  ratio {each.of_one:.2f}",
            f"  whole answer, seconds  {whole[0]:7.2f}  one member {whole[1]:7.2f}  ratio {each.times_one:.2f}"
            f"  both in turn {whole[2]:7.2f}  ratio {each.times_both:.2f}",
            f"  {AT_ONCE // 2} at once, tokens a s   {at_once[0]:7.1f}  {AT_ONCE} of one member {at_once[1]:7.1f}"
            f"  ratio {at_once[0] / at_once[1]:.2f}",
        ]
    return lines


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.blend")
    parser.add_argument("--adapter", default="", help="name or folder; empty: the base with itself")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        found = costs(a_bench(options.adapter, options.times))
    except TekioError as error:
        say(str(error))
        return error.exit_code
    show(
        [asdict(each) for each in found],
        lambda: print("\n".join(table(found, options.adapter))),
        as_json=options.json,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
