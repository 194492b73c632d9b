"""The model that is trained: the base, with what a method adds to it. Importing this imports torch and transformers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, set_seed
from transformers.utils import logging

from adaptation.finetuning.methods import Method, adapted_layers, layers_of, linear_names, method_of
from adaptation.finetuning.recipe import Recipe
from kernel.chat.adapters import CONFIG_FILE, REWARD_FOLDER, kind_of
from kernel.chat.bottleneck import KIND as BOTTLENECK
from kernel.chat.bottleneck import with_bottlenecks
from kernel.chat.language_model import choose_dtype
from kernel.chat.quantised import form_of, load_causal
from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

_BEHIND = ("o_proj", "down_proj", "out_proj", "c_proj", "fc2", "dense_4h_to_h", "w2")
"""Names of the linear layers that end the attention and the feed-forward part, of the usual architectures."""


def load_base(folder: Path, method: str = "lora") -> Any:
    """Load a base model to be trained over: in bfloat16 where the hardware computes it faster, else in float32.

    For `qlora` its linear layers are held in 4 bits, for `reward` it gives a number in place of words, for `full` it is
    in float32, since the small steps of training are lost in halves.

    Raises:
        UsageError: there is no library that computes with 4 bits here, or a reward model is to be of weights in few.
    """
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.float32 if method == "full" else choose_dtype("auto", device)
    chosen: dict[str, Any] = {"dtype": dtype}
    if method == "qlora" and form_of(folder) is None:  # else its weights are rounded already
        chosen |= {"quantization_config": _four_bits(dtype), "device_map": {"": device}}
    if method == "reward":
        if form_of(folder) is not None:
            raise UsageError(
                "a reward model cannot be trained over weights in few bits: name the floats of the base"
            )
        said = logging.get_verbosity()
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # that the new layer is new
        with building_in_turn():
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                folder, num_labels=1, local_files_only=True, **chosen
            )
        logging.set_verbosity(said)
    else:
        model = load_causal(folder, **chosen)
    model.config.use_cache = False
    return model


def _four_bits(dtype: torch.dtype) -> Any:
    """Return how transformers holds weights in 4 bits (NF4, its scales quantised too)."""
    if find_spec("bitsandbytes") is None:
        raise UsageError("qlora needs bitsandbytes: pip install 'tekio[training]'")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def adapted(base: Any, recipe: Recipe, beginning: Sequence[int] = ()) -> Any:
    """Return a base with the weights of the method beside its own, which are frozen; drawn by the seed.

    Args:
        base: from `load_base`.
        recipe: its method, rank, layers and virtual tokens.
        beginning: ids that rows begin with, from which `prefix` and `prompt` start.

    Raises:
        UsageError: the rank or share is out of range, or the base is of an architecture that a method does not know.
    """
    from peft import get_peft_model

    method = method_of(recipe.method)
    set_seed(recipe.seed)  # before the matrices are drawn
    if method.name == "full":
        return base
    if method.name == "qlora":
        base = _trainable_over(base, recipe)
    try:
        model: Any = get_peft_model(base, peft_config(method, base, recipe))
    except ValueError as error:  # PEFT's word for an architecture that it has no defaults for
        raise UsageError(f"the method {method.name} cannot be used over this base: {error}") from error
    if method.name in ("prefix", "prompt"):
        _start(model, base, recipe, beginning)
    return model


def adapted_further(base: Any, folder: Path, recipe: Recipe) -> Any:
    """Return a base with an adapter that is learned further.

    Raises:
        UsageError: the adapter is no LoRA, or the method learns something else.
    """
    from peft import PeftModelForCausalLM

    if kind_of(folder) != "LORA" or recipe.method in ("adapter", "prefix", "prompt", "ia3", "full", "reward"):
        raise UsageError(
            f"--start-from learns an adapter of LoRA's kind further, by a method of that kind: {folder.name} cannot "
            f"be learned further by {recipe.method}"
        )
    if recipe.method == "qlora":
        base = _trainable_over(base, recipe)
    model: Any = PeftModelForCausalLM.from_pretrained(base, str(folder), is_trainable=True)
    for config in model.peft_config.values():  # else PEFT looks for the base by its name on the hub
        config.base_model_name_or_path = base.name_or_path
    return model


def load_judge(base_folder: Path, folder: Path) -> Any:
    """Load a reward model: the base that gives a number, with what was learned of it."""
    from peft import PeftModelForSequenceClassification

    base = load_base(base_folder, "reward")
    return PeftModelForSequenceClassification.from_pretrained(base, str(folder / REWARD_FOLDER)).eval()


def _trainable_over(base: Any, recipe: Recipe) -> Any:
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(  # type: ignore[no-untyped-call]
        base, use_gradient_checkpointing=recipe.checkpointing
    )


def peft_config(method: Method, model: Any, recipe: Recipe) -> Any:
    """Return the PEFT configuration of a method over a model."""
    from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig

    if method.name == "ia3":
        return IA3Config(task_type="CAUSAL_LM")
    if method.name == "prefix":
        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=recipe.virtual_tokens)
    if method.name == "prompt":
        return PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=recipe.virtual_tokens)
    layers = layers_of(model)
    names = linear_names(layers[-1])
    if method.name == "adapter":
        names = [name for name in names if name in _BEHIND]
        if not names:
            raise UsageError("the method adapter does not know the layers of this base: use lora")
    config = LoraConfig(
        task_type="SEQ_CLS" if method.name == "reward" else "CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=2 * recipe.rank,
        target_modules=names,
        layers_to_transform=adapted_layers(len(layers), recipe.layers),
        use_dora=method.name == "dora",
    )
    return with_bottlenecks(config) if method.name == "adapter" else config


def count_parameters(folder: Path, method: str) -> tuple[int, int]:
    """Return how many weights a method learns over a base with its own numbers, and how many the base has.

    Nothing is loaded: the modules are made without their values.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    recipe = Recipe(method=method)
    with torch.device("meta"):
        kind = AutoModelForSequenceClassification if method == "reward" else AutoModelForCausalLM
        if method == "reward":
            config.num_labels = 1
        with building_in_turn():
            base: Any = kind.from_config(config)  # type: ignore[no-untyped-call]
        total = sum(weight.numel() for weight in base.parameters())
        if method == "full":
            return total, total
        from peft import get_peft_model

        model = get_peft_model(base, peft_config(method_of(method), base, recipe))
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad), total


