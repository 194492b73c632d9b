"""LoRA adapters over a model of torch, several in one step. Importing this imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from kernel.chat.paged.lora import Lora, stacked
from retrieval.errors import UsageError


class TorchAdapters:
    """Adds to the output of each layer what the adapters of its tokens change; without them it is the base's own."""

    def __init__(self, model: Any) -> None:
        """Take a model of transformers, which stays as it is."""
        self._model = model
        self._hooks: list[Any] = []
        self._ranks: torch.Tensor | None = None

    def use(self, adapters: Sequence[Lora]) -> None:
        """Have these adapters at hand and no others.

        Raises:
            UsageError: one of them changes a layer that the base does not have, or of another size.
        """
        layers = {name: module for name, module in self._model.named_modules() if hasattr(module, "weight")}
        ready = []
        for name in dict.fromkeys(name for adapter in adapters for name in adapter.parts):
            layer = layers.get(name)
            if layer is None:
                raise UsageError(f"the adapter changes the layer {name}, which the base does not have")
            for adapter in adapters:
                if name in adapter.parts:
                    _check(name, layer, *(each.shape for each in adapter.parts[name]))
            found = stacked(adapters, [name], [layer.out_features])
            assert found is not None
            ready.append(
                (layer, [torch.from_numpy(each).to(self._model.device, self._model.dtype) for each in found])
            )
        for hook in self._hooks:
            hook.remove()
        self._hooks = [layer.register_forward_hook(self._changed(*matrices)) for layer, matrices in ready]

    def choose(self, ranks: torch.Tensor | None) -> None:
        """Say which ranks count for each token of the next step, shape (tokens, ranks); None is the base alone."""
        self._ranks = ranks

    def _changed(self, down: torch.Tensor, up: torch.Tensor) -> Any:
        def add(_layer: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor | None:
            if self._ranks is None:
                return None
            dtype = output.dtype
            inner = (inputs[0].to(dtype) @ down.to(dtype).T) * self._ranks.to(dtype)
            return output + inner @ up.to(dtype).T

        return add


def _check(name: str, layer: Any, down: Sequence[int], up: Sequence[int]) -> None:
    if (down[1], up[0]) != (layer.in_features, layer.out_features):
        raise UsageError(
            f"the adapter takes the layer {name} to be of {down[1]} by {up[0]} values; "
            f"the base's is of {layer.in_features} by {layer.out_features}"
        )
