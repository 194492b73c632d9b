"""Optimisers of a training from scratch.

Source of Muon: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; that one rate serves for
it and for AdamW beside it: Liu et al., "Muon is Scalable for LLM Training", 2025. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from adaptation.lab.scratch.muon import Muon
from adaptation.lab.scratch.recipe import Training

BETA = 0.95
"""AdamW's second one, as of most language models: 0.999 remembers the first, large gradients for too long."""


class MuonAndAdamW(Optimizer):
    """Muon for the matrices between layers, AdamW for all other weights, as one optimiser.

    Muon is for matrices that turn one state into another alone; what looks words up, norms and biases learn by AdamW.
    """

    def __init__(self, model: nn.Module, training: Training) -> None:
        inner = {id(weight) for weight in inner_matrices(model)}
        weights = [each for each in model.parameters() if each.requires_grad]
        matrices = [each for each in weights if id(each) in inner]
        others = [each for each in weights if id(each) not in inner]
        self._parts: tuple[Optimizer, Optimizer] = (
            Muon(matrices, training.rate, training.decay),
            AdamW(others, lr=training.rate, betas=(0.9, BETA), weight_decay=0.0),
        )
        super().__init__([{"params": weights}], {"lr": training.rate})
        # The very dictionaries of both, so that whoever sets a group's rate sets theirs.
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Let both take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both, by number, with the groups of both: a checkpoint needs them."""
        return {
            "state": {number: part.state_dict()["state"] for number, part in enumerate(self._parts)},
            "param_groups": [part.state_dict()["param_groups"] for part in self._parts],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the states that `state_dict` returned."""
        for number, part in enumerate(self._parts):
            part.load_state_dict(
                {"state": state_dict["state"][number], "param_groups": state_dict["param_groups"][number]}
            )
        # Loading makes new dictionaries.
        self.param_groups = [group for part in self._parts for group in part.param_groups]


def inner_matrices(model: Any) -> Iterator[nn.Parameter]:
    """Yield the weights of linear layers between the words that are read and those that are written."""
    words = {id(model.get_input_embeddings().weight)}
    written = model.get_output_embeddings()
    if written is not None:
        words.add(id(written.weight))
    for module in model.modules():
        if isinstance(module, nn.Linear):
            weight = module.get_parameter("weight")
            if weight.requires_grad and id(weight) not in words:
                yield weight
