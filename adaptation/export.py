"""An adapter for other programs: put into the base's weights, or as a folder that serving engines load.

Importing this imports nothing heavy; the functions import torch, transformers and peft.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kernel.chat.adapters import CARD_FILE, FULL, check_adapter, check_loaded, kind_of
from retrieval.errors import TekioError, UsageError
from retrieval.model_building import building_in_turn

_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "vocab.json",
    "merges.txt",
    "generation_config.json",
)
_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"


def merge(
    base: str, base_folder: Path, adapter: Path, out: Path, *, say: Callable[[str], None] = lambda text: None
) -> Path:
    """Write the base with an adapter in its weights, as a model folder of its own; return it.

    Args:
        base: the base's name.
        base_folder: the base as transformers reads it.
        adapter: folder of the adapter.
        out: of the model; must not be there.
        say: is told how it goes.

    Raises:
        UsageError: the adapter does not fit the base, or the folder is taken.
        TekioError: it cannot be written.
    """
    check_adapter(adapter, base=base, base_folder=base_folder)
    if kind_of(adapter) not in ("LORA", FULL, "IA3"):
        raise UsageError(
            f"{adapter.name} is of the kind {kind_of(adapter)}, which cannot be put into weights: Tekio answers by it"
        )
    say(f"putting {adapter.name} into the weights of {base}")

    def write(work: Path) -> None:
        from peft import PeftConfig, PeftModelForCausalLM
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        from kernel.chat.quantised import load_causal

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        loaded = load_causal(base_folder, dtype="auto")
        dtype = loaded.dtype
        if kind_of(adapter) == FULL:
            with building_in_turn():
                merged: Any = AutoModelForCausalLM.from_pretrained(
                    adapter, dtype=dtype, local_files_only=True
                )
        else:
            config = PeftConfig.from_pretrained(str(adapter))
            model: Any = PeftModelForCausalLM(loaded.float(), config)
            check_loaded(adapter, model.load_adapter(str(adapter), adapter_name="default"))
            merged = model.merge_and_unload().to(dtype)
        merged.config.name_or_path = ""
        merged.save_pretrained(str(work))
        for name in _TOKENIZER:
            if (base_folder / name).is_file():
                shutil.copyfile(base_folder / name, work / name)

    return _made(out, write)


def export_lora(base: str, base_folder: Path, adapter: Path, out: Path) -> Path:
    """Write an adapter as vLLM and other engines load it at a request's word: PEFT's two files; return the folder.

    Raises:
        UsageError: the adapter does not fit the base, is of a kind that they do not load, or the folder is taken.
        TekioError: it cannot be written.
    """
    config = _plain_lora(base, base_folder, adapter)

    def write(work: Path) -> None:
        (work / _CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        for name in (_WEIGHTS, CARD_FILE):
            if (adapter / name).is_file():
                shutil.copyfile(adapter / name, work / name)

    return _made(out, write)


def export_gguf(base: str, base_folder: Path, adapter: Path, out: Path) -> Path:
    """Write an adapter as a GGUF file for llama.cpp; return the folder that it is in.

    Raises:
        UsageError: the adapter does not fit the base, is of a kind or over a base that GGUF has no form for, or the
            folder is taken.
        TekioError: it cannot be written.
    """
    _plain_lora(base, base_folder, adapter)
    from adaptation.gguf_export import write_gguf

    return _made(out, lambda work: write_gguf(adapter, base_folder, work / f"{adapter.name}.gguf"))


def _plain_lora(base: str, base_folder: Path, adapter: Path) -> dict[str, Any]:
    """Return the configuration of an adapter that other engines load.

    Raises:
        UsageError: they do not, or it does not fit the base.
    """
    check_adapter(adapter, base=base, base_folder=base_folder)
    if kind_of(adapter) != "LORA":
        raise UsageError(
            f"{adapter.name} is of the kind {kind_of(adapter)}, which other engines do not load: they load LoRA"
        )
    config: dict[str, Any] = json.loads((adapter / _CONFIG).read_text(encoding="utf-8"))
    if config.get("use_dora"):
        raise UsageError(f"{adapter.name} is a DoRA adapter, which serving engines do not load: merge it")
    return config


def _made(out: Path, write: Callable[[Path], None]) -> Path:
    """Have a folder written beside its place, and put there when it is whole."""
    if out.exists():
        raise UsageError(f"{out} exists already: name another folder by --out, or remove it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        try:
            write(work)
            work.chmod(0o755)
            work.rename(out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise TekioError(f"{out} cannot be written ({error.strerror or error}): free some space") from error
    return out
