"""What `tekio adapt retriever` does: an index in, the folder of a trained embedder out."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from adaptation.corpus import Corpus, Part, read_corpus, split
from adaptation.retriever.candidates import mine
from adaptation.retriever.card import Change, EmbedderCard
from adaptation.retriever.measure import Trial, figures
from adaptation.retriever.memory import choice_of, examples_of, read_memory
from adaptation.retriever.questions import PseudoQuestion, make_questions
from adaptation.retriever.training import Recipe, Trained, train
from kernel.embedders import find_embedder
from kernel.model_packages.manifest import has_weights
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import TekioError, UsageError
from retrieval.model_folder import pooling
from retrieval.passages import PassageIndex

if TYPE_CHECKING:
    from retrieval.sentence_transformer import SentenceTransformerEmbedder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LEAST_QUESTIONS = 10
_EACH = 3
_MOST = {Part.TRAIN: 4000, Part.CHOOSE: 200, Part.MEASURE: 300}
_MINING = 0.25
"""Of the time to train, the share that the search for hard negatives may take beside it."""
_ROOM = 3
"""Times the size of the embedder that must be free on the disk."""
_LIBRARIES = ("sentence-transformers", "transformers", "torch", "datasets")


@dataclass(frozen=True)
class Task:
    """What is to be done: the index, the embedder that made it, and where the trained one goes."""

    settings: Settings
    models: ModelStore
    index: PassageIndex
    embedder: SentenceTransformerEmbedder
    name: str


def check_name(settings: Settings, models: ModelStore, name: str, *, force: bool) -> Path:
    """Return the folder of a trained embedder of this name.

    Raises:
        UsageError: the name is no plain one, a known model's, or taken.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"'{name}' cannot be the name of an embedder: use up to 64 letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    if name in {model.name for model in models.known()}:
        raise UsageError(f"'{name}' is the name of a model that Tekio fetches: choose another --name")
    folder = settings.embedders / name
    if folder.exists() and not force:
        raise UsageError(
            f"there is an embedder '{name}' in {settings.embedders}: choose another --name, or give --force"
        )
    return folder


