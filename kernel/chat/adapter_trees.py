"""Adapters over one base in memory: each kind in a tree of modules of its own, all over the same weights.

PEFT puts an adapter into the modules of a model, and kinds of adapters cannot be mixed in one. So each kind has a copy
of the modules, made at the first adapter of its kind; a copy holds no weights but the adapters'. The base's own modules
are never touched, so that its answers stay what they were. Importing this imports torch and peft.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModelForCausalLM

from kernel.chat.adapters import FULL, PROMPT_KINDS, check_effect, check_loaded, kind_of
from kernel.chat.bottleneck import KIND as BOTTLENECK
from kernel.chat.bottleneck import with_bottlenecks
from kernel.chat.lora_experts import KIND as LORA_EXPERTS
from kernel.chat.lora_experts import ROUTING_KEY, ExpertRouting, with_lora_experts
from retrieval.errors import UsageError, first_line
from retrieval.model_building import building_in_turn

_EMBEDDINGS = "prompt_embeddings"
_ATTACHED = (BOTTLENECK, LORA_EXPERTS)
"""Kinds that PEFT does not know: they are attached by its door for custom layers of LoRA."""


class AdapterTrees:
    """The adapters over a base."""

    def __init__(self, base: Any, name: str) -> None:
        """Begin without any.

        Args:
            base: the model as transformers loads it; it is read, never changed.
            name: of the base, for messages.
        """
        self.base = base
        self._name = name
        self._trees: dict[str, Any] = {}  # by kind; a model of its own weights by its adapter's name
        self._adapters: dict[str, str] = {}  # adapter's name to the key of its tree
        self._count = 0

    def load(self, folder: Path, probe: list[int]) -> str:
        """Load an adapter that was checked; return the name to use it by.

        Args:
            folder: the adapter's.
            probe: ids of a prompt, by which its effect is seen.

        Raises:
            UsageError: it does not fit the base, has no effect, or cannot be loaded.
        """
        kind = kind_of(folder)
        name = f"adapter{self._count}"
        key = name if kind == FULL else kind
        fresh = key not in self._trees
        self._count += 1
        try:
            self._trees[key] = self._loaded(folder, kind, name, self._trees.get(key))
            self._adapters[name] = key
            check_effect(folder, self._last_logits(probe, name), self._last_logits(probe, None))
        except Exception as error:  # PEFT, torch and safetensors each raise their own
            self._forget(name, key, fresh)
            if isinstance(error, UsageError):
                raise
            raise UsageError(
                f"the adapter in {folder} cannot be loaded over {self._name}: {first_line(error)}"
            ) from error
        return name

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[Any]:
        """Give the model that answers by an adapter, or the base."""
        if adapter is None:
            yield self.base
            return
        key = self._adapters[adapter]
        model = self._trees[key]
        if key != adapter:
            model.set_adapter(adapter)
        yield model

    @contextmanager
    def generating(
        self, adapter: str | None, ids: list[int]
    ) -> Iterator[tuple[Any, list[int], dict[str, Any]]]:
        """Give the model that writes by an adapter, the prompt's ids for it, and what else its `generate` takes.

        What stands before the prompt is handed over as a cache that is begun, under ids that stand for it: PEFT's
        own way to generate loses it since transformers names its cache anew.
        """
        with self.using(adapter) as model:
            if not self.is_before_prompt(adapter):
                yield model, ids, {}
                return
            inner, before = model.get_base_model(), model.get_prompt(1)
            if self.added_places(adapter):  # vectors, which are read first
                read = inner(inputs_embeds=before.to(inner.dtype), use_cache=True)
                before = read["cache"] if "cache" in read else read["past_key_values"]
            name = "cache" if "cache" in inspect.signature(inner.forward).parameters else "past_key_values"
            yield inner, [*ids[:1] * model.peft_config[adapter].num_virtual_tokens, *ids], {name: before}

    def is_before_prompt(self, adapter: str | None) -> bool:
        """Tell whether an adapter puts something before the prompt."""
        return adapter is not None and self._adapters[adapter] in PROMPT_KINDS

    def added_places(self, adapter: str | None) -> int:
        """Return by how many places logits are behind those of the prompt's tokens."""
        if adapter is None or self._adapters[adapter] != "PROMPT_TUNING":
            return 0
        return int(self._trees["PROMPT_TUNING"].peft_config[adapter].num_virtual_tokens)

    def _loaded(self, folder: Path, kind: str, name: str, tree: Any) -> Any:
        if kind == FULL:
            from transformers import AutoModelForCausalLM

            with building_in_turn():
                whole: Any = AutoModelForCausalLM.from_pretrained(
                    folder, dtype=self.base.dtype, local_files_only=True
                )
            return whole.to(self.base.device).eval()
        config = _config(folder, kind)
        if tree is None:
            # Not `from_pretrained`, which does not say which keys found no place.
            tree = PeftModelForCausalLM(self._modules(), config, adapter_name=name)
        elif kind in _ATTACHED:
            tree.add_adapter(name, config)
        if kind in _ATTACHED:
            _fill(tree, folder, name)
        else:
            result = tree.load_adapter(str(folder), adapter_name=name, is_trainable=False)
            if kind in PROMPT_KINDS and result.unexpected_keys == [_EMBEDDINGS]:  # PEFT has put it elsewhere
                result.unexpected_keys.clear()
            check_loaded(folder, result)
        return tree.eval()

    def _modules(self) -> Any:
        """Return the base's modules once more, over the same weights."""
        shared: dict[int, Any] = {
            id(tensor): tensor for tensor in (*self.base.parameters(), *self.base.buffers())
        }
        return copy.deepcopy(self.base, shared)

    def _last_logits(self, probe: list[int], adapter: str | None) -> Any:
        ids = torch.tensor([probe], device=self.base.device)
        with torch.inference_mode(), self.using(adapter) as model:
            return model(input_ids=ids).logits[:, -len(probe) :].float().cpu().numpy()

    def _forget(self, name: str, key: str, fresh: bool) -> None:
        """Drop what a failed load left."""
        self._adapters.pop(name, None)
        if fresh:
            self._trees.pop(key, None)
            return
        tree = self._trees[key]
        tree.set_adapter(next(other for other, held in self._adapters.items() if held == key))
        if name in tree.peft_config:
            tree.delete_adapter(name)


