"""How long a question takes over a large index, and how many clients one process serves.

    python -m evaluation.benchmarks.search [--chunks 100000] [--clients 16] [--questions 300] [--data ../shared/data]
                                           [--store postgresql://…]

The index holds the passages of the public sets SciFact and JSQuAD, and as many made ones as are asked for: the
sentences of two real passages of a language mixed, with a vector between theirs and the token vectors of the first,
since embedding a hundred thousand passages takes half an hour and changes nothing about the time of a search. It is
kept beside the models, so that a second run takes seconds. With `--store` it is copied there, and asked there.
Questions are those of the sets, half Japanese.

*embed* makes the question's vectors, *dense* and *keyword* search by one leg alone, and *hybrid* is everything but the
embedding: both legs, their fusion, the late interaction and the passages. *whole* is both, *bare* the same without the
late interaction, and *own* what is left of that when the embedding, FAISS and SQLite are taken off. Several clients
ask the same questions at once; each answer is compared with the one that a single client got.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from evaluation.benchmarks.output import show
from evaluation.benchmarks.own_time import own_milliseconds
from evaluation.embedder import embedder_of
from evaluation.retrieval.beir import load_beir
from evaluation.retrieval.scratch import ScratchIndex, scratch_index
from ingest.sentences import split_sentences
from kernel.settings import Settings, load_settings
from retrieval.embedding import unit
from retrieval.errors import TekioError, UsageError
from retrieval.index_copy import copy_index
from retrieval.passages import PassageIndex
from retrieval.records import Chunk, Passage, SourceDocument
from retrieval.sentence_transformer import SentenceTransformerEmbedder

_SETS = ("scifact", "jsquad")
_A_DOCUMENT = 100
_SEED = 20261128
_NOISE = 0.25
_FOLDER = "evaluations"
_VERSION = 2
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class _Seed:
    """A real passage."""

    language: str
    sentences: tuple[str, ...]
    vector: NDArray[np.float32]
    late: bytes | None


@dataclass(frozen=True, slots=True)
class Result:
    """Milliseconds as (p50, p99), `own_ms` the mean. `ratio` is the clients' questions a second over one client's."""

    chunks: int
    memory_mib: float
    embed: tuple[float, float]
    dense: tuple[float, float]
    keyword: tuple[float, float]
    hybrid: tuple[float, float]
    whole: tuple[float, float]
    bare: tuple[float, float]
    own_ms: float
    clients: int
    alone_per_second: float
    together_per_second: float
    ratio: float
    errors: int
    different: int


def _seeds(scratch: ScratchIndex) -> Iterator[_Seed]:
    index = scratch.index
    with index.database.read():
        ids = index.store.sample(None, index.store.count())
        for start in range(0, len(ids), _A_DOCUMENT):
            part = ids[start : start + _A_DOCUMENT]
            late = index.store.late(part)
            for row_id, hit in index.store.rows(part).items():
                assert hit.vector is not None
                sentences = tuple(
                    hit.data["text"][begin:end] for begin, end in split_sentences(hit.data["text"])
                )
                yield _Seed(str(hit.data["language"]), sentences, hit.vector, late.get(row_id))


def _made(
    seeds: Sequence[_Seed], chance: np.random.Generator
) -> tuple[str, NDArray[np.float32], bytes | None]:
    """Return a text, vector and token vectors between two passages."""
    one, other = (seeds[int(place)] for place in chance.integers(0, len(seeds), 2))
    sentences = [*one.sentences[::2], *other.sentences[1::2]] or [*one.sentences]
    chance.shuffle(sentences)
    noise = chance.standard_normal(len(one.vector)).astype(np.float32) / np.float32(len(one.vector) ** 0.5)
    vector = unit(one.vector + np.float32(chance.uniform(0, 1)) * other.vector + np.float32(_NOISE) * noise)
    return "".join(sentences), vector, one.late


def large_index(
    folder: Path,
    sources: Sequence[ScratchIndex],
    embedder: SentenceTransformerEmbedder,
    chunks: int,
    say: Callable[[str], None],
) -> PassageIndex:
    """Return an index of real and made passages, made once."""
    index = PassageIndex(folder, embedder.signature, create=True)
    if index.store.count() >= chunks:
        return index
    seeds = [seed for source in sources for seed in _seeds(source)]
    by_language = {
        language: [seed for seed in seeds if seed.language == language]
        for language in sorted({seed.language for seed in seeds})
    }
    names = [name for name, held in by_language.items() if len(held) > _A_DOCUMENT]
    chance = np.random.default_rng(_SEED)
    with index.writing():
        index.keep_tokens(embedder.token_codec())
        for number in range(-(-chunks // _A_DOCUMENT)):
            language = names[number % len(names)]
            real = by_language[language][number // len(names) * _A_DOCUMENT :][:_A_DOCUMENT]
            rows = [("".join(seed.sentences), seed.vector, seed.late) for seed in real]
            rows += [_made(by_language[language], chance) for _ in range(_A_DOCUMENT - len(rows))]
            _put(index, f"{language}-{number:05d}", language, rows, embedder)
            if number % 100 == 99:
                say(f"{(number + 1) * _A_DOCUMENT:,} of {chunks:,} passages")
        index.learn_weights(embedder.embed_query)
    return index


def _put(
    index: PassageIndex,
    name: str,
    language: str,
    rows: Sequence[tuple[str, NDArray[np.float32], bytes | None]],
    embedder: SentenceTransformerEmbedder,
) -> None:
    text, pieces = "", []
    for piece, _, _ in rows:
        pieces.append(Chunk(piece, len(text), len(text) + len(piece)))
        text += piece + "\n\n"
    document = SourceDocument(
        path=f"made:{name}",
        name=name,
        title=name,
        format="text",
        text=text,
        content_hash="",
        size=len(text),
        mtime_ns=0,
        language=language,
    )
    # What would have been embedded, and as many token vectors as it has tokens, so that they are found by it.
    texts = [f"{name}\n{piece.text}" for piece in pieces]
    width = -(-len(rows[0][1]) // 8)
    late = [
        None
        if row[2] is None
        else (row[2] * (len(offsets) * width // max(1, len(row[2])) + 1))[: len(offsets) * width]
        for row, offsets in zip(rows, embedder.token_offsets(texts), strict=True)
    ]
    index.replace(document, pieces, np.stack([row[1] for row in rows]), texts, late)


def _timed(run: Callable[[str], object], questions: Sequence[str]) -> tuple[float, float]:
    """Return the median and the 99th percentile of a call, in milliseconds."""
    seconds = []
    for question in questions:
        began = time.perf_counter()
        run(question)
        seconds.append(time.perf_counter() - began)
    return (1000 * float(np.percentile(seconds, 50)), 1000 * float(np.percentile(seconds, 99)))


def measure(
    index: PassageIndex, embedder: SentenceTransformerEmbedder, questions: Sequence[str], clients: int
) -> Result:
    """Ask questions, one after another and many at once."""
    embedded = {question: embedder.embed_query(question) for question in questions}

    def search(question: str, mode: str = "hybrid", late: bool = True) -> list[Passage]:
        vector, tokens = embedded[question]
        if not late:
            return index.search(question, vector, top_k=5)
        return index.search(question, vector, top_k=5, mode=mode, tokens=tokens)  # type: ignore[arg-type]

    def bare(question: str) -> list[Passage]:
        vector, _ = embedder.embed_query(question)
        return index.search(question, vector, top_k=5)

    def whole(question: str) -> list[tuple[int, float]]:
        vector, tokens = embedder.embed_query(question)
        found = index.search(question, vector, top_k=5, tokens=tokens)
        return [(passage.id, passage.score) for passage in found]

    right = {question: whole(question) for question in questions}  # warms everything, too
    times = {
        "embed": _timed(embedder.embed_query, questions),
        "dense": _timed(lambda question: search(question, "dense"), questions),
        "keyword": _timed(lambda question: search(question, "keyword"), questions),
        "hybrid": _timed(search, questions),
    }
    times["bare"] = _timed(bare, questions)
    own = own_milliseconds(lambda question: search(question, late=False), questions)
    began = time.perf_counter()
    times["whole"] = _timed(whole, questions)
    alone = len(questions) / (time.perf_counter() - began)
    errors = different = 0
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        futures = [pool.submit(whole, question) for question in questions]
        for question, future in zip(questions, futures, strict=True):
            if future.exception() is not None:
                errors += 1
            else:
                different += not _same(future.result(), right[question])
        together = len(questions) / (time.perf_counter() - began)
    return Result(
        chunks=index.store.count(),
        memory_mib=psutil.Process().memory_info().rss / _MIB,
        own_ms=own,
        clients=clients,
        alone_per_second=alone,
        together_per_second=together,
        ratio=together / alone,
        errors=errors,
        different=different,
        **times,
    )


def _same(found: Sequence[tuple[int, float]], right: Sequence[tuple[int, float]]) -> bool:
    return [row for row, _ in found] == [row for row, _ in right] and np.allclose(
        [score for _, score in found], [score for _, score in right], atol=1e-4
    )


def print_result(result: Result) -> None:
    """Print the figures."""
    print(f"{result.chunks:,} passages, {result.memory_mib:,.0f} MiB of memory with the models")
    for name in ("embed", "dense", "keyword", "hybrid", "whole", "bare"):
        p50, p99 = getattr(result, name)
        print(f"{name:8} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms")
    print(f"own      mean {result.own_ms:6.1f} ms")
    print(
        f"{result.clients} clients: {result.together_per_second:.1f} questions a second, one: "
        f"{result.alone_per_second:.1f}, ratio {result.ratio:.2f}; errors {result.errors}, "
        f"answers that differ {result.different}"
    )


def questions_of(data: Path, count: int) -> list[str]:
    """Return questions of the sets in turns."""
    per_set = [
        [text for _, text in load_beir(data / name).queries][: -(-count // len(_SETS))] for name in _SETS
    ]
    return [question for row in zip(*per_set, strict=False) for question in row][:count]


def large_index_of(settings: Settings, data: Path, chunks: int, say: Callable[[str], None]) -> Path:
    """Return the folder of the large index, made unless it is there."""
    place = settings.cache / _FOLDER
    folder = place / f"large-{chunks}-{_VERSION}"
    embedder = embedder_of(settings, say)
    sets = [load_beir(data / name) for name in _SETS]
    sources = [scratch_index(found, embedder, place, on_progress=lambda *_: None) for found in sets]
    with closing(large_index(folder, sources, embedder, chunks, say)):
        for source in sources:
            source.index.close()
    return folder


def _copied(
    folder: Path, store: str, embedder: SentenceTransformerEmbedder, say: Callable[[str], None]
) -> PassageIndex:
    """Return the index in a server, copied there once."""
    if not PassageIndex.is_in(store):
        began = time.perf_counter()
        copied = copy_index(folder, store)
        say(f"{copied.passages:,} passages copied in {time.perf_counter() - began:.0f} s")
    return PassageIndex(store, embedder.signature)


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.benchmarks.search")
    parser.add_argument("--chunks", type=int, default=100_000, help="passages of the index")
    parser.add_argument("--clients", type=int, default=16, help="that ask at once")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument(
        "--store", metavar="ADDRESS", help="a server that the index is copied to and asked in"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    options = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    try:
        settings = load_settings()
        embedder = embedder_of(settings, say)
        folder = large_index_of(settings, options.data, options.chunks, say)
        questions = questions_of(options.data, options.questions)
        opened = (
            PassageIndex(folder, embedder.signature)
            if options.store is None
            else _copied(folder, options.store, embedder, say)
        )
        with closing(opened) as index:
            result = measure(index, embedder, questions, options.clients)
    except TekioError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    show(asdict(result), lambda: print_result(result), as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
