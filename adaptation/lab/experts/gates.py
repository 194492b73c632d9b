"""Gates as they are in training: within capacity, with dropout, and with what the extra losses need.

They take the place of the gates of a mixture of transformers, over the same weights under the same name, so that what
is saved is a model of transformers' own. When not training they route as its gates do: every choice is computed.
Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from adaptation.lab.experts.losses import balance_loss, load_entropy, z_loss
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.experts.routing import Routed, route
from kernel.chat.lora_experts import RoutedLinear


class TrainingGate(nn.Module):
    """A gate of a mixture in transformers' form: logits, weights and experts of each token."""

    def __init__(self, weight: nn.Parameter, recipe: ExpertRecipe) -> None:
        """Take the weights of a gate, shape (experts, hidden)."""
        super().__init__()
        self.weight = weight
        self.routed: Routed | None = None
        """Of the last tokens in training, until it is taken."""
        self._recipe = recipe

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return logits (n, e), weights (n, k) and experts (n, k) of tokens, shape (..., hidden)."""
        recipe = self._recipe
        read = hidden.reshape(-1, hidden.shape[-1])
        factor = 0.0
        if self.training:
            read, factor = functional.dropout(read, recipe.gate_dropout), recipe.capacity
        # In full precision whatever the rest is computed in: small differences decide who computes a token.
        with torch.autocast(hidden.device.type, enabled=False):
            logits = functional.linear(read.float(), self.weight.float())
        routed = route(logits, recipe.chosen, factor=factor, overflow=recipe.overflow)
        self.routed = routed if self.training else None
        return logits, routed.weights.to(hidden.dtype), routed.experts


def blocks(model: Any) -> Iterator[Any]:
    """Yield the layers of a mixture in transformers' form that have a gate and experts, the lowest first."""
    for part in model.modules():
        if isinstance(getattr(part, "gate", None), nn.Module) and hasattr(part, "experts"):
            yield part


def with_training_gates(model: Any, recipe: ExpertRecipe) -> Any:
    """Have the gates of a mixture be those of training; return the same model."""
    for block in list(blocks(model)):
        block.gate = TrainingGate(block.gate.weight, recipe)
    return model


class TrainedGates:
    """The gates of a model in training: what they are held to, and how they load their experts."""

    def __init__(self, model: Any, recipe: ExpertRecipe) -> None:
        """Take the training gates of a mixture, and the gates of LoRA experts."""
        self._recipe = recipe
        self._gates = [part for part in model.modules() if isinstance(part, TrainingGate)]
        self._logits: list[torch.Tensor] = []
        for part in model.modules():
            if isinstance(part, RoutedLinear):
                for gate in part.lora_gate.values():
                    gate.register_forward_pre_hook(self._leave_out)
                    gate.register_forward_hook(self._take)
        self._sums = {"balance": 0.0, "router_z": 0.0, "load_entropy": 0.0, "dropped": 0.0}
        self._count = 0

    def _leave_out(self, gate: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return (functional.dropout(inputs[0], self._recipe.gate_dropout, gate.training),)

    def _take(self, gate: nn.Module, inputs: Any, logits: torch.Tensor) -> None:
        if gate.training:
            self._logits.append(logits.reshape(-1, logits.shape[-1]))

    def added(self) -> torch.Tensor | None:
        """Return what the last tokens in training add to the loss, a mean over gates; None where there were none."""
        routed = [gate.routed for gate in self._gates if gate.routed is not None]
        routed += [route(logits, self._recipe.chosen) for logits in self._logits]
        self.forget()
        if not routed:
            return None
        balance = torch.stack([balance_loss(each.probabilities, each.wanted) for each in routed]).mean()
        router_z = torch.stack([z_loss(each.logits) for each in routed]).mean()
        self._note(routed, balance, router_z)
        return self._recipe.balance * balance + self._recipe.router_z * router_z

    def forget(self) -> None:
        """Let go of what was taken."""
        self._logits.clear()
        for gate in self._gates:
            gate.routed = None

    def means(self) -> dict[str, float]:
        """Return means since the last call: both losses, how even the load was, and the share that was dropped."""
        if not self._count:
            return {}
        found = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = dict.fromkeys(self._sums, 0.0), 0
        return found

    def _note(self, routed: list[Routed], balance: torch.Tensor, router_z: torch.Tensor) -> None:
        loads = [torch.bincount(each.wanted.reshape(-1), minlength=each.logits.shape[1]) for each in routed]
        self._sums["balance"] += float(balance.detach())
        self._sums["router_z"] += float(router_z.detach())
        self._sums["load_entropy"] += sum(map(load_entropy, loads)) / len(loads)
        self._sums["dropped"] += sum(float(each.dropped.float().mean()) for each in routed) / len(routed)
        self._count += 1
