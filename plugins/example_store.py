"""Worked examples that experts keep, in an SQLite file of their own, beside those that ship with Tekio.

What ships stays in its files, so that a newer version brings newer ones; the store holds what was added, and which
of the shipped ones were taken out. Vectors are kept for each embedder that was used, so that another one embeds
anew, once, and two indexes of different embedders can share the examples. Reading makes no file.

An example is text that somebody chose: it is shown in prompts as data, and only to those who may see it. One that
has an owner is shown in the owner's own questions alone.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plugins.example_check import checked, example_id
from plugins.prompt_functions import LANGUAGES, Example, load_examples
from retrieval.embedding import Embedder
from retrieval.errors import TekioError, UsageError

DATABASE_FILE = "examples.sqlite3"
MOST = 10_000
"""Examples that can be added."""
SHIPPED, ADDED, APPROVED = "shipped", "added", "answer"

_BUSY_SECONDS = 10
_SCHEMA = """
CREATE TABLE IF NOT EXISTS examples (
    id TEXT PRIMARY KEY,
    language TEXT NOT NULL,
    owner TEXT NOT NULL,
    origin TEXT NOT NULL,
    added_at TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS taken_out (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS vectors (
    id TEXT NOT NULL REFERENCES examples (id) ON DELETE CASCADE,
    embedder TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (id, embedder)
);
"""


@dataclass(frozen=True, slots=True)
class StoredExample:
    """An example with what is known of it. `origin` is `shipped`, `added`, or `answer` for an approved one."""

    id: str
    language: str
    example: Example
    origin: str = SHIPPED
    owner: str = ""
    added_at: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return it as its JSON."""
        return {
            "id": self.id,
            "language": self.language,
            "question": self.example.question,
            "passages": list(self.example.passages),
            "reasoning": self.example.reasoning,
            "answer": self.example.answer,
            "origin": self.origin,
            "owner": self.owner,
            "added_at": self.added_at,
        }


class ExampleStore:
    """The examples of a folder. Safe to share between threads; opening it makes nothing."""

    def __init__(self, folder: Path, *, say: Callable[[str], None] = lambda text: None) -> None:
        self.file = folder / DATABASE_FILE
        self._say = say
        self._lock = threading.RLock()
        self._known: dict[tuple[str, str], NDArray[np.float32]] = {}  # by embedder and example

    def examples(self, *, language: str | None = None, user: str | None = None) -> list[StoredExample]:
        """Return the examples, shipped ones first, then by when they were added.

        Args:
            language: of the examples; None takes all.
            user: sees their own and those without an owner; None is who owns the machine, and sees all.

        Raises:
            TekioError: the file cannot be read.
        """
        with self._lock, self._reading() as connection:
            rows = [] if connection is None else connection.execute(_ROWS).fetchall()
            out = set() if connection is None else {row[0] for row in connection.execute(_TAKEN_OUT)}
        added = [StoredExample(row[0], row[1], _example(row[5]), row[3], row[2], row[4]) for row in rows]
        ids = {item.id for item in added}
        kept = [item for item in _shipped() if item.id not in out and item.id not in ids]
        return [
            item
            for item in (*kept, *added)
            if (language is None or item.language == language) and (user is None or item.owner in ("", user))
        ]

    def add(
        self, example: Example, language: str, *, owner: str = "", origin: str = ADDED
    ) -> tuple[StoredExample, bool]:
        """Keep an example in place of one of the same question and owner; tell whether it is new.

        Raises:
            UsageError: something of it is wrong, or there are too many.
            TekioError: the file cannot be written.
        """
        if language not in LANGUAGES:
            raise UsageError(f"an example can be in {' or '.join(LANGUAGES)}, not '{language}'")
        example = checked(example)
        added_at = datetime.now(UTC).isoformat(timespec="seconds")
        stored = StoredExample(
            example_id(language, example.question, owner), language, example, origin, owner, added_at
        )
        with self._lock, self._writing() as connection:
            held = connection.execute("SELECT 1 FROM examples WHERE id = ?", (stored.id,)).fetchone()
            if held is None and connection.execute("SELECT count(*) FROM examples").fetchone()[0] >= MOST:
                raise UsageError(f"there are {MOST:,} examples, which are the most: delete some first")
            connection.execute("DELETE FROM examples WHERE id = ?", (stored.id,))
            content = json.dumps(
                {
                    "passages": example.passages,
                    "question": example.question,
                    "reasoning": example.reasoning,
                    "answer": example.answer,
                },
                ensure_ascii=False,
            )
            row = (stored.id, language, owner, origin, added_at, content)
            connection.execute("INSERT INTO examples VALUES (?, ?, ?, ?, ?, ?)", row)
        return stored, held is None

    def get(self, key: str, *, user: str | None = None) -> StoredExample:
        """Return an example by its id, or the beginning of it.

        Raises:
            UsageError: none of those that the user sees has it, or several have.
        """
        found = [item for item in self.examples(user=user) if key and item.id.startswith(key)]
        if len(found) != 1:
            what = "no example has" if not found else f"{len(found)} examples have ids that begin with"
            raise UsageError(f"{what} the id '{key}'; `tekio examples list` shows them")
        return found[0]

    def delete(self, key: str, *, user: str | None = None) -> StoredExample:
        """Delete an example by its id; a shipped one is left out from then on. A user deletes their own alone.

        Raises:
            UsageError: none has it, or it is not the user's.
        """
        stored = self.get(key, user=user)
        if user is not None and (not user or stored.owner != user):
            raise UsageError(f"the example '{stored.id}' is not yours: who runs Tekio can delete it")
        with self._lock, self._writing() as connection:
            if stored.origin == SHIPPED:
                connection.execute("INSERT OR IGNORE INTO taken_out VALUES (?)", (stored.id,))
            connection.execute("DELETE FROM examples WHERE id = ?", (stored.id,))
        return stored

    def vectors(self, examples: Sequence[StoredExample], embedder: Embedder) -> NDArray[np.float32]:
        """Return the vectors of the examples' questions, shape (n, dimension), each of length one.

        Those that this embedder has not embedded yet are embedded now and kept.
        """
        name = hashlib.sha256(json.dumps(embedder.signature.as_dict()).encode()).hexdigest()[:16]
        with self._lock:
            missing = [item for item in examples if (name, _content_key(item)) not in self._known]
            self._read_vectors(missing, name)
            missing = [item for item in missing if (name, _content_key(item)) not in self._known]
            if missing:
                added = [item for item in missing if item.origin != SHIPPED]
                if added:
                    what = "1 example is" if len(added) == 1 else f"{len(added)} examples are"
                    self._say(f"{what} embedded by {embedder.signature.model}")
                made = embedder.embed_queries([item.example.question for item in missing])
                for item, vector in zip(missing, made, strict=True):
                    self._known[name, _content_key(item)] = vector
                self._keep_vectors(added, name)
            if not examples:
                return np.zeros((0, embedder.signature.dimension), np.float32)
            return np.stack([self._known[name, _content_key(item)] for item in examples])

    def _read_vectors(self, examples: Sequence[StoredExample], name: str) -> None:
        by_id = {item.id: item for item in examples if item.origin != SHIPPED}
        with self._reading() as connection:
            if connection is None or not by_id:
                return
            query = "SELECT id, vector FROM vectors WHERE embedder = ?"
            for key, blob in connection.execute(query, (name,)):
                if key in by_id:
                    self._known[name, _content_key(by_id[key])] = np.frombuffer(blob, np.float32)

    def _keep_vectors(self, examples: Sequence[StoredExample], name: str) -> None:
        if not examples:
            return
        rows = [(item.id, name, self._known[name, _content_key(item)].tobytes()) for item in examples]
        try:
            with self._writing() as connection:
                # Not one that was deleted or replaced in between.
                query = (
                    "INSERT OR REPLACE INTO vectors SELECT ?, ?, ?"
                    " WHERE EXISTS (SELECT 1 FROM examples WHERE id = ?)"
                )
                connection.executemany(query, [(*row, row[0]) for row in rows])
        except TekioError:  # a folder that may only be read: they are kept in memory
            pass

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give a connection; None where nothing was ever added."""
        if not self.file.is_file():
            yield None
            return
        connection = self._connect(f"{self.file.absolute().as_uri()}?mode=ro")
        try:
            yield connection
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        finally:
            connection.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TekioError(f"the folder {self.file.parent} cannot be made: {error.strerror}") from error
        connection = self._connect(self.file.absolute().as_uri())
        try:
            with connection:
                connection.executescript(_SCHEMA)
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        finally:
            connection.close()

    def _connect(self, uri: str) -> sqlite3.Connection:
        try:
            return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)
        except sqlite3.Error as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> TekioError:
        return TekioError(
            f"the examples in {self.file} cannot be read or written ({error}): mend the file, or move it away"
        )


_ROWS = "SELECT id, language, owner, origin, added_at, content FROM examples ORDER BY added_at, id"
_TAKEN_OUT = "SELECT id FROM taken_out"


def _example(content: str) -> Example:
    held = json.loads(content)
    return Example(tuple(held["passages"]), held["question"], held["reasoning"], held["answer"])


def _shipped() -> list[StoredExample]:
    return [
        StoredExample(example_id(language, example.question, ""), language, example)
        for language in LANGUAGES
        for example in load_examples(language)
    ]


def _content_key(item: StoredExample) -> str:
    """Name what is embedded: only the question, so that a better answer keeps its vector."""
    return f"{item.language}\0{item.example.question}"