def _config(folder: Path, kind: str) -> Any:
    """Return the PEFT configuration of an adapter, for use."""
    if kind in _ATTACHED:
        import json

        from peft import LoraConfig

        from kernel.chat.adapters import CONFIG_FILE

        held = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")) | {"peft_type": "LORA"}
        routed = held.pop(ROUTING_KEY, None)
        made = LoraConfig.from_peft_type(**held)  # type: ignore[no-untyped-call]
        if kind == BOTTLENECK:
            config = with_bottlenecks(made)
        else:
            config = with_lora_experts(made, ExpertRouting.read(routed, int(made.r)))
    else:
        config = PeftConfig.from_pretrained(str(folder))
    config.inference_mode = True
    return config


def _fill(tree: Any, folder: Path, name: str) -> None:
    """Put the weights of attached kinds in their place: PEFT would read the configuration again, as LoRA's.

    Raises:
        UsageError: keys are left over or missing.
    """
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from peft.utils.save_and_load import load_peft_weights

    held = load_peft_weights(str(folder), device=str(tree.device))
    expected = set(get_peft_model_state_dict(tree, adapter_name=name, save_embedding_layers=False))
    left, missing = sorted(set(held) - expected), sorted(expected - set(held))
    if left or missing:
        raise UsageError(
            f"the adapter in {folder} does not fit the base: {len(left)} keys left over, {len(missing)} missing, "
            f"e.g. {(left + missing)[0]}"
        )
    set_peft_model_state_dict(tree, held, adapter_name=name)
