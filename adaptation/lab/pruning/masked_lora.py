"""LoRA over weights some of which were taken out, and stay out. Importing this imports torch and peft."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear
from torch import nn
from torch.nn import functional


class MaskedLinear(Linear):
    """A linear layer whose change of the weights is nought where the weights are.

    So what is trained is what is there once it is put into the weights: a plain LoRA would fill the gaps, and lose
    what it learned when they are made again.
    """

    def get_delta_weight(self, adapter: str) -> torch.Tensor:
        """Return the change of the weights, shape (out, in)."""
        change: torch.Tensor = super().get_delta_weight(adapter)
        return change * (self.get_base_layer().weight != 0)

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return what the layer gives, shape (..., out)."""
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters or self.merged:
            return result
        for name in self.active_adapters:
            if name in self.lora_A:
                change = self.get_delta_weight(name)
                result = result + functional.linear(x.to(change.dtype), change).to(result.dtype)
        return result


def with_masks(config: LoraConfig) -> LoraConfig:
    """Have a configuration of LoRA leave what is nought as it is."""
    config._register_custom_module({nn.Linear: MaskedLinear})
    return config
