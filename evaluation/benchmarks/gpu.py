"""The whole of Tekio on a GPU: `python -m evaluation.benchmarks.gpu [--data SET] [--sizes default,1.5B] [--json]`.

*embedding*: passages a second by torch on the device, against OpenVINO in 8 bits on the processors beside it.
*generation*: one answer, and many at once, by the batched engine, against transformers' `generate`, all in bfloat16.
*training*: tokens a second and memory of `lora` and `qlora`, where `--data` names a set of `tekio adapt dataset`.

A model of 1.5 billion parameters is made from its configuration with random weights: its speed and memory are those of
a trained one, its answers are none. Each part runs in a process of its own. Without a GPU it says so and ends with 1;
`--any-device` runs it on the processors all the same, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.output import say, show
from kernel.model_store import ModelStore, ResolvedModel
from kernel.settings import load_settings
from retrieval.engines.cpu import cpu_name, has_gpu, processors
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from evaluation.speed import Speed

PROMPT, WRITTEN, AT_ONCE = 1370, 96, (8, 64)
_SHAPES: dict[str, dict[str, int]] = {
    # hidden, layers, heads, heads of keys, width inside: those of common models of the size
    "1.5B": {"hidden": 1536, "layers": 28, "heads": 12, "kv": 2, "inside": 8960},
    "3B": {"hidden": 2048, "layers": 36, "heads": 16, "kv": 2, "inside": 11008},
    "tiny": {"hidden": 64, "layers": 2, "heads": 4, "kv": 2, "inside": 128},
}
_TEXTS = 512


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured of a part; `ratio` is to what `against` names."""

    part: str
    measure: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""


def make_model(size: str, like: Path, folder: Path) -> Path:
    """Write a model of a size with random weights and another's tokenizer.

    Args:
        size: one of `1.5B`, `3B`, `tiny`.
        like: a model folder.
        folder: where it is written.
    """
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    shape = _SHAPES[size]
    tokenizer: Any = AutoTokenizer.from_pretrained(like)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["kv"],
        intermediate_size=shape["inside"],
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model: Any = LlamaForCausalLM(config)
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def embedding() -> list[Figure]:
    """Embed as many passages on the device and on the processors."""
    from evaluation.benchmarks.embedding import make_embedder

    rates = {}
    for engine in ("torch", "openvino-int8"):
        embedder = make_embedder(load_settings(), engine)
        texts = [
            f"Passage {number}: " + "the kiln is fired at 1,240 degrees. " * 24 for number in range(_TEXTS)
        ]
        embedder.embed_passages(texts[:32])
        started = time.perf_counter()
        embedder.embed_passages(texts)
        rates[engine] = _TEXTS / (time.perf_counter() - started)
    ratio = rates["torch"] / rates["openvino-int8"]
    return [
        Figure("embedding", "by torch", rates["torch"], "passages/s", ratio, "OpenVINO, 8 bits, processors")
    ]


def generation(folder: Path, name: str) -> list[Figure]:
    """Answer once and many times at once."""
    from evaluation.engines import a_prompt
    from evaluation.speed import BatchedSpeed, fastest
    from kernel.chat.paged.serving import Serving

    ids, part = a_prompt(folder, PROMPT), f"generation, {name}"
    theirs = _by_generate(folder, ids)
    serving = Serving(engine="torch", precision="bfloat16", slots=max(AT_ONCE), queue=max(AT_ONCE), guessed=0)
    with closing(BatchedSpeed(name, folder, serving)) as own:
        own.one(ids[:64], 4)
        alone = fastest(lambda: own.one(ids, WRITTEN), 3)
        found = [
            Figure(part, "whole answer", alone.whole, "s", alone.whole / theirs.whole, "generate, bfloat16"),
            Figure(
                part,
                "prefill",
                alone.prefill,
                "tokens/s",
                alone.prefill / theirs.prefill,
                "generate, bfloat16",
            ),
            Figure(
                part, "decode", alone.decode, "tokens/s", alone.decode / theirs.decode, "generate, bfloat16"
            ),
        ]
        for count in AT_ONCE:
            own.forget()
            started = time.perf_counter()
            for each in [own.begin(ids[number:], WRITTEN) for number in range(count)]:
                each.result()
            rate = count * WRITTEN / (time.perf_counter() - started)
            one = WRITTEN / theirs.whole
            found.append(
                Figure(part, f"{count} at once", rate, "tokens/s", rate / one, "generate, one by one")
            )
    return [*found, Figure(part, "memory at its peak", _peak_mib(), "MiB")]