def adapt_retriever(
    settings: Settings,
    name: str,
    recipe: Recipe,
    *,
    force: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> EmbedderCard:
    """Train the embedder of an index on its passages, measure it, and write it to the folder of its name.

    Args:
        settings: name the index, its embedder, and where trained ones are kept.
        name: of the trained embedder.
        recipe: how it is trained.
        force: replaces an embedder of the same name.
        say: is told how it goes.

    Raises:
        UsageError: the name is wrong or taken, the index too small, or the embedder none that can be trained.
        IndexMissingError: there is no index.
        TekioError: the disk is full.
    """
    models = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    folder = check_name(settings, models, name, force=force)
    PassageIndex.require(settings.place, create=False)
    embedder = find_embedder(settings, models, say)
    with closing(PassageIndex(settings.place, embedder.signature)) as index:
        task = Task(settings, models, index, embedder, name)
        _check_trainable(task, folder)
        return _adapted(task, folder, recipe, say)


def _adapted(task: Task, folder: Path, recipe: Recipe, say: Callable[[str], None]) -> EmbedderCard:
    corpus = read_corpus(task.index)
    parts = split(corpus, seed=recipe.seed)
    questions = {
        part: make_questions(corpus, parts, part, seed=recipe.seed, each=_EACH, most=_MOST[part])
        for part in Part
    }
    for part, made in questions.items():
        if len(made) < _LEAST_QUESTIONS:
            raise UsageError(
                f"of the passages in {task.index.database.place} only {len(made)} questions could be made to {part} "
                f"by, {_LEAST_QUESTIONS} are needed: ingest more text"
            )
    say(f"{len(corpus.passages):,} passages, {len(questions[Part.TRAIN]):,} made-up questions to learn from")
    with _made(folder) as work:
        trained = _train(task, recipe, corpus, questions, work, say)
        say("measuring on documents that nothing was learned from")
        held_out = _measured(task, corpus, questions[Part.MEASURE], work / task.name, recipe.seed)
        card = _card(task, recipe, corpus, questions, trained, held_out)
        card.write(work / task.name)
    return card


def _check_trainable(task: Task, folder: Path) -> None:
    base = task.embedder.folder
    if base.resolve() == folder.resolve():
        raise UsageError(f"the index is embedded by '{task.name}' itself: choose another --name")
    if pooling(base) is None:
        raise UsageError(
            f"the embedder {task.embedder.signature.model} cannot be trained here: it is more than an encoder with "
            "mean or cls pooling; set another embedder"
        )
    weights = [*base.glob("*.safetensors"), *base.glob("pytorch_model*.bin")]
    if not weights or not has_weights(base):
        raise UsageError(
            f"the embedder {task.embedder.signature.model} cannot be trained: {base} holds no weights that torch reads "
            "(model.safetensors); set another embedder"
        )
    room, needed = _free(task.settings.embedders), _ROOM * sum(path.stat().st_size for path in weights)
    if room < needed:
        raise TekioError(
            f"there are {room >> 20:,} MiB free in {task.settings.embedders}, {needed >> 20:,} are needed: free some "
            "space, or set `embedders` to another folder"
        )


def _free(folder: Path) -> int:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    return shutil.disk_usage(there).free


@contextmanager
def _made(folder: Path) -> Iterator[Path]:
    """Give a folder to work in; what is made there under the name takes its place when all went well.

    Raises:
        TekioError: it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        try:
            yield work
            if folder.exists():
                folder.rename(work / "replaced")
            (work / folder.name).rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise TekioError(
            f"the embedder could not be written to {folder.parent}: {error.strerror or error}; free some space, or set "
            "`embedders` to a folder that can be written"
        ) from error


def _train(
    task: Task,
    recipe: Recipe,
    corpus: Corpus,
    questions: dict[Part, list[PseudoQuestion]],
    work: Path,
    say: Callable[[str], None],
) -> Trained:
    def progress(done: int, total: int) -> None:
        if done % 500 == 0 or done == total:
            say(f"hard negatives: {done:,} of {total:,} questions")

    mined = mine(
        task.index,
        corpus,
        questions[Part.TRAIN],
        task.embedder.embed_query,
        seconds=_MINING * 60 * recipe.minutes,
        on_progress=progress,
    )
    questions[Part.TRAIN] = [found.question for found in mined]
    memory = read_memory(task.index, corpus)
    signature = task.embedder.signature
    return train(
        task.embedder.folder,
        work / task.name,
        questions[Part.TRAIN],
        np.stack([found.vector for found in mined]),
        examples_of(mined, memory),
        memory,
        choice_of(questions[Part.CHOOSE], memory, task.embedder),
        recipe,
        prompts=(signature.query_prefix, signature.passage_prefix),
        scratch=work / "trainer",
        say=say,
    )


def _measured(
    task: Task, corpus: Corpus, questions: list[PseudoQuestion], folder: Path, seed: int
) -> dict[str, Change]:
    """Return what changed on questions that were not learned from; both embedders as they would be used."""
    trial = Trial.of(questions, corpus, seed=seed)
    before = figures(trial.ranks(task.embedder))
    after = figures(trial.ranks(_embedder_in(task, folder)))
    return {metric: Change.of(before[metric], after[metric]) for metric in before}


def _embedder_in(task: Task, folder: Path) -> SentenceTransformerEmbedder:
    return find_embedder(task.settings.model_copy(update={"embedder": str(folder.absolute())}), task.models)


def _card(
    task: Task,
    recipe: Recipe,
    corpus: Corpus,
    questions: dict[Part, list[PseudoQuestion]],
    trained: Trained,
    held_out: dict[str, Change],
) -> EmbedderCard:
    signature = task.embedder.signature
    return EmbedderCard(
        name=task.name,
        base=signature.model,
        base_revision=signature.revision,
        passages=len(corpus.passages),
        documents=len(corpus.groups()),
        corpus_sha256=corpus.digest,
        questions={part.value: len(made) for part, made in questions.items()},
        arguments=recipe.as_dict(),
        steps=trained.steps,
        seconds=round(trained.seconds, 1),
        share=trained.share,
        layer=trained.layer,
        held_out=held_out,
        versions={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )
