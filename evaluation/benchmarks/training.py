"""How fast an adapter is trained: `python -m evaluation.benchmarks.training DATA`.

`DATA` is a training set, of `tekio adapt dataset`. *defaults* is what one would write first: transformers' Trainer with
a PEFT adapter over all layers, in float32, rows padded in batches. *tekio* is `tekio adapt train`. Both learn
the same rows once, at the same rank and rate, one after the other and each in a process of its own; what either came to
is then measured by the same held-out loss. Tokens are those of the rows, however few of them are computed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from adaptation.finetuning.encoding import Encoded, encode_rows
from adaptation.finetuning.recipe import Recipe
from adaptation.training_sets.rows import ChatRow, read_rows
from evaluation.benchmarks.output import say, show
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.model_store import ModelStore, ResolvedModel
from kernel.settings import load_settings
from retrieval.errors import TekioError, UsageError

WAYS = ("defaults", "tekio", "tekio, upper half")
_BATCH = 8
"""Rows of a batch by default, as TrainingArguments have it."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a way took and came to; losses are means over learned tokens, in nats."""

    way: str
    rows: int
    tokens: int
    seconds: float
    tokens_per_second: float
    ratio: float
    held_out_before: float
    held_out: float
    peak_mib: float


def _rows(folder: Path, base: ResolvedModel, part: str, most: int) -> list[Encoded]:
    path = folder / part / "chat.jsonl"
    if not path.is_file():
        raise UsageError(f"{folder} has no conversations to {part}: name a set of `tekio adapt dataset`")
    rows = read_rows(path, ChatRow)[:most]
    return list(encode_rows(ChatTokenizer(base.folder), rows, window=2048).rows)


def run_way(way: str, folder: Path, base: ResolvedModel, most: int, rank: int) -> Result:
    """Train by one way, in this process."""
    rows, held = _rows(folder, base, "train", most), _rows(folder, base, "held_out", max(1, most // 4))
    recipe = Recipe(
        rank=rank, rate=5e-4, epochs=1, rows=_BATCH, pack=2048, layers=0.5 if way == WAYS[2] else 1.0
    )
    with tempfile.TemporaryDirectory(prefix="tekio-training-") as work:
        if way == WAYS[0]:
            model, seconds, before = _by_default(base, rows, held, recipe, Path(work))
        else:
            model, seconds, before = _by_tekio(base, rows, held, recipe, Path(work))
        after = _loss(model, held)
    tokens = sum(map(len, rows))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Result(way, len(rows), tokens, seconds, tokens / seconds, 1.0, before, after, peak)


def _by_default(
    base: ResolvedModel, rows: Sequence[Encoded], held: Sequence[Encoded], recipe: Recipe, work: Path
) -> tuple[Any, float, float]:
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        DataCollatorForSeq2Seq,
        PrinterCallback,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    set_seed(recipe.seed)
    loaded: Any = AutoModelForCausalLM.from_pretrained(base.folder, dtype="float32", local_files_only=True)
    config = LoraConfig(
        task_type="CAUSAL_LM", r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules="all-linear"
    )
    model: Any = get_peft_model(loaded, config)
    examples = [
        {
            "input_ids": [*row.prompt, *row.answer],
            "labels": [-100] * len(row.prompt) + list(row.answer),
        }
        for row in rows
    ]
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(work),
            num_train_epochs=1,
            learning_rate=recipe.rate or 5e-4,
            per_device_train_batch_size=_BATCH,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=recipe.seed,
        ),
        train_dataset=examples,
        data_collator=DataCollatorForSeq2Seq(ChatTokenizer(base.folder).tokenizer, label_pad_token_id=-100),
    )
    trainer.remove_callback(PrinterCallback)
    before = _loss(model, held)
    began = time.perf_counter()
    trainer.train()
    return model, time.perf_counter() - began, before


def _by_tekio(
    base: ResolvedModel, rows: Sequence[Encoded], held: Sequence[Encoded], recipe: Recipe, work: Path
) -> tuple[Any, float, float]:
    from adaptation.finetuning.answers import answer_trainer
    from adaptation.finetuning.building import adapted, load_base
    from adaptation.finetuning.training import run
    from adaptation.finetuning.watching import in_lines

    model = adapted(load_base(base.folder), recipe)
    before = _loss(model, held)
    began = time.perf_counter()
    # Without held-out rows, so that only training is timed; the checkpoint at the end is.
    trainer, schedule = answer_trainer(model, rows, [], recipe, work)
    run(trainer, recipe, schedule, show=in_lines(say))
    return model, time.perf_counter() - began, before


def _loss(model: Any, rows: Sequence[Encoded]) -> float:
    """Return the mean loss of learned tokens, row by row, in the model's own precision."""
    import torch

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([[*row.prompt, *row.answer]], device=model.device)
            keep = torch.arange(len(row.prompt) - 1, ids.shape[1] - 1)
            logits = model(input_ids=ids, logits_to_keep=keep).logits[0].float()
            targets = torch.tensor(row.answer, device=logits.device)
            total += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            count += len(row.answer)
    model.train()
    return total / count


def measure(folder: Path, *, most: int, rank: int, ways: Sequence[str]) -> list[Result]:
    """Run each way in a process of its own.

    Raises:
        TekioError: one failed.
    """
    results: list[Result] = []
    for way in ways:
        say(f"{way} …")
        command = [sys.executable, "-m", "evaluation.benchmarks.training", str(folder), "--run", way]
        done = subprocess.run(  # noqa: S603 - our own module
            [*command, "--rows", str(most), "--rank", str(rank)],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise TekioError(f"{way} failed, see above")
        result = Result(**json.loads(done.stdout))
        first = results[0].tokens_per_second if results else result.tokens_per_second
        results.append(replace(result, ratio=result.tokens_per_second / first))
    return results


def lines(results: Sequence[Result]) -> list[str]:
    """Return the table."""
    rows = [
        f"{'way':20}{'rows':>6}{'tokens':>9}{'seconds':>9}{'tokens/s':>10}{'ratio':>7}{'held out':>18}{'peak MiB':>10}"
    ]
    for each in results:
        held = f"{each.held_out_before:.3f} to {each.held_out:.3f}"
        rows.append(
            f"{each.way:20}{each.rows:>6,}{each.tokens:>9,}{each.seconds:>9.1f}{each.tokens_per_second:>10.0f}"
            f"{each.ratio:>7.2f}{held:>18}{each.peak_mib:>10,.0f}"
        )
    return rows


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.training")
    parser.add_argument("data", type=Path, help="a training set, of `tekio adapt dataset`")
    parser.add_argument("--rows", type=int, default=96, help="rows to learn, at most")
    parser.add_argument("--rank", type=int, default=16, help="of the adapters")
    parser.add_argument("--ways", default=";".join(WAYS), help=f"of {'; '.join(WAYS)}")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    settings = load_settings()
    try:
        if options.run:
            base = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(
                settings.generator
            )
            print(json.dumps(asdict(run_way(options.run, options.data, base, options.rows, options.rank))))
            return 0
        ways = [way.strip() for way in options.ways.split(";")]
        results = measure(options.data, most=options.rows, rank=options.rank, ways=ways)
    except TekioError as error:
        say(str(error))
        return error.exit_code
    show([asdict(each) for each in results], lambda: print("\n".join(lines(results))), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
