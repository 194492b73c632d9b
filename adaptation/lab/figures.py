"""What a model is worth and costs: perplexity, size, memory, speed, and quality by what it answers.

It is measured by the engine that answers by it, so that the figures are those of `tekio ask --variant`. Memory is that
of a process of its own, in which the model alone is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from adaptation.lab.models import bytes_of
from kernel.chat.quantised import form_of
from retrieval.errors import UsageError

_LONGEST = 512
"""Tokens of a text whose perplexity is taken."""
_READ_BEFORE = 2
"""Tokens of a text that are read and not judged: engines that read in steps have one before those that they judge."""
_PROMPTS = 3
"""Texts behind which it writes, to measure its speed."""
_CACHE_MB = 256

Messages = Sequence[Mapping[str, str]]
Answering = Callable[[Messages], str]
"""Gives the answer to a chat."""
Judge = Callable[[Answering], Mapping[str, Sequence[float]]]
"""Asks what it likes, and returns figures by name, a value for each question."""


class Quality(BaseModel):
    """A figure over questions, with the 95 % interval of its mean."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float
    rows: int
    values: list[float] = Field(
        [], description="of each question, in their order, so that models can be compared"
    )


class ModelFigures(BaseModel):
    """The figures of a model; 0 stands for a speed that could not be taken, None for what was not measured."""

    model_config = ConfigDict(frozen=True)

    perplexity: float | None = None
    bytes_on_disk: int = Field(description="of its files of weights")
    peak_memory_mib: float | None = Field(
        None, description="most that its process had, of a GPU what was allotted"
    )
    prefill_tokens_per_second: float = Field(description="of prompts")
    decode_tokens_per_second: float = Field(description="of what it writes")
    answer_seconds: float = Field(0.0, description="of one prompt and answer, the longest of those measured")
    precision: str = Field("", description="of its weights while it was measured")
    quality: dict[str, Quality] = {}


def measure_model(
    folder: Path,
    texts: Sequence[str],
    *,
    judge: Judge | None = None,
    precision: str = "",
    new_tokens: int = 32,
    threads: int = 0,
    apart: bool = True,
) -> ModelFigures:
    """Measure a model. Blocks for as long as it writes, and for some seconds to start the process.

    Args:
        folder: of the model, with its tokenizer and chat template.
        texts: held-out ones; of each at most 512 tokens count. None: there is no perplexity, and speed is that of a
            prompt of one line.
        judge: asks the model; its figures become `quality`. Without it there are none.
        precision: of the weights; empty takes that which the folder holds them in, float32 where it holds floats.
        new_tokens: that it writes behind a prompt, at most.
        threads: of the engine; 0 leaves it to it.
        apart: measure in a process of its own; else memory is not told.

    Raises:
        UsageError: the folder holds no model that writes.
        TekioError: it cannot be loaded.
    """
    if not (folder / "config.json").is_file():
        raise UsageError(f"there is no model in {folder}: name a folder with a config.json")
    precision = precision or _own_precision(folder)
    given = (folder, list(texts), precision, new_tokens, threads)
    found = _in_another_process(given) if apart else _measured(*given)
    quality = {} if judge is None else _judged(folder, precision, threads, judge, new_tokens)
    return ModelFigures(**found, bytes_on_disk=bytes_of(folder), precision=precision, quality=quality)


def table_of(before: ModelFigures, after: ModelFigures) -> str:
    """Return what changed as a table of lines: each figure before, after, and their ratio or difference."""
    rows: list[tuple[str, str, str, str]] = [("", "before", "after", "change")]
    for label, one, other, places in (
        ("perplexity", before.perplexity, after.perplexity, 2),
        ("MB on disk", before.bytes_on_disk / 1e6, after.bytes_on_disk / 1e6, 1),
        ("MiB of memory, at most", before.peak_memory_mib, after.peak_memory_mib, 0),
        ("prompt tokens a second", before.prefill_tokens_per_second, after.prefill_tokens_per_second, 0),
        ("written tokens a second", before.decode_tokens_per_second, after.decode_tokens_per_second, 1),
    ):
        if one is None or other is None:
            continue
        ratio = f"{other / one:.2f} times" if one else ""
        rows.append((label, f"{one:,.{places}f}", f"{other:,.{places}f}", ratio))
    for name, was in before.quality.items():
        if (now := after.quality.get(name)) is not None:
            rows.append((name, _interval(was), _interval(now), f"{now.value - was.value:+.3f}"))
    rows.append(("precision", before.precision, after.precision, ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(part.rjust(width) for part, width in zip(row[1:], widths[1:], strict=True)),
            ]
        ).rstrip()
        for row in rows
    )


def quality_of(values: Sequence[float]) -> Quality:
    """Return the mean of a figure over questions with its interval.

    Args:
        values: one for each question, at least one.
    """
    from kernel.comparison import bootstrap_interval

    held = np.array(values, np.float64)
    low, high = bootstrap_interval(held)
    return Quality(value=float(held.mean()), low=low, high=high, rows=len(held), values=held.tolist())


