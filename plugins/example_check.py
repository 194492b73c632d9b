"""What an example must be: a question, the passages it is answered from, and an answer that cites them."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from plugins.prompt_functions import Example
from retrieval.errors import UsageError

MOST_PASSAGES = 10
MOST_CHARACTERS = 4000
FIELDS = ("question", "passages", "answer", "reasoning", "language")
MARKERS = re.compile(r"[\[［【]\s*(\d+)\s*[\]］】]")
_REFUSALS = ("i don't know", "i don’t know", "i do not know", "わかりません", "分かりません")


def refuses(example: Example) -> bool:
    """Say whether an example shows how to say that the passages hold no answer."""
    return example.answer.strip().lower().startswith(_REFUSALS)


def checked(example: Example) -> Example:
    """Return an example with each text on one line, so that none can pose as another part of the prompt.

    Raises:
        UsageError: a text is missing or too long, or the answer does not cite the passages.
    """
    question = _text("question", example.question)
    answer = _text("answer", example.answer)
    reasoning = _text("reasoning", example.reasoning, needed=False)
    if not 1 <= len(example.passages) <= MOST_PASSAGES:
        raise UsageError(
            f"an example needs 1 to {MOST_PASSAGES} passages that it is answered from, not {len(example.passages)}"
        )
    passages = tuple(_text("passage", passage) for passage in example.passages)
    cited = markers_of(answer)
    beyond = sorted((cited | markers_of(reasoning)) - set(range(1, len(passages) + 1)))
    if beyond:
        raise UsageError(f"the example cites [{beyond[0]}], but has {len(passages)} passages")
    made = Example(passages, question, reasoning, answer)
    if not cited and not refuses(made):
        raise UsageError(
            "the answer of an example must cite its passages, as in [1], or say that it does not know: "
            "it shows the model how to"
        )
    return made


def markers_of(text: str) -> set[int]:
    """Return the numbers that a text cites."""
    return {int(number) for number in MARKERS.findall(text)}


def from_fields(fields: Mapping[str, Any]) -> tuple[Example, str | None]:
    """Return an example of JSON fields, and its language where it is named.

    Raises:
        UsageError: a field is unknown, missing or of another kind than it should be.
    """
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise UsageError(f"an example has no field '{unknown[0]}'; it has {', '.join(FIELDS)}")
    passages = fields.get("passages")
    if not isinstance(passages, Sequence) or isinstance(passages, str):
        raise UsageError("the field 'passages' of an example must be a list of texts")
    texts = {name: fields.get(name) or "" for name in ("question", "answer", "reasoning", "language")}
    for name, value in (*texts.items(), *(("passages", passage) for passage in passages)):
        if not isinstance(value, str):
            raise UsageError(f"the field '{name}' of an example must be text")
    made = Example(tuple(passages), texts["question"], texts["reasoning"], texts["answer"])
    return made, texts["language"] or None


def example_id(language: str, question: str, owner: str) -> str:
    """Name an example by its question, as people write it, and by whose it is."""
    folded = " ".join(unicodedata.normalize("NFKC", question).casefold().split())
    return hashlib.sha256(f"{language}\0{owner}\0{folded}".encode()).hexdigest()[:12]


def _text(name: str, text: str, *, needed: bool = True) -> str:
    text = " ".join(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split())
    if needed and not text:
        raise UsageError(f"the {name} of an example is empty")
    if len(text) > MOST_CHARACTERS:
        raise UsageError(
            f"the {name} of an example has {len(text):,} characters, {MOST_CHARACTERS:,} are the most"
        )
    return text
