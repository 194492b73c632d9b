"""Fine-tuned adapters: a PEFT folder with a card that says which base it belongs to.

An adapter loaded over another base, or with keys that match nothing, gives fluent nonsense or the base's
own output without any error. So the base is compared before loading, and the keys and the effect after it.
Kinds of LoRA that write into the base's own weights are refused: the base could not be switched back to.
A model of which all weights were trained has a card too, and is used in the same way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.variant_names import BASE, EXTRACTIVE
from kernel.variant_settings import check_apart
from retrieval.errors import UsageError

CARD_FILE = "tekio_adapter.json"
CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
WHOLE_WEIGHTS_FILE = "model.safetensors"
REWARD_FOLDER = "reward"
"""Where a model that judges answers is kept within its folder: it is no variant, as it writes none."""
FULL = "FULL"
"""The kind of a model of which all weights were trained."""
KINDS = ("LORA", "BOTTLENECK", "LORA_EXPERTS", "IA3", "PREFIX_TUNING", "PROMPT_TUNING")
PROMPT_KINDS = ("PREFIX_TUNING", "PROMPT_TUNING")
"""Kinds that put something before the prompt, in place of changing a layer."""
# How an adapter's weights may begin; PiSSA, OLoRA, CorDA and LoftQ take their beginning out of the base's weights.
_INITIALISATIONS = (None, True, False, "gaussian", "orthogonal")


class OtherBaseError(UsageError):
    """An adapter was made for another base, or for another form of its prompts."""


class AdapterCard(BaseModel):
    """What an adapter was made for and from; written beside the weights by training."""

    model_config = ConfigDict(frozen=True)

    base: str = Field(description="name of the base model")
    base_fingerprint: str = Field(description="see `base_fingerprint`")
    base_revision: str = Field("", description="of the base model")
    template_sha256: str = Field(
        "", description="of the chat template that it was trained with; see `template_hash`"
    )
    method: str = "lora"
    languages: list[str] = []
    made: str = Field("", description="when, as ISO 8601")
    data_hash: str = Field("", description="of the training set")
    recipe: dict[str, Any] = Field({}, description="what was chosen of the training")
    training: dict[str, Any] = Field({}, description="steps, seconds, tokens, losses, parameters")
    curve: list[dict[str, Any]] = Field([], description="losses by step")
    figures: dict[str, Any] = Field({}, description="measured before and after")
    notices: list[str] = Field([], description="what was seen while it trained, in words")

    @classmethod
    def read(cls, folder: Path) -> AdapterCard | None:
        """Read the card of an adapter folder; None where there is none.

        Raises:
            UsageError: it is not valid.
        """
        path = folder / CARD_FILE
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise UsageError(f"the card {path} is not valid: {error.errors()[0]['msg']}") from error

    def write(self, folder: Path) -> None:
        """Write the card into an adapter folder."""
        (folder / CARD_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def base_fingerprint(folder: Path) -> str:
    """Return a hash of a base model's weight layout, of a sample of its weights, and of its vocabulary.

    Of each weight file the header (names, shapes, types) and a sample from sixteen places are hashed: two
    models that differ in training differ in nearly every weight, and a whole hash of a large model takes minutes.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            digest.update(file.read(min(length, 1 << 24)))
            start = 8 + length
            for step in range(16):
                file.seek(start + (size - start) * step // 16)
                digest.update(file.read(4096))
    digest.update(vocabulary_of(folder))
    return digest.hexdigest()


def template_hash(folder: Path) -> str:
    """Return a hash of a model's chat template, wherever its tokenizer keeps it; empty where it has none."""
    separate = folder / "chat_template.jinja"
    try:
        if separate.is_file():
            text = separate.read_text(encoding="utf-8")
        else:
            held = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
            text = str(held.get("chat_template") or "")
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def vocabulary_of(folder: Path) -> bytes:
    """Return what gives a model's tokens their ids, in one form: the file changes with the library that writes it."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return b""
    held = json.loads(path.read_text(encoding="utf-8"))
    added = {item["content"]: item["id"] for item in held.get("added_tokens") or []}
    return json.dumps([held["model"].get("vocab"), added], sort_keys=True).encode()


def find_adapter(name: str, adapters: Path) -> Path | None:
    """Return the folder of an adapter given by its name in the adapters' folder, or by its path."""
    try:
        for folder in (adapters / name, Path(name).expanduser()):
            if _is_variant(folder):
                return folder
    except (OSError, RuntimeError):  # a name too long for a file, or `~` of somebody who does not exist
        pass
    return None


def list_adapters(adapters: Path) -> list[str]:
    """Name the adapters in a folder, and the models over the base of which all weights were trained."""
    return sorted(path.name for path in _folders(adapters) if _is_variant(path))


def list_reward_models(adapters: Path) -> list[str]:
    """Name the models in a folder that judge answers."""
    return sorted(path.name for path in _folders(adapters) if (path / REWARD_FOLDER / CONFIG_FILE).is_file())


def _folders(adapters: Path) -> list[Path]:
    return [path for path in adapters.glob("*") if path.is_dir() and not path.name.startswith(".")]


def _is_variant(folder: Path) -> bool:
    whole = (folder / CARD_FILE).is_file() and (folder / WHOLE_WEIGHTS_FILE).is_file()
    return whole or (folder / CONFIG_FILE).is_file()


def kind_of(folder: Path) -> str:
    """Return the kind of an adapter: `FULL`, or PEFT's name for it.

    Raises:
        UsageError: its configuration cannot be read, or is of no kind that can be used.
    """
    return str(_read_config(folder)["peft_type"])


def variant_names(adapters: Path, others: Iterable[str] = ()) -> list[str]:
    """Name who can generate: the base, `extractive`, the adapters in a folder, and those that other engines compute.

    Raises:
        UsageError: two of them have one name.
    """
    held, others = list_adapters(adapters), list(others)
    check_apart(others, held, adapters)
    return [BASE, EXTRACTIVE, *held, *others]


def check_adapter(folder: Path, *, base: str, base_folder: Path) -> AdapterCard:
    """Check before loading that an adapter, or what judges answers, is whole and belongs to the base.

    Raises:
        UsageError: it is cut short, of a kind that cannot be switched off, or was made for another base.
    """
    place = folder / REWARD_FOLDER if (folder / REWARD_FOLDER / CONFIG_FILE).is_file() else folder
    config = _read_config(place)
    _check_weights_file(place / (WHOLE_WEIGHTS_FILE if config["peft_type"] == FULL else WEIGHTS_FILE))
    card = AdapterCard.read(folder)
    if card is not None:
        if card.base_fingerprint != base_fingerprint(base_folder):
            raise OtherBaseError(
                f"the adapter in {folder} was made for another base ({card.base}), not for {base}"
            )
        if card.template_sha256 and card.template_sha256 != template_hash(base_folder):
            raise OtherBaseError(
                f"the adapter in {folder} was trained with another chat template than {base} has now: train it again"
            )
        return card
    # Made elsewhere, without a card: the name that PEFT notes, of a folder or of a repository, is all there is.
    made_for = str(config.get("base_model_name_or_path") or "")
    if _last_part(made_for) not in (_last_part(base), base_folder.name):
        raise OtherBaseError(
            f"the adapter in {folder} was made for another base ({made_for or 'not named'}), not for {base}"
        )
    return AdapterCard(base=base, base_fingerprint=base_fingerprint(base_folder))


def _read_config(folder: Path) -> dict[str, Any]:
    if (folder / WHOLE_WEIGHTS_FILE).is_file() and not (folder / CONFIG_FILE).is_file():
        return {"peft_type": FULL}
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is no adapter: its {CONFIG_FILE} cannot be read ({error})") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind not in KINDS:
        raise UsageError(
            f"the adapter in {folder} is of the kind {kind}, which cannot be used: those of {', '.join(KINDS)} can"
        )
    if kind in PROMPT_KINDS:
        return dict(config)
    start, bias = config.get("init_lora_weights"), config.get("bias") or "none"
    if start not in _INITIALISATIONS or bias != "none":
        changed = f"init_lora_weights={start}" if bias == "none" else f"bias={bias}"
        raise UsageError(
            f"the adapter in {folder} would change the base itself ({changed}): convert it to plain LoRA with PEFT"
        )
    return dict(config)


def _check_weights_file(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise UsageError(f"the adapter in {path.parent} has no {path.name}: train it again or copy it whole")
    try:
        with safe_open(path, framework="numpy"):  # compares the header with the length of the file
            pass
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is damaged ({error}): train the adapter again or copy it whole") from error


def _last_part(name: str) -> str:
    return PureWindowsPath(name).name  # takes both kinds of slashes


def check_loaded(folder: Path, load_result: Any) -> None:
    """Check after loading that every key found its place.

    Args:
        folder: the adapter's, for the message.
        load_result: what PEFT's `load_adapter` returned; it names the adapter's own missing keys only.

    Raises:
        UsageError: keys are left over or missing.
    """
    unexpected, missing = list(load_result.unexpected_keys), list(load_result.missing_keys)
    if unexpected or missing:
        raise UsageError(
            f"the adapter in {folder} does not fit the base: {len(unexpected)} keys left over, "
            f"{len(missing)} missing, e.g. {(unexpected + missing)[0]}"
        )


def check_effect(folder: Path, with_adapter: NDArray[np.float32], without: NDArray[np.float32]) -> None:
    """Compare the logits of one prompt with an adapter and without it, arrays of one shape.

    Raises:
        UsageError: they are the same, so that the adapter is the base under another name, or are no numbers.
    """
    if not np.isfinite(with_adapter).all():
        raise UsageError(f"the adapter in {folder} gives no numbers: its training diverged; train it again")
    if np.array_equal(with_adapter, without):
        raise UsageError(f"the adapter in {folder} has no effect: the base answers the same; train it again")
