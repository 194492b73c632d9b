"""Models that the lab makes: each a folder with its card, whole or not there at all, and a variant by its name."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.chat.paged.shortlist import write_common_words
from kernel.lab_models import LAB_CARD
from kernel.variant_names import BASE, EXTRACTIVE
from retrieval.errors import TekioError, UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_WEIGHTS = (".safetensors", ".bin", ".onnx", ".data", ".gguf", ".xml")


class LabCard(BaseModel):
    """What a model was made of, how, and what that changed; written beside its weights."""

    model_config = ConfigDict(frozen=True)

    name: str
    method: str = Field(description="such as pretrain, quantise, prune, distil")
    base: str = Field("", description="name or folder of the model that it was made of; empty: of none")
    made: str = Field("", description="when, as ISO 8601; `keep_model` fills it in")
    parameters: int = Field(0, description="weights that it has, whatever the bits that hold them")
    bytes: int = Field(0, description="of its files of weights; `keep_model` fills it in")
    figures: dict[str, Any] = Field({}, description="`before` and `after`, as `ModelFigures` has them")
    recipe: dict[str, Any] = Field({}, description="what was chosen, so that it can be made again")

    def write(self, folder: Path) -> None:
        """Write the card into a model's folder."""
        (folder / LAB_CARD).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def check_model_name(name: str, models: Path, *, force: bool = False) -> Path:
    """Return the folder of a model of this name.

    Raises:
        UsageError: the name is no plain one, a variant's own, or taken.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise UsageError(
            f"'{name}' cannot be the name of a model: use up to 64 letters, digits, '.', '_' and '-', a letter or "
            "digit first"
        )
    if name.lower() in (BASE, EXTRACTIVE):
        raise UsageError(f"'{name}' is the name of a variant that is always there: choose another --name")
    folder = models / name
    if folder.exists() and not force:
        raise UsageError(f"there is a model '{name}' in {models}: choose another --name, or give --force")
    return folder


def keep_model(
    folder: Path,
    model: Any,
    tokenizer: Any,
    card: LabCard,
    *,
    common: Mapping[int, int] | None = None,
    force: bool = False,
) -> Path:
    """Write a model of transformers with its tokenizer and card; return its folder.

    Args:
        folder: of the model, `settings.models` / NAME.
        model: of transformers, on any device.
        tokenizer: of transformers, its chat template with it.
        card: what it is.
        common: how often its words were met, by which it may guess for another; None does not tell.
        force: replaces a model that is there, once the new one is whole.

    Raises:
        UsageError: there is a model of this name.
        TekioError: it cannot be written.
    """

    def write(work: Path) -> None:
        model.config.name_or_path = ""  # no paths of this machine
        model.save_pretrained(str(work))
        tokenizer.save_pretrained(str(work))
        if common:
            write_common_words(work, common)

    parameters = card.parameters or sum(int(each.numel()) for each in model.parameters())
    return keep_written(folder, write, card.model_copy(update={"parameters": parameters}), force=force)


def keep_written(folder: Path, write: Callable[[Path], None], card: LabCard, *, force: bool = False) -> Path:
    """Have a model written beside its place, add its card, and put it there when it is whole; return its folder.

    Args:
        folder: of the model.
        write: writes all but the card into the folder that it is given.
        card: what it is.
        force: as of `keep_model`.

    Raises:
        UsageError: there is a model of this name.
        TekioError: it cannot be written; what was there is still there.
    """
    from safetensors import SafetensorError

    check_model_name(folder.name, folder.parent, force=force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
        try:
            write(work)
            made = card.made or datetime.now(UTC).isoformat(timespec="seconds")
            card.model_copy(update={"made": made, "bytes": bytes_of(work)}).write(work)
            work.chmod(0o755)
            if folder.exists():
                folder.rename(work.with_suffix(".old"))
            work.rename(folder)
        finally:
            old = work.with_suffix(".old")
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
            shutil.rmtree(work, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise TekioError(f"the model could not be written to {folder} ({why}): free some space") from error
    return folder


def read_card(folder: Path) -> LabCard:
    """Read the card of a model of the lab.

    Raises:
        UsageError: it has none, or it is not valid.
    """
    try:
        return LabCard.model_validate_json((folder / LAB_CARD).read_bytes())
    except OSError as error:
        raise UsageError(f"{folder} is no model of the lab: it has no {LAB_CARD}") from error
    except ValidationError as error:
        raise UsageError(f"the card {folder / LAB_CARD} is not valid: {error.errors()[0]['msg']}") from error


def keep_figures(folder: Path, before: Any, after: Any) -> LabCard:
    """Write figures before and after, `ModelFigures` both, into a model's card; return it."""
    figures = {"before": before.model_dump(), "after": after.model_dump()}
    card = read_card(folder)
    card = card.model_copy(update={"figures": card.figures | figures})
    card.write(folder)
    return card


def bytes_of(folder: Path) -> int:
    """Return the size of a model's files of weights."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in _WEIGHTS)


__all__ = [
    "LabCard",
    "bytes_of",
    "check_model_name",
    "keep_figures",
    "keep_model",
    "keep_written",
    "read_card",
]
