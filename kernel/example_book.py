"""The worked examples as people keep them: listed, added, approved from answers, deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from kernel.answer import Answer
from kernel.answering.examples import corrected, example_of, shown_to
from plugins.example_check import from_fields
from plugins.example_store import APPROVED, ExampleStore, StoredExample
from plugins.prompt_functions import LANGUAGES
from retrieval.access import Caller
from retrieval.analysis import detect_language
from retrieval.errors import DeniedError, IndexMissingError, UsageError
from retrieval.records import DocumentSummary

_NOBODY = Caller()


class ListDocuments(Protocol):
    """Lists the documents that a caller may read."""

    def __call__(self, *, caller: Caller | None = None) -> list[DocumentSummary]:
        """Return them."""


class ExampleBook:
    """The examples of a folder, and who may see which.

    What a caller adds is theirs and is shown in their own prompts alone, since it holds text of documents that
    others may not read. What the owner of the machine adds is everyone's.
    """

    def __init__(self, folder: Path, documents: ListDocuments, say: Callable[[str], None]) -> None:
        self.store = ExampleStore(folder, say=say)
        self._documents = documents

    def examples(self, *, language: str | None = None, caller: Caller | None = None) -> list[StoredExample]:
        """Return the examples that a caller sees."""
        if language is not None and language not in LANGUAGES:
            raise UsageError(f"an example can be in {' or '.join(LANGUAGES)}, not '{language}'")
        return shown_to(self.store, caller, language=language)

    def add(self, fields: Mapping[str, Any], *, caller: Caller | None = None) -> tuple[StoredExample, bool]:
        """Keep an example of JSON fields; tell whether it is new, or takes the place of one of the same question.

        Raises:
            UsageError: something of it is wrong.
        """
        example, language = from_fields(fields)
        return self.store.add(example, language or _language(example.question), owner=_owner(caller))

    def approve(self, answer: Answer, *, caller: Caller | None = None) -> tuple[StoredExample, bool]:
        """Keep an answer as an example; tell whether it is new.

        Raises:
            UsageError: it is no answer that can be shown, or would show everyone what not everyone may read.
        """
        example, owner = example_of(answer), _owner(caller)
        if not owner:
            self._check_public(answer)
        language = answer.language if answer.language in LANGUAGES else _language(answer.question)
        return self.store.add(example, language, owner=owner, origin=APPROVED)

    def approve_correction(
        self, answer: Answer, text: str, *, caller: Caller | None = None
    ) -> tuple[StoredExample, bool]:
        """Keep what somebody wrote in place of a wrong answer as an example, over what that one quotes.

        Raises:
            UsageError: it cites nothing of what the wrong answer quotes, or see `approve`.
        """
        return self.approve(corrected(answer, text), caller=caller)

    def get(self, key: str, *, caller: Caller | None = None) -> StoredExample:
        """Return an example by its id, or the beginning of it."""
        _check_unbound(caller)
        return self.store.get(key, user=_user(caller))

    def delete(self, key: str, *, caller: Caller | None = None) -> StoredExample:
        """Delete an example by its id, or the beginning of it."""
        _check_unbound(caller)
        return self.store.delete(key, user=_user(caller))

    def _check_public(self, answer: Answer) -> None:
        try:
            public = [row.document for row in self._documents(caller=_NOBODY)]
            known = [row.document for row in self._documents()]
        except IndexMissingError as error:
            raise UsageError(
                "whether everyone may read what the answer quotes cannot be told without its index: name it by --index"
            ) from error
        for name in dict.fromkeys(citation.document for citation in answer.citations):
            if not known.count(name):
                raise UsageError(f"the answer quotes {name}, which is not in this index: name its index")
            if public.count(name) != known.count(name):
                raise UsageError(
                    f"the answer quotes {name}, which not everyone may read: add it as a user who may (--as USER), "
                    "for that user's own questions"
                )


def answer_of(text: str | bytes) -> Answer:
    """Return the answer that is written in a JSON.

    Raises:
        UsageError: it is not the JSON of an answer.
    """
    try:
        return Answer.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"this is not the JSON of an answer, as `tekio ask --json` prints it ({place or 'JSON'}: {first['msg']})"
        ) from error


def _user(caller: Caller | None) -> str | None:
    return None if caller is None else caller.user


def _check_unbound(caller: Caller | None) -> None:
    if caller is not None and caller.bound is not None:
        raise DeniedError(
            "examples hold text of any document: a key that is for a part of them may not reach them"
        )


def _owner(caller: Caller | None) -> str:
    _check_unbound(caller)
    if caller is not None and not caller.user:
        raise UsageError("who adds an example must be named: it is shown in their own questions alone")
    return "" if caller is None else caller.user


def _language(question: str) -> str:
    found = detect_language(question)
    return found if found in LANGUAGES else LANGUAGES[0]
