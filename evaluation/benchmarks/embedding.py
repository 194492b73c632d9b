"""How fast each engine embeds, and what that costs in quality.

    python -m evaluation.benchmarks.embedding [--engines torch,openvino-int8] [--quality 0] [--data ../shared/data]

Speed is a ratio to `SentenceTransformer.encode` with its defaults, the median of rounds in which both take turns, in
a process for each engine, since the threads of several engines in one hinder each other; over texts of about 230
tokens and over chunks as an ingest makes them. Quality is nDCG@10 of dense search alone on the public sets SciFact
(English, test claims) and JSQuAD (Japanese), with a 95 % interval of the difference to float32 by a paired
bootstrap over the questions.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.benchmarks.corpora import write_documents
from evaluation.benchmarks.output import show
from evaluation.retrieval.beir import Beir, load_beir
from evaluation.retrieval.metrics import bootstrap_interval, per_query
from kernel.embedders import find_embedder
from kernel.ingestion import ingest_plan
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from retrieval.engines.catalog import ENGINES
from retrieval.engines.cpu import cpu_name, processors, vector_instructions
from retrieval.errors import TekioError
from retrieval.sentence_transformer import SentenceTransformerEmbedder

_TEXTS = 64
_TOKENS = 224
_DEFAULTS = "SentenceTransformer.encode"
_SETS = ("scifact", "jsquad")


@dataclass
class Row:
    """What was measured of one engine."""

    engine: str
    even: float = 0.0
    even_ratio: float = 0.0
    mixed: float = 0.0
    mixed_ratio: float = 0.0
    cosine_mean: float = 1.0
    cosine_min: float = 1.0
    ndcg: dict[str, float] = field(default_factory=dict)
    difference: dict[str, tuple[float, float]] = field(default_factory=dict)


Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def make_embedder(settings: Settings, engine: str) -> SentenceTransformerEmbedder:
    """Return the default embedder by an engine."""
    chosen = settings.model_copy(update={"embedder_engine": engine})
    models = ModelStore(settings.cache, offline=settings.offline)
    return find_embedder(chosen, models, say=lambda text: print(text, file=sys.stderr))


def by_defaults(embedder: SentenceTransformerEmbedder) -> Embed:
    """Return what the library does when nothing is said."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(embedder.folder), device="cpu", local_files_only=True)
    prefix = embedder.signature.passage_prefix

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = model.encode([prefix + text for text in texts])
        return vectors

    return embed


