"""A mixture of LoRA experts: beside each linear layer several pairs of low-rank matrices, routed by token.

`h + s * B((A x) * g)`: the matrices of all experts stand in one pair, and the gate's share g of each expert scales its
ranks, 0 for those that a token is not given to (Zadouri et al., "Pushing Mixture of Experts to the Limit", 2024; gates
as in GShard for two experts and as in Switch for one). PEFT has no such kind; this one is attached by its own door for
custom layers of LoRA, whose weights, switching and saving it shares. As what is added depends on the token, it can be
neither merged nor read as LoRA: its files name it by a kind of their own. Importing this imports torch and peft.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import LoraLayer
from torch import nn
from torch.nn import functional

from retrieval.errors import UsageError

KIND = "LORA_EXPERTS"
"""The `peft_type` that stands in the configuration file of such an adapter."""
ROUTING_KEY = "tekio_routing"
"""Under which that file says how tokens are routed."""


@dataclass(frozen=True, slots=True)
class ExpertRouting:
    """How tokens are routed to LoRA experts.

    Attributes:
        experts: of a layer.
        chosen: of them, those that compute a token.
        start: standard deviation of the gate's logits at the start, about.
    """

    experts: int
    chosen: int
    start: float = 0.1

    @classmethod
    def read(cls, held: Any, rank: int) -> ExpertRouting:
        """Read it from what an adapter's file says.

        Args:
            held: of the key `ROUTING_KEY`.
            rank: of all experts together.

        Raises:
            UsageError: it says nothing that can be used.
        """
        numbers = [held.get(name) if isinstance(held, dict) else None for name in ("experts", "chosen")]
        experts, chosen = (each if isinstance(each, int) else 0 for each in numbers)
        if not 1 <= chosen <= experts or rank % experts:
            raise UsageError(
                f"the adapter names {numbers[0]} experts of which {numbers[1]} compute a token, over {rank} ranks: "
                "train it again"
            )
        return cls(experts, chosen)


def gate_shares(logits: torch.Tensor, chosen: int) -> torch.Tensor:
    """Return what each expert's output counts, 0 for those that are not chosen; shape (..., experts), as the logits.

    For one expert it is its probability among all, for more their softmax over those that are chosen.
    """
    probabilities = functional.softmax(logits.float(), dim=-1)
    picked, experts = probabilities.topk(chosen, dim=-1)
    if chosen > 1:
        picked = picked / picked.sum(dim=-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, experts, picked)


class RoutedLinear(nn.Module, LoraLayer):
    """A linear layer with LoRA experts beside it."""

    adapter_layer_names = (*LoraLayer.adapter_layer_names, "lora_gate")

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
        self.lora_gate = nn.ModuleDict({})
        self._routing: dict[str, ExpertRouting] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, r, lora_alpha, config)

    def update_layer(
        self, adapter_name: str, r: int, lora_alpha: int, config: LoraConfig, **kwargs: Any
    ) -> None:
        """Add an adapter: its gate, and the matrices of all its experts, of r ranks together."""
        told: Any = config
        routing: ExpertRouting = told.expert_routing
        self._routing[adapter_name] = routing
        base: Any = self.get_base_layer()
        width: int = base.in_features
        gate = nn.Linear(width, routing.experts, bias=False)
        nn.init.normal_(gate.weight, std=routing.start / width**0.5)
        self.lora_gate[adapter_name] = gate
        super().update_layer(adapter_name, r, lora_alpha, config, **kwargs)

    def routing(self, adapter_name: str) -> ExpertRouting:
        """Return how an adapter routes tokens."""
        return self._routing[adapter_name]

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return what the layer gives, shape (..., out), with what the experts of each token add."""
        result: torch.Tensor = self.base_layer(x, *args, **kwargs)
        if self.disable_adapters:
            return result
        for name in self.active_adapters:
            if name not in self.lora_A:
                continue
            down, up, routing = self.lora_A[name], self.lora_B[name], self._routing[name]
            dtype: torch.dtype = next(down.parameters()).dtype
            read = x.to(dtype)
            shares = gate_shares(self.lora_gate[name](read), routing.chosen).to(read.dtype)
            inner = down(read).unflatten(-1, (routing.experts, -1)) * shares.unsqueeze(-1)
            result = result + self.scaling[name] * up(inner.flatten(-2)).to(result.dtype)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: what depends on the token cannot be put into the weights.

        Raises:
            ValueError: always.
        """
        raise ValueError("a mixture of LoRA experts cannot be merged")

    def unmerge(self) -> None:
        """Do nothing: it never is merged."""


def with_lora_experts(config: LoraConfig, routing: ExpertRouting) -> LoraConfig:
    """Have a configuration of LoRA, whose rank is that of all experts together, attach experts with a gate."""
    config._register_custom_module({nn.Linear: RoutedLinear})
    told: Any = config
    told.expert_routing = routing  # no field of it: PEFT does not write it
    return config
