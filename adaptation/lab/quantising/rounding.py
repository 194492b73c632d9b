"""Weights rounded to 4 bits while a model learns: it computes with rounded ones and changes those behind them.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from kernel.chat.quantised import CORRECTION_DOWN, CORRECTION_UP, GROUP

DOWN, UP = CORRECTION_DOWN.removeprefix("."), CORRECTION_UP.removeprefix(".")
"""Parameters of a layer that is corrected, (rank, in) and (rank, out), see `adaptation.lab.quantising.correcting`."""


def rounded(weight: torch.Tensor) -> torch.Tensor:
    """Return what 4 bits hold of a weight, as `in_four_bits` holds it; gradients pass as if nothing were rounded.

    Source: Bengio, Leonard and Courville, Estimating or Propagating Gradients Through Stochastic Neurons, 2013.

    Args:
        weight: shape (out, in), `in` a multiple of `GROUP`.
    """
    with torch.no_grad():
        grouped = weight.detach().float().reshape(weight.shape[0], -1, GROUP)
        lows = grouped.amin(-1, keepdim=True).half().float()
        scales = ((grouped.amax(-1, keepdim=True) - lows) / 15).half().float()
        scales = torch.where(scales <= 0, torch.ones_like(scales), scales)
        codes = ((grouped - lows) / scales).round().clamp(0, 15)
        held = (lows + codes * scales).reshape(weight.shape).to(weight.dtype)
    return weight + (held - weight).detach()


def rounded_rows(rows: torch.Tensor) -> torch.Tensor:
    """Return what 8 bits hold of rows, as `in_eight_bits` holds them; gradients pass as if nothing were rounded.

    Args:
        rows: shape (rows, columns).
    """
    with torch.no_grad():
        most = rows.detach().float().abs().amax(-1, keepdim=True)
        scales = torch.where(most == 0, torch.ones_like(most), most / 127)
        held = ((rows.detach().float() / scales).round().clamp(-127, 127) * scales).to(rows.dtype)
    return rows + (held - rows).detach()


class RoundedLinear(nn.Linear):
    """A linear layer that computes with rounded weights, and with what corrects them where there is that.

    Its state is that of the plain layer.
    """

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs, shape (..., out)."""
        outputs = functional.linear(inputs, rounded(self.weight), self.bias)
        if DOWN not in self._parameters:
            return outputs
        inner = functional.linear(inputs, rounded_rows(self.get_parameter(DOWN)))
        return outputs + inner @ rounded_rows(self.get_parameter(UP))


def layers_in_four_bits(model: Any) -> Iterator[tuple[str, nn.Linear]]:
    """Yield the linear layers whose weights 4 bits can hold: not the head, and only rows that groups divide."""
    head = model.get_output_embeddings()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and module is not head and module.in_features % GROUP == 0:
            yield name, module


def round_while_learning(model: Any) -> int:
    """Have a model compute with rounded weights from now on; return in how many layers."""
    layers = [module for _, module in layers_in_four_bits(model)]
    for module in layers:
        module.__class__ = RoundedLinear
    return len(layers)


def round_no_more(model: Any) -> None:
    """Have a model compute with its weights as they are again."""
    for module in model.modules():
        if isinstance(module, RoundedLinear):
            module.__class__ = nn.Linear  # type: ignore[assignment]  # which it was before
