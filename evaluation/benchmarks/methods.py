"""What each method of fine-tuning takes: `python -m evaluation.benchmarks.methods DATA`.

`DATA` is a training set, of `tekio adapt dataset`. Each method that learns answers learns the same rows for as many
steps at its own rate and default numbers, each in a process of its own, whose peak of memory is told; imports alone
take the first row's. Losses are of the rows held out, so few steps say little of what a method comes to in the end.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from adaptation.finetuning.encoding import encode_rows, shared_beginning
from adaptation.finetuning.methods import METHODS
from adaptation.finetuning.recipe import Recipe
from adaptation.training_sets.rows import ChatRow, read_rows
from evaluation.benchmarks.output import say, show
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError

COMPARED = ("full", "lora", "qlora", "dora", "adapter", "ia3", "prefix", "prompt")
_IMPORTS = "imports alone"
_PACK = 512


@dataclass(frozen=True, slots=True)
class Result:
    """What a method took; losses are means over learned tokens, in nats."""

    method: str
    parameters: int
    tokens_per_second: float
    loss_before: float | None
    loss: float | None
    peak_mib: float


def run_method(method: str, folder: Path, *, rows: int, steps: int, checkpointing: bool) -> Result:
    """Learn with a method in this process."""
    from adaptation.finetuning.answers import answer_trainer
    from adaptation.finetuning.building import adapted, load_base
    from adaptation.finetuning.training import run

    if method == _IMPORTS:
        import bitsandbytes  # noqa: F401 - what qlora imports
        import peft  # noqa: F401 - what all do

        return Result(method, 0, 0.0, None, None, _peak())
    settings = load_settings()
    base = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    tokenizer = ChatTokenizer(base.folder)
    learned, held = (
        encode_rows(tokenizer, read_rows(folder / part / "chat.jsonl", ChatRow)[:most], window=2048).rows
        for part, most in (("train", rows), ("held_out", max(2, rows // 8)))
    )
    recipe = Recipe(method=method, steps=steps, rows=4, pack=_PACK, checkpointing=checkpointing)
    with tempfile.TemporaryDirectory(prefix="tekio-method-") as work:
        beginning = shared_beginning(row.prompt for row in learned)
        model = adapted(load_base(base.folder, method), recipe, beginning)
        trainer, schedule = answer_trainer(model, learned, held, recipe, Path(work))
        done = run(trainer, recipe, schedule)
    return Result(
        method,
        done.parameters,
        done.tokens / max(done.seconds, 1e-9),
        done.held_out_before,
        done.held_out,
        _peak(),
    )


def _peak() -> float:
    """Return the peak of memory in MiB: a GPU's where there is one, else the process's."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / (1 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(
    folder: Path, methods: Sequence[str], *, rows: int, steps: int, checkpointing: bool
) -> list[Result]:
    """Run each method in a process of its own.

    Raises:
        UsageError: there is no such method, or no such set.
        TekioError: one failed.
    """
    unknown = [method for method in methods if method not in METHODS or METHODS[method].learns != "answers"]
    if unknown:
        raise UsageError(f"'{unknown[0]}' is no method that learns answers")
    if not (folder / "train" / "chat.jsonl").is_file():
        raise UsageError(f"{folder} has no conversations to train: name a set of `tekio adapt dataset`")
    results = []
    for method in [_IMPORTS, *methods]:
        say(f"{method} …")
        command = [sys.executable, "-m", "evaluation.benchmarks.methods", str(folder), "--run", method]
        command += [
            "--rows",
            str(rows),
            "--steps",
            str(steps),
            *(["--checkpointing"] if checkpointing else []),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own module
        if done.returncode:
            raise TekioError(f"{method} failed, see above")
        results.append(Result(**json.loads(done.stdout)))
    return results


def lines(results: Sequence[Result]) -> list[str]:
    """Return the table; memory beyond the imports is held against that of `full`."""
    rows = [
        f"{'method':16}{'weights':>13}{'tokens/s':>10}{'held out':>18}{'peak MiB':>10}"
        f"{'of full':>9}{'beyond imports':>16}"
    ]
    imports = results[0].peak_mib
    full = next((each.peak_mib for each in results if each.method == "full"), None)
    for each in results:
        held = (
            ""
            if each.loss is None or each.loss_before is None
            else f"{each.loss_before:.3f} to {each.loss:.3f}"
        )
        share = "" if full is None or each.method == _IMPORTS else f"{each.peak_mib / full:.2f}"
        beyond = "" if share == "" or full is None else f"{(each.peak_mib - imports) / (full - imports):.2f}"
        rows.append(
            f"{each.method:16}{each.parameters:>13,}{each.tokens_per_second:>10.0f}{held:>18}{each.peak_mib:>10,.0f}"
            f"{share:>9}{beyond:>16}"
        )
    return rows


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.methods")
    parser.add_argument("data", type=Path, help="a training set, of `tekio adapt dataset`")
    parser.add_argument("--methods", default=",".join(COMPARED), help=f"of {', '.join(COMPARED)}")
    parser.add_argument("--rows", type=int, default=32, help="rows to learn, at most")
    parser.add_argument("--steps", type=int, default=6, help="of the optimiser")
    parser.add_argument("--checkpointing", action="store_true", help="compute activations twice")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    chosen = {"rows": options.rows, "steps": options.steps, "checkpointing": options.checkpointing}
    try:
        if options.run:
            print(json.dumps(asdict(run_method(options.run, options.data, **chosen))))
            return 0
        results = measure(options.data, [name.strip() for name in options.methods.split(",")], **chosen)
    except TekioError as error:
        say(str(error))
        return error.exit_code
    show([asdict(each) for each in results], lambda: print("\n".join(lines(results))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
