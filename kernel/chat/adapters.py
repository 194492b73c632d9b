"""Fine-tuned adapters: a PEFT folder with a card that says which base it belongs to.

A LoRA adapter loaded over another base, or with keys that match nothing, gives fluent nonsense or the base's
own output without any error. So the base is compared before loading, and the keys and the effect after it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import UsageError

CARD_FILE = "tekio_adapter.json"
_CONFIG_FILE = "adapter_config.json"
_WEIGHTS_FILE = "adapter_model.safetensors"


class AdapterCard(BaseModel):
    """What an adapter was made for and from; written beside the weights by training."""

    model_config = ConfigDict(frozen=True)

    base: str = Field(description="name of the base model")
    base_fingerprint: str = Field(description="see `base_fingerprint`")
    method: str = "lora"
    languages: list[str] = []

    def write(self, folder: Path) -> None:
        """Write the card into an adapter folder."""
        (folder / CARD_FILE).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def base_fingerprint(folder: Path) -> str:
    """Return a hash of a base model's configuration and weight layout and of a sample of its weights.

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
    return digest.hexdigest()


def find_adapter(name: str, adapters: Path) -> Path | None:
    """Return the folder of an adapter given by its name in the adapters' folder, or by its path."""
    for folder in (adapters / name, Path(name).expanduser()):
        if (folder / _CONFIG_FILE).is_file():
            return folder
    return None


def list_adapters(adapters: Path) -> list[str]:
    """Name the adapters in a folder."""
    return sorted(path.parent.name for path in adapters.glob(f"*/{_CONFIG_FILE}"))


def check_adapter(folder: Path, *, base: str, base_folder: Path) -> AdapterCard:
    """Check before loading that an adapter is whole and belongs to the base.

    Raises:
        UsageError: it is cut short, or was made for another base.
    """
    try:
        config: dict[str, Any] = json.loads((folder / _CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is no adapter: its {_CONFIG_FILE} cannot be read ({error})") from error
    if not (folder / _WEIGHTS_FILE).is_file():
        raise UsageError(f"the adapter in {folder} has no {_WEIGHTS_FILE}: train it again or copy it whole")
    card_file = folder / CARD_FILE
    if card_file.is_file():
        try:
            card = AdapterCard.model_validate_json(card_file.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise UsageError(f"the card {card_file} is not valid: {error.errors()[0]['msg']}") from error
        if card.base_fingerprint != base_fingerprint(base_folder):
            raise UsageError(f"the adapter in {folder} was made for another base ({card.base}), not for {base}")
        return card
    # Made elsewhere, without a card: the name that PEFT notes is all there is to compare.
    made_for = str(config.get("base_model_name_or_path") or "")
    if Path(made_for).name not in (base, base_folder.name):
        raise UsageError(
            f"the adapter in {folder} was made for another base ({made_for or 'not named'}), not for {base}"
        )
    return AdapterCard(base=base, base_fingerprint=base_fingerprint(base_folder))


def check_loaded(folder: Path, load_result: Any, parameters: dict[str, Any]) -> None:
    """Check after loading that every key found its place and that the adapter changes anything.

    Args:
        folder: the adapter's, for the message.
        load_result: what PEFT's `load_adapter` returned.
        parameters: the adapter's own parameters by name, as torch tensors.

    Raises:
        UsageError: keys are left over or missing, or the adapter has no effect.
    """
    unexpected = list(getattr(load_result, "unexpected_keys", []) or [])
    missing = [key for key in getattr(load_result, "missing_keys", []) or [] if "lora" in key]
    if unexpected or missing or not parameters:
        odd = (unexpected + missing)[:1]
        raise UsageError(
            f"the adapter in {folder} does not fit the base: {len(unexpected)} keys left over, "
            f"{len(missing)} missing{f', e.g. {odd[0]}' if odd else ''}"
        )
    effect = [value for name, value in parameters.items() if "lora_B" in name or "lora_" not in name]
    if not any(bool(value.any()) for value in effect):
        raise UsageError(f"the adapter in {folder} has no effect: all that it adds is zero; train it again")
