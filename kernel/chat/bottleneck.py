"""Bottleneck adapters: a small network behind the attention and the feed-forward part of each layer.

`h + up(silu(down(h)))` over the output h of a linear layer, with as many values between `down` and `up` as the rank
says (Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", ICML 2019). PEFT has no such kind; this one is
attached by its own door for custom layers of LoRA, whose weights, switching and saving it shares. As it is no low-rank
change of the weights, it can be neither merged nor read as LoRA: its files name it by a kind of their own.
Importing this imports torch and peft.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import LoraLayer
from torch import nn
from torch.nn import functional

KIND = "BOTTLENECK"
"""The `peft_type` that stands in the configuration file of such an adapter."""


class BottleneckLinear(nn.Module, LoraLayer):
    """A linear layer with bottlenecks behind it."""

    def __init__(
        self,
        base_layer: nn.Module,
        adapter_name: str,
        *,
        config: LoraConfig,
        r: int,
        lora_alpha: int,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        LoraLayer.__init__(self, base_layer)
        self.in_features = self.out_features  # it reads what the layer gives, not what it takes
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, r, lora_alpha, config)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return what the layer gives, shape (..., out), with the active bottlenecks' share added."""
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return result
        read = result
        for name in self.active_adapters:
            if name in self.lora_A:
                down, up = self.lora_A[name], self.lora_B[name]
                dtype: torch.dtype = next(down.parameters()).dtype
                inner = functional.silu(down(read.to(dtype)))
                result = result + self.scaling[name] * up(inner).to(result.dtype)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: what is not linear cannot be put into the weights.

        Raises:
            ValueError: always.
        """
        raise ValueError("a bottleneck adapter cannot be merged")

    def unmerge(self) -> None:
        """Do nothing: it never is merged."""


def with_bottlenecks(config: LoraConfig) -> LoraConfig:
    """Have a configuration of LoRA attach bottlenecks in place of low-rank matrices."""
    config._register_custom_module({nn.Linear: BottleneckLinear})
    return config
