"""The engines that are on this machine, measured by the same prompt, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from evaluation.speed import BatchedSpeed, LlamaSpeed, PlainSpeed, Speed, fastest
from kernel.chat.llama.finding import find_server
from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
from kernel.chat.paged.serving import BatchEngine, Serving

_SETTINGS = {
    "openvino int8": 'generator_engine = "openvino", precision = "int8"',
    "openvino int8-weights": 'generator_engine = "openvino", precision = "int8-weights"',
    "openvino int4-weights": 'generator_engine = "openvino", precision = "int4-weights"',
    "openvino bfloat16": 'generator_engine = "openvino", precision = "bfloat16"',
    "openvino float32": 'generator_engine = "openvino", precision = "float32"',
    "torch float32": 'generator_engine = "torch", dtype = "float32"',
    "torch bfloat16": 'generator_engine = "torch", dtype = "bfloat16"',
    "transformers float32": 'generator_engine = "transformers", dtype = "float32"',
    "transformers bfloat16": 'generator_engine = "transformers", dtype = "bfloat16"',
    "llama.cpp": '[variants.NAME] engine = "llama.cpp"',
}
SEED = 0


@dataclass(frozen=True, slots=True)
class EngineSpeed:
    """An engine and what it takes for one answer; `settings` chooses it."""

    engine: str
    settings: str
    speed: Speed


def a_prompt(folder: Path, tokens: int) -> list[int]:
    """Return ids of a prompt that is the same each time; nothing in it repeats, so that no guess of it holds."""
    import numpy as np

    from kernel.chat.chat_tokens import ChatTokenizer

    words = len(ChatTokenizer(folder).tokenizer)
    return [int(each) for each in np.random.default_rng(SEED).integers(words // 10, words, tokens)]


def measure_engines(
    name: str,
    folder: Path,
    file: Callable[[], Path],
    *,
    prompt: int,
    written: int,
    threads: int,
    times: int,
    say: Callable[[str], None],
) -> list[EngineSpeed]:
    """Return how fast each engine that is here writes one answer, the fastest first.

    Args:
        name: of the model.
        folder: the model's.
        file: gives it as GGUF, for llama.cpp.
        prompt: tokens of the prompt.
        written: tokens of the answer.
        threads: 0 leaves it to the engines.
        times: how often each is measured; the best counts.
        say: is told what is measured.
    """
    ids = a_prompt(folder, prompt)
    found = []
    for engine in _SETTINGS:
        say(f"measuring {engine}")
        speed = _speed_of(engine, name, folder, file, ids, written, threads, times, say)
        if speed is not None:
            found.append(EngineSpeed(engine, _SETTINGS[engine], speed))
    return sorted(found, key=lambda each: each.speed.whole)


def _speed_of(
    engine: str,
    name: str,
    folder: Path,
    file: Callable[[], Path],
    ids: Sequence[int],
    written: int,
    threads: int,
    times: int,
    say: Callable[[str], None],
) -> Speed | None:
    kind, _, precision = engine.partition(" ")
    if kind in ("openvino", "torch"):
        try:
            Architecture.read(folder)
        except UnknownArchitectureError as error:
            say(f"  not measured: {error}")
            return None
        batches: BatchEngine = "torch" if kind == "torch" else "openvino"
        serving = Serving(engine=batches, precision=precision, threads=threads, guessed=0)
        with closing(BatchedSpeed(name, folder, serving)) as batched:
            batched.one(ids[:32], 2)
            return fastest(lambda: batched.one(ids, written), times)
    if kind == "transformers":
        plain = PlainSpeed(folder, dtype=precision, threads=threads)
        plain.one(ids[:32], 2)
        return fastest(lambda: plain.one(ids, written), times)
    if find_server() is None:
        say("  not measured: llama.cpp's server is not on this machine")
        return None
    with closing(LlamaSpeed(file(), threads=threads, window=len(ids) + written + 64)) as llama:
        llama.one(ids[:32], 2)
        return fastest(lambda: llama.one(ids, written), times)
