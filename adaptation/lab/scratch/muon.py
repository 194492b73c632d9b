"""Muon in the precision that the hardware computes fastest.

torch's own makes matrices orthogonal in bfloat16 always. A processor that has no products in bfloat16 takes four times
as long for them as in float32, which was half of a training's time; everything else is torch's.

Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Muon as TorchMuon

from retrieval.engines.cpu import learns_in_bf16


class Muon(TorchMuon):
    """torch's Muon, whose rate is scaled so that one serves for it and for AdamW.

    Args:
        matrices: the weights, of two dimensions each.
        rate: learning rate.
        decay: of the weights.
        dtype: that matrices are made orthogonal in; bfloat16 where the hardware computes it faster unless given, else
            float32.
    """

    def __init__(
        self, matrices: list[torch.nn.Parameter], rate: float, decay: float, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw")
        self._dtype = dtype or (torch.bfloat16 if learns_in_bf16() else torch.float32)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Take a step, as torch's does."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)
        return loss

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient, momentum = weight.grad, group["momentum"]
        assert gradient is not None
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        mean = state["momentum_buffer"]
        mean.lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(mean, momentum)  # Nesterov's, torch's default
        turned = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"], group["eps"], self._dtype)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(turned, alpha=-group["lr"] * 0.2 * max(weight.shape) ** 0.5)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, least: float, dtype: torch.dtype
) -> Tensor:
    """Return about the nearest matrix whose singular values are all 1, by steps of Newton and Schulz.

    Args:
        matrix: (m, n) floats.
        coefficients: of the polynomial that each step is.
        steps: how many.
        least: that the matrix's norm is taken to be, at least.
        dtype: of the products, and of what is returned.
    """
    one, three, five = coefficients
    high = matrix.shape[0] > matrix.shape[1]
    found = (matrix.T if high else matrix).to(dtype)
    found = found / found.norm().clamp(min=least)
    for _ in range(steps):
        square = found @ found.T
        found = torch.addmm(
            found, torch.addmm(square, square, square, beta=three, alpha=five), found, beta=one
        )
    return found.T if high else found