def _by_generate(folder: Path, ids: Sequence[int]) -> Speed:
    from evaluation.speed import PlainSpeed, fastest

    plain = PlainSpeed(folder, dtype="bfloat16")
    plain.one(ids[:64], 4)
    return fastest(lambda: plain.one(ids, WRITTEN), 3)


def training(folder: Path, name: str, data: Path, *, rows: int) -> list[Figure]:
    """Learn a few steps by `lora` and `qlora`."""
    from evaluation.benchmarks.methods import measure

    os.environ["TEKIO_GENERATOR"] = str(folder)  # what the processes that it starts read
    found = []
    for each in measure(data, ["lora", "qlora"], rows=rows, steps=8, checkpointing=False)[1:]:
        part = f"training, {name}, {each.method}"
        found.append(Figure(part, "learned", each.tokens_per_second, "tokens/s"))
        found.append(Figure(part, "memory at its peak", each.peak_mib, "MiB"))
    return found


def _peak_mib() -> float:
    import torch

    return torch.cuda.max_memory_allocated() / (1 << 20) if torch.cuda.is_available() else 0.0


def _base() -> ResolvedModel:
    settings = load_settings()
    return ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)


def measure_all(sizes: Sequence[str], data: Path | None, *, rows: int) -> list[Figure]:
    """Measure each part in a process of its own.

    Raises:
        TekioError: one of them failed.
    """
    base, found = _base(), []
    with tempfile.TemporaryDirectory(prefix="tekio-gpu-") as work:
        jobs: list[list[str]] = [["embedding"]]
        for size in sizes:
            name = base.name if size == "default" else f"{size}, random weights"
            folder = base.folder if size == "default" else make_model(size, base.folder, Path(work) / size)
            jobs.append(["generation", str(folder), name])
            if data is not None:
                jobs.append(["training", str(folder), name, str(data), str(rows)])
        for job in jobs:
            say(f"measuring {job[0]} {' '.join(job[2:3])}")
            command = [sys.executable, "-m", "evaluation.benchmarks.gpu", "--run", *job]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own
            if done.returncode:
                raise TekioError(f"{job[0]} failed, see above")
            found += [Figure(**row) for row in json.loads(done.stdout)]
    return found


def _run(job: Sequence[str]) -> list[Figure]:
    if job[0] == "embedding":
        return embedding()
    if job[0] == "generation":
        return generation(Path(job[1]), job[2])
    return training(Path(job[1]), job[2], Path(job[3]), rows=int(job[4]))


def device_name() -> str:
    """Name the GPU with its memory, or the processors where there is none."""
    if not has_gpu():
        return f"{processors()} processors of {cpu_name()}, no GPU"
    import torch

    held = torch.cuda.get_device_properties(0)
    return f"{held.name}, {held.total_memory >> 20:,} MiB; {processors()} processors of {cpu_name()}"


def main() -> int:
    """Measure, and print a line for each figure."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.gpu")
    parser.add_argument("--sizes", default="default,1.5B", help=f"of default, {', '.join(_SHAPES)}")
    parser.add_argument("--data", type=Path, help="a set of tekio adapt dataset, to train on")
    parser.add_argument("--rows", type=int, default=64, help="rows to learn, at most")
    parser.add_argument("--any-device", action="store_true", help="go on without a GPU")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        if options.run:
            print(json.dumps([asdict(each) for each in _run(options.run)]))
            return 0
        sizes = options.sizes.split(",")
        if unknown := set(sizes) - {"default", *_SHAPES}:
            raise UsageError(f"there is no size {min(unknown)}; there are default, {', '.join(_SHAPES)}")
        if not has_gpu() and not options.any_device:
            raise TekioError(
                "there is no GPU that torch can use on this machine; --any-device goes on without one"
            )
        figures = measure_all(sizes, options.data, rows=options.rows)
    except TekioError as error:
        say(str(error))
        return error.exit_code

    def table() -> None:
        print(device_name())
        for each in figures:
            ratio = "" if each.ratio is None else f"{each.ratio:8.2f} x {each.against}"
            print(f"{each.part:44s} {each.measure:20s} {each.value:12,.1f} {each.unit:10s} {ratio}")

    show(
        {"device": device_name(), "figures": [asdict(each) for each in figures]}, table, as_json=options.json
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