def _start(model: Any, base: Any, recipe: Recipe, beginning: Sequence[int]) -> None:
    """Have virtual tokens begin as real ones do: as their keys and values, or as their vectors."""
    if not beginning:
        raise UsageError(f"{recipe.method} starts from what rows begin with, and they begin with nothing")
    ids = [beginning[place % len(beginning)] for place in range(recipe.virtual_tokens)]
    tokens = torch.tensor([ids], device=base.device)
    if recipe.method == "prompt":
        with torch.no_grad():
            vectors = base.get_input_embeddings()(tokens)[0]
            weight = model.prompt_encoder["default"].embedding.weight
            weight.copy_(vectors.to(weight.dtype))
        return
    from peft.tuners.cartridge.utils import initialize_kv_prefix_from_past_key_values

    with torch.no_grad(), model.disable_adapter():
        read = model.get_base_model()(input_ids=tokens, use_cache=True)
    initialize_kv_prefix_from_past_key_values(
        model, past_key_values=read.past_key_values, num_virtual_tokens=recipe.virtual_tokens
    )


def write_adapter(model: Any, base: str, out: Path, *, method: str) -> None:
    """Write what was learned to a folder; under the base's name, not its path on this machine."""
    if method == "full":
        model.config.name_or_path = ""
        model.config.use_cache = True
        model.save_pretrained(str(out))
        return
    for config in model.peft_config.values():
        config.base_model_name_or_path = base
    inner = model.get_base_model()
    inner.name_or_path = inner.config.name_or_path = base
    out = out / REWARD_FOLDER if method == "reward" else out
    model.save_pretrained(str(out), save_embedding_layers=False, selected_adapters=["default"])
    if method == "adapter":  # so that nobody reads it as LoRA
        path = out / CONFIG_FILE
        held = json.loads(path.read_text(encoding="utf-8")) | {"peft_type": BOTTLENECK}
        path.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n", encoding="utf-8")


__all__ = [
    "adapted",
    "adapted_further",
    "count_parameters",
    "load_base",
    "load_judge",
    "peft_config",
    "write_adapter",
]