def _own_precision(folder: Path) -> str:
    form = form_of(folder)
    return "float32" if form is None else form.precision


def _interval(quality: Quality) -> str:
    return f"{quality.value:.3f} [{quality.low:.3f}, {quality.high:.3f}]"


def _engines(folder: Path, precision: str, threads: int) -> Any:
    """Return the engines over a folder as they answer by it, with no tokens guessed: they would be timed too."""
    from kernel.chat.local_engines import LocalEngines
    from kernel.chat.paged.serving import Serving

    serving = Serving(precision=precision, threads=threads, cache_mb=_CACHE_MB, guessed=0)
    dtype = precision if precision in ("float32", "bfloat16") else "auto"
    return LocalEngines(folder.name, folder, serving, engine="auto", dtype=dtype, threads=threads)


def _measured(
    folder: Path, texts: Sequence[str], precision: str, new_tokens: int, threads: int
) -> dict[str, Any]:
    """Return perplexity and speeds of a model that is loaded for it."""
    from kernel.chat.generation import Sampling

    with closing(_engines(folder, precision, threads)) as engines:
        generator = engines.bind(None).generator
        engines.load()
        perplexity = _perplexity(engines, generator, texts)
        read = wrote = 0
        reading = writing = longest = 0.0
        for text in [text[:2000] for text in texts[:_PROMPTS]] or ["Hello"]:
            chat = [{"role": "user", "content": text}]
            done = generator.start(chat, Sampling(max_new_tokens=new_tokens)).result()
            read += done.prompt_tokens - done.reused_tokens
            reading += done.seconds_to_first_token
            wrote += max(0, done.completion_tokens - 1)
            writing += done.seconds - done.seconds_to_first_token
            longest = max(longest, done.seconds)
    return {
        "perplexity": perplexity,
        "prefill_tokens_per_second": read / reading if reading > 0 else 0.0,
        "decode_tokens_per_second": wrote / writing if wrote and writing > 0 else 0.0,
        "answer_seconds": longest,
    }


def _perplexity(engines: Any, generator: Any, texts: Sequence[str]) -> float | None:
    """Return the exponential of the mean negative log likelihood of a token; None where no text is long enough."""
    told, count = 0.0, 0
    for text in texts:
        ids = engines.tokenizer.encode_text(text)[:_LONGEST]
        if len(ids) <= _READ_BEFORE:
            continue
        told += log_likelihood(generator, ids)
        count += len(ids) - _READ_BEFORE
    return math.exp(min(-told / count, 700.0)) if count else None


def log_likelihood(generator: Any, ids: Sequence[int]) -> float:
    """Return how likely a generator of this machine finds all but the first two of some ids, in nats."""
    targets = np.asarray(ids[_READ_BEFORE:])
    if (model := getattr(generator, "model", None)) is not None:
        return float(model.log_likelihood(ids[:_READ_BEFORE], ids[_READ_BEFORE:]))
    (logits,) = generator.load().read(list(ids[:-1]), len(targets), [None]).result()
    scores = logits.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    chosen = scores[np.arange(len(targets)), targets]
    return float((chosen - np.log(np.exp(scores).sum(axis=1))).sum())


def _judged(folder: Path, precision: str, threads: int, judge: Judge, new_tokens: int) -> dict[str, Quality]:
    from kernel.chat.generation import Sampling

    with closing(_engines(folder, precision, threads)) as engines:
        generator = engines.bind(None).generator

        def answer(messages: Messages) -> str:
            done = generator.start(messages, Sampling(max_new_tokens=max(new_tokens, 96))).result()
            return str(done.text).strip()

        return {name: quality_of(values) for name, values in judge(answer).items() if len(values)}


def _in_another_process(given: tuple[Any, ...]) -> dict[str, Any]:
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from retrieval.errors import TekioError

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_measured_alone, *given).result()
        except BrokenProcessPool as error:
            raise TekioError(
                f"the process that measured {given[0]} was ended, by lack of memory most likely: measure with fewer "
                "texts, or on a larger machine"
            ) from error


def _measured_alone(*given: Any) -> dict[str, Any]:
    """Measure, and tell the most memory that this process had."""
    found = _measured(*given)
    import torch

    if torch.cuda.is_available():
        return found | {"peak_memory_mib": torch.cuda.max_memory_allocated() / (1 << 20)}
    return found | {"peak_memory_mib": _most_memory()}


def _most_memory() -> float:
    """Return the most memory that this process had, in MiB."""
    status = Path("/proc/self/status")
    if (
        status.is_file()
    ):  # `getrusage` would tell the memory of the process that began this one, if that had more
        told = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines() if ":" in line)
        return int(told["VmHWM"].split()[0]) / (1 << 10)
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, but bytes on macOS
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


__all__ = [
    "Answering",
    "Judge",
    "ModelFigures",
    "Quality",
    "log_likelihood",
    "measure_model",
    "quality_of",
    "table_of",
]