def even_texts(data: Path, embedder: SentenceTransformerEmbedder) -> list[str]:
    """Return texts of 224 tokens, half English, half Japanese; about 230 with prefix and special tokens."""
    texts = []
    for name, glue in (("scifact", " "), ("jsquad", "")):
        whole = glue.join(document.whole for document in load_beir(data / name).documents[:600])
        offsets = embedder._tokenizer().encode(whole, add_special_tokens=False).offsets
        for number in range(_TEXTS // 2):
            first, last = offsets[number * _TOKENS][0], offsets[(number + 1) * _TOKENS - 1][1]
            texts.append(whole[first:last])
    return texts


def mixed_texts(data: Path, settings: Settings, embedder: SentenceTransformerEmbedder) -> list[str]:
    """Return what an ingest of documents would embed."""
    from ingest.discover import discover, hash_file
    from ingest.prepare import prepare

    preparation = ingest_plan(settings, embedder).preparation
    texts: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        write_documents(data, Path(place), 60)
        for found in discover([Path(place)]).files:
            texts += prepare(found.path, found.key, found.name, hash_file(found.path), preparation).texts
    return texts[:_TEXTS]


def measure_speed(
    ways: dict[str, Embed], texts: Sequence[str], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return texts a second and the ratio to the library's defaults, medians over rounds of taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for embed in ways.values():
        embed(texts[:16])
    for _ in range(rounds):
        for name, embed in ways.items():
            began = time.perf_counter()
            embed(texts)
            seconds[name].append(time.perf_counter() - began)
    return {
        name: (
            len(texts) / statistics.median(taken),
            statistics.median(base / own for base, own in zip(seconds[_DEFAULTS], taken, strict=True)),
        )
        for name, taken in seconds.items()
    }


def measure_quality(embedder: SentenceTransformerEmbedder, dataset: Beir) -> NDArray[np.float64]:
    """Return nDCG@10 of each question, by dense search alone."""
    documents = embedder.embed_passages([document.whole for document in dataset.documents])
    queries = embedder.embed_queries([text for _, text in dataset.queries])
    names = [document.id for document in dataset.documents]
    scores = queries @ documents.T
    best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
    rankings = {
        query: [(names[place], float(-rank)) for rank, place in enumerate(row)]
        for row, (query, _) in zip(best, dataset.queries, strict=True)
    }
    asked = {query: dataset.judgements[query] for query, _ in dataset.queries}
    return per_query(rankings, asked)["ndcg@10"]


def measure_engine(engine: str, data: Path, rounds: int) -> list[Row]:
    """Measure the speed of one engine beside the library's defaults, and how near its vectors are to theirs."""
    settings = load_settings()
    embedder = make_embedder(settings, engine)
    defaults = by_defaults(embedder)
    ways: dict[str, Embed] = {_DEFAULTS: defaults, engine: embedder.embed_passages}
    even, mixed = even_texts(data, embedder), mixed_texts(data, settings, embedder)
    speed_even, speed_mixed = measure_speed(ways, even, rounds), measure_speed(ways, mixed, rounds)
    rows = [Row(name, *speed_even[name], *speed_mixed[name]) for name in ways]
    texts = [*even, *mixed[: _TEXTS // 2]]
    cosines = (embedder.embed_passages(texts) * defaults(texts)).sum(axis=1)
    rows[1].cosine_mean, rows[1].cosine_min = float(cosines.mean()), float(cosines.min())
    return rows


def in_own_process(engine: str, data: Path, rounds: int) -> list[Row]:
    """Measure an engine in a process of its own."""
    command = [sys.executable, "-m", "evaluation.benchmarks.embedding", "--one", "--engines", engine]
    command += ["--data", str(data), "--rounds", str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - this module
    if done.returncode != 0:
        raise TekioError(f"the run of {engine} failed with exit code {done.returncode}")
    rows = [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]
    print(f"{engine}: {rows[1].even_ratio:.2f}", file=sys.stderr)
    return rows


def run(engines: Sequence[str], data: Path, rounds: int, quality: int | None) -> list[Row]:
    """Measure the engines; `quality` bounds the documents of each set, 0 leaves quality out, None takes all."""
    measured = [in_own_process(engine, data, rounds) for engine in engines] if rounds else []
    # The defaults' own pace as it was beside the first engine; the ratios are each to the pace beside them.
    rows = [measured[0][0], *(each[1] for each in measured)] if rounds else [Row(name) for name in engines]
    if quality == 0:
        return rows
    settings = load_settings()
    embedders = {name: make_embedder(settings, name) for name in dict.fromkeys(("torch", *engines))}
    for dataset in (load_beir(data / name, most=quality) for name in _SETS):
        base = measure_quality(embedders["torch"], dataset)
        for row in rows:
            own = (
                base
                if row.engine in ("torch", _DEFAULTS)
                else measure_quality(embedders[row.engine], dataset)
            )
            row.ndcg[dataset.name] = float(own.mean())
            row.difference[dataset.name] = bootstrap_interval(own - base)
            print(f"{dataset.name}, {row.engine}: {own.mean():.4f}", file=sys.stderr)
    return rows


def print_table(rows: Sequence[Row]) -> None:
    """Print what was measured."""
    print(
        f"{cpu_name()}, {processors()} processors, {' '.join(vector_instructions()) or 'no vector instructions'}"
    )
    sets = list(rows[0].ndcg)
    heads = "".join(f"{name + ' nDCG@10 [difference]':>34}" for name in sets)
    print(
        f"{'engine':27}{'230 tokens/s':>13}{'ratio':>7}{'mixed/s':>9}{'ratio':>7}{'cosine':>8}{'least':>8}{heads}"
    )
    for row in rows:
        parts = [
            f"{row.engine:27}{row.even:13.1f}{row.even_ratio:7.2f}{row.mixed:9.1f}{row.mixed_ratio:7.2f}",
            f"{row.cosine_mean:8.4f}{row.cosine_min:8.4f}",
        ]
        for name in sets:
            low, high = row.difference[name]
            parts.append(f"{row.ndcg[name]:14.4f} [{low:+.4f}, {high:+.4f}]")
        print("".join(parts))


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.embedding")
    parser.add_argument("--engines", default=",".join(ENGINES), help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of taking turns; 0 leaves speed out")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--quality", type=int, help="documents of each set at most; 0 measures speed only")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()
    engines = options.engines.split(",")
    unknown = [name for name in engines if name not in ENGINES]
    if unknown:
        parser.error(f"there is no engine {', '.join(unknown)}; there are {', '.join(ENGINES)}")
    try:
        if options.one:
            rows = measure_engine(engines[0], options.data, options.rounds)
            print(json.dumps([asdict(row) for row in rows]))
            return 0
        rows = run(engines, options.data, options.rounds, options.quality)
    except TekioError as error:
        print(f"evaluation.benchmarks.embedding: {error}", file=sys.stderr)
        return error.exit_code
    facts = {
        "cpu": cpu_name(),
        "instructions": vector_instructions(),
        "rows": [asdict(row) for row in rows],
    }
    show(facts, lambda: print_table(rows), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
