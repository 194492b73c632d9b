"""Fine-tuned adapters: a PEFT folder with a card that says which base it belongs to.

A LoRA adapter loaded over another base, or with keys that match nothing, gives fluent nonsense or the base's
own output without any error. So the base is compared before loading, and the keys and the effect after it.
Kinds of LoRA that write into the base's own weights are refused: the base could not be switched back to.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PureWindowsPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.answer import BASE, EXTRACTIVE
from retrieval.errors import UsageError

CARD_FILE = "tekio_adapter.json"
_CONFIG_FILE = "adapter_config.json"
_WEIGHTS_FILE = "adapter_model.safetensors"
# How an adapter's weights may begin; PiSSA, OLoRA, CorDA and LoftQ take their beginning out of the base's weights.
_INITIALISATIONS = (None, True, False, "gaussian", "orthogonal")


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
    digest.update(_vocabulary(folder / "tokenizer.json"))
    return digest.hexdigest()


def _vocabulary(path: Path) -> bytes:
    """Return what gives tokens their ids, in one form: the file itself changes with the library that writes it."""
    if not path.is_file():
        return b""
    held = json.loads(path.read_text(encoding="utf-8"))
    added = {item["content"]: item["id"] for item in held.get("added_tokens") or []}
    return json.dumps([held["model"].get("vocab"), added], sort_keys=True).encode()


def find_adapter(name: str, adapters: Path) -> Path | None:
    """Return the folder of an adapter given by its name in the adapters' folder, or by its path."""
    try:
        for folder in (adapters / name, Path(name).expanduser()):
            if (folder / _CONFIG_FILE).is_file():
                return folder
    except (OSError, RuntimeError):  # a name too long for a file, or `~` of somebody who does not exist
        pass
    return None


def list_adapters(adapters: Path) -> list[str]:
    """Name the adapters in a folder."""
    return sorted(path.parent.name for path in adapters.glob(f"*/{_CONFIG_FILE}"))


def variant_names(adapters: Path) -> list[str]:
    """Name who can generate: the base, `extractive`, and the adapters in a folder."""
    return [BASE, EXTRACTIVE, *list_adapters(adapters)]


def check_adapter(folder: Path, *, base: str, base_folder: Path) -> AdapterCard:
    """Check before loading that an adapter is whole and belongs to the base.

    Raises:
        UsageError: it is cut short, of a kind that cannot be switched off, or was made for another base.
    """
    config = _read_config(folder)
    _check_weights_file(folder)
    card_file = folder / CARD_FILE
    if card_file.is_file():
        try:
            card = AdapterCard.model_validate_json(card_file.read_bytes())
        except ValidationError as error:
            raise UsageError(f"the card {card_file} is not valid: {error.errors()[0]['msg']}") from error
        if card.base_fingerprint != base_fingerprint(base_folder):
            raise UsageError(
                f"the adapter in {folder} was made for another base ({card.base}), not for {base}"
            )
        return card
    # Made elsewhere, without a card: the name that PEFT notes, of a folder or of a repository, is all there is.
    made_for = str(config.get("base_model_name_or_path") or "")
    if _last_part(made_for) not in (_last_part(base), base_folder.name):
        raise UsageError(
            f"the adapter in {folder} was made for another base ({made_for or 'not named'}), not for {base}"
        )
    return AdapterCard(base=base, base_fingerprint=base_fingerprint(base_folder))


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / _CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} is no adapter: its {_CONFIG_FILE} cannot be read ({error})") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise UsageError(f"the adapter in {folder} is of the kind {kind}: only LoRA adapters can be used")
    start, bias = config.get("init_lora_weights"), config.get("bias") or "none"
    if start not in _INITIALISATIONS or bias != "none":
        changed = f"init_lora_weights={start}" if bias == "none" else f"bias={bias}"
        raise UsageError(
            f"the adapter in {folder} would change the base itself ({changed}): convert it to plain LoRA with PEFT"
        )
    return dict(config)


def _check_weights_file(folder: Path) -> None:
    from safetensors import SafetensorError, safe_open

    path = folder / _WEIGHTS_FILE
    if not path.is_file():
        raise UsageError(f"the adapter in {folder} has no {_WEIGHTS_FILE}: train it again or copy it whole")
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


def check_effect(folder: Path, with_adapter: Any, without: Any) -> None:
    """Compare the logits of one prompt with an adapter and without it, as torch tensors of one shape.

    Raises:
        UsageError: they are the same, so that the adapter is the base under another name, or are no numbers.
    """
    if not bool(with_adapter.isfinite().all()):
        raise UsageError(f"the adapter in {folder} gives no numbers: its training diverged; train it again")
    if bool((with_adapter == without).all()):
        raise UsageError(f"the adapter in {folder} has no effect: the base answers the same; train it again")
