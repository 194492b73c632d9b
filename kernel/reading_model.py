"""The reading model: an adapter that ships with Tekio, put into the embedder's weights once, in the model cache."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernel.answering.reading import MAX_TOKENS, QUERY_PREFIX, Floats, SpanReader
from kernel.chat.stamps import weights_stamp
from kernel.lab_models import READER_HEAD, find_lab_model
from kernel.model_store import ModelStore, ResolvedModel
from retrieval.engines.build import build_encoder
from retrieval.engines.catalog import AUTO, ENGINES, FLOAT, find_engine
from retrieval.engines.cpu import vector_instructions
from retrieval.errors import TekioError, UsageError
from retrieval.model_building import building_in_turn
from retrieval.model_folder import pad_id
from retrieval.token_counter import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from retrieval.engines.encoders import Encoder

BASE = "multilingual-e5-small"
"""The model that the adapter was trained on; it is the default embedder, and mostly there already."""
FOLDER = Path(__file__).parent / "answering" / "span_reader"
_ADAPTER = ("adapter_config.json", "adapter_model.safetensors")
HEAD = READER_HEAD
"""The weights of beginning and end beside the adapter."""
_COPIED = ("tokenizer.json", "tokenizer_config.json")
_LOCK_SECONDS = 900.0
VERSION = 1
"""Counts the changes of how it is made."""


@dataclass(frozen=True, slots=True)
class ReaderFiles:
    """Where a reading model is: the folder of its encoder and tokenizer, and the file of its two weights a token."""

    folder: Path
    head: Path
    revision: str


def own_reader(name: str, made: Path) -> ReaderFiles:
    """Return a reading model of one's own: of the lab by its name, or a folder.

    Args:
        name: of either.
        made: the folder of the lab's models.

    Raises:
        UsageError: there is none.
    """
    folder = find_lab_model(name, made) or Path(name).expanduser().absolute()
    if not ((folder / "config.json").is_file() and (folder / HEAD).is_file()):
        raise UsageError(
            f"there is no reading model '{name}': `tekio adapt prune-reader` makes one in {made}, and without the "
            "setting `reading_model` the one that comes with Tekio reads"
        )
    return ReaderFiles(folder, folder / HEAD, weights_stamp(folder))


def shipped_reader(
    models: ModelStore, *, say: Callable[[str], None] = lambda text: None, folder: Path = FOLDER
) -> ReaderFiles:
    """Return the reading model that comes with Tekio, putting it into its base's weights where that was not done.

    Args:
        models: has the base.
        say: is told when something takes long.
        folder: of the adapter.

    Raises:
        TekioError: the base is not here and cannot be fetched, or the model cannot be written.
    """
    _, made = _shipped(models, say, folder)
    return made()


def _shipped(
    models: ModelStore, say: Callable[[str], None], folder: Path
) -> tuple[str, Callable[[], ReaderFiles]]:
    """Return the revision of the one that comes with Tekio, and what makes it where it is not there."""
    base = models.resolve(BASE)
    revision = f"{_digest(folder)}-{hashlib.sha256(base.revision.encode()).hexdigest()[:8]}-{VERSION}"
    return revision, lambda: ReaderFiles(
        _merged(models.cache, base, folder, revision, say), folder / HEAD, revision
    )


def find_reader(
    models: ModelStore,
    *,
    own: ReaderFiles | None = None,
    engine: str = "auto",
    threads: int = 0,
    say: Callable[[str], None] = lambda text: None,
    folder: Path = FOLDER,
) -> SpanReader | None:
    """Return what reads passages; None where its base is not here and cannot be fetched, which is told.

    Args:
        models: has the base.
        own: reads in place of the one that comes with Tekio, and needs no base.
        engine: what computes it, as for the embedder; one of whole numbers goes to the best of the others.
        threads: of the engine; 0 leaves it to the engine.
        say: is told when something takes long.
        folder: of the adapter.

    Raises:
        UsageError: there is no such engine, or its packages are not installed.
    """
    # Not in 8 bits: quantised, it points at other words in four of ten passages, for a fifth less time.
    named = engine if engine in ENGINES and ENGINES[engine].family == FLOAT else AUTO
    chosen = find_engine(named, instructions=vector_instructions(), family=FLOAT)
    files_of: Callable[[], ReaderFiles]
    if (given := own) is not None:
        revision, files_of = given.revision, lambda: given
    else:
        try:
            revision, files_of = _shipped(models, say, folder)
        except TekioError as error:
            say(f"answers come without the reading model: {error}")
            return None

    def load() -> tuple[Tokenizer, Encoder, Floats, Floats]:
        files = files_of()
        encoder = build_encoder(
            chosen,
            files.folder,
            _place(models.cache, revision) / "exports",
            max_tokens=MAX_TOKENS,
            pad_id=pad_id(files.folder),
            prefix=QUERY_PREFIX,
            threads=threads,
            say=say,
            small_table=True,
        )
        weights, bias = _head(files.head)
        return load_tokenizer(files.folder / "tokenizer.json"), encoder, weights, bias

    return SpanReader(load, revision=revision, say=say)


def _place(cache: Path, revision: str) -> Path:
    return cache / f"span-reader-{revision}"


def _head(file: Path) -> tuple[Floats, Floats]:
    """Return the weights of beginning and end, shape (hidden, 2), and their biases, shape (2,)."""
    from safetensors.numpy import load_file

    held = load_file(file)
    return np.ascontiguousarray(held["weight"].T, np.float32), np.asarray(held["bias"], np.float32)


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for name in (*_ADAPTER, HEAD):
        found.update((folder / name).read_bytes())
    return found.hexdigest()[:12]


def _merged(
    cache: Path, base: ResolvedModel, adapter: Path, revision: str, say: Callable[[str], None]
) -> Path:
    """Return the folder of the base with the adapter in its weights, making it first if it is not there."""
    from filelock import FileLock, Timeout

    target = _place(cache, revision)
    if (target / "config.json").is_file():
        return target
    try:
        with FileLock(cache / ".span-reader.lock", timeout=_LOCK_SECONDS):
            if not (target / "config.json").is_file():
                say("making the reading model, once")
                for left in cache.glob(".span-reader.*.tmp"):  # a process was killed
                    shutil.rmtree(left, ignore_errors=True)
                work = Path(tempfile.mkdtemp(prefix=".span-reader.", suffix=".tmp", dir=cache))
                try:
                    _merge(base.folder, adapter, work)
                    work.chmod(0o755)
                    work.rename(target)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
    except Timeout as error:
        raise TekioError(
            "another process has been making the reading model for too long; end it and try again"
        ) from error
    except OSError as error:
        raise TekioError(
            f"the reading model could not be stored in {cache}: {error.strerror or error}; "
            "free some space, or set `cache` to a folder that can be written"
        ) from error
    return target


def _merge(base: Path, adapter: Path, out: Path) -> None:
    """Write the base's encoder with the adapter in its weights, in half precision."""
    from peft import PeftModel
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with building_in_turn():
        encoder: Any = AutoModel.from_pretrained(
            base, dtype="float32", add_pooling_layer=False, local_files_only=True
        )
    merged = PeftModel.from_pretrained(encoder, str(adapter)).merge_and_unload().half()
    merged.save_pretrained(str(out))
    for name in _COPIED:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)
    config = out / "config.json"
    stated = json.loads(config.read_text("utf-8"))
    config.unlink()  # is written last, since its presence says that all is there
    config.write_text(json.dumps(stated | {"_name_or_path": ""}, indent=2) + "\n", "utf-8")
