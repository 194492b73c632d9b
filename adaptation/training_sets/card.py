"""The data card of a training set: what is in it and from where, how it was parted, what it shares with evaluations."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import TekioError, UsageError

CARD_FILE = "card.json"


class FileCard(BaseModel):
    """A file of the set; its path is relative to the set's folder."""

    model_config = ConfigDict(frozen=True)

    rows: int
    sha256: str


class SourceCard(BaseModel):
    """Where rows came from."""

    model_config = ConfigDict(frozen=True)

    name: str
    form: str = Field(description="own, squad, pubmedqa, chat, alpaca, sharegpt, dpo, index, feedback …")
    rows: int = Field(description="that came of it, before copies and leaks were taken out")
    licence: str = Field("", description="as it was given; empty where nobody said")
    left_out: int = Field(0, description="questions or lines of it that no row could be made of")


class LeakageCard(BaseModel):
    """What the set shares with questions that something is measured on."""

    model_config = ConfigDict(frozen=True)

    evaluation: str
    questions: int
    same: int = Field(description="rows that ask what is asked there")
    alike: int = Field(description="rows that ask it in nearly the same words")
    seen: int = Field(description="rows learned from a document that is cited there")
    copied: int = Field(description="texts that share a run of words with a question")
    removed: int = Field(
        description="rows that were taken out for it; all of them, unless it was asked to keep them"
    )


class DataCard(BaseModel):
    """What a training set is. `hash` names its rows, whatever their files are called."""

    model_config = ConfigDict(frozen=True)

    made: str = Field(description="ISO 8601")
    seed: int
    answers: str = Field("sentence", description="how answers are worded: sentence or short")
    technique: str = "zero_shot"
    tone: str = ""
    licence: str = Field("", description="of the set as a whole, as it was given")
    sources: list[SourceCard]
    counts: dict[str, dict[str, int]] = Field(description="rows by part and kind")
    languages: dict[str, int] = Field(description="rows to learn from, by language")
    documents: dict[str, int] = Field(description="documents, or groups of them, by part")
    duplicates: int = Field(description="rows that were taken out since another said the same")
    leakage: list[LeakageCard] = []
    files: dict[str, FileCard]
    hash: str
    index_sha256: str = Field("", description="of the passages that it was made from")

    def write(self, folder: Path) -> None:
        """Write it into the set's folder.

        Raises:
            TekioError: it cannot be written.
        """
        try:
            (folder / CARD_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise TekioError(
                f"the card of {folder} cannot be written ({error.strerror}): free some space"
            ) from error


def read_card(folder: Path) -> DataCard:
    """Read the card of a training set.

    Raises:
        UsageError: the folder holds none, or one that is broken.
    """
    path = folder / CARD_FILE
    try:
        return DataCard.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{folder} is no training set: `tekio adapt dataset --out {folder}` makes one"
        ) from error
    except ValidationError as error:
        raise UsageError(f"the card {path} is not valid: {error.errors()[0]['msg']}") from error


def check_set(folder: Path) -> DataCard:
    """Read the card of a training set and hold its files against it.

    Raises:
        UsageError: it is none, or a file of it was changed or is gone.
        TekioError: a file cannot be read.
    """
    card = read_card(folder)
    for name, file in card.files.items():
        try:
            held = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise UsageError(f"{folder} lacks {name}: make the training set again") from error
        except OSError as error:
            raise TekioError(f"{folder / name} cannot be read: {error.strerror}") from error
        if held != file.sha256:
            raise UsageError(
                f"{folder / name} is not what its card says (changed or cut short): make the set again"
            )
    return card
