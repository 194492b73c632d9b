"""The steps by which the inputs of layers are rounded, found on texts, and inputs made easier to round before.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

_SAMPLED = 4096
"""Values of an input that are kept of each text, evenly spread, beside its greatest one."""
_SHARES = tuple(share / 20 for share in range(20, 3, -1))
"""Of the greatest value, where the range may be cut."""
_LEAST = 1e-5

Seen = Callable[[str, torch.Tensor], None]


def find_input_scales(model: Any, rows: Sequence[Sequence[int]]) -> dict[str, float]:
    """Return for each linear layer but the head the step that loses least when its inputs become whole numbers.

    The range is cut where the squared error over what was seen is least, as rare great values cost all others.

    Args:
        model: of transformers.
        rows: token ids of texts.
    """
    samples: dict[str, list[torch.Tensor]] = {}

    def see(name: str, values: torch.Tensor) -> None:
        flat = values.reshape(-1)
        every = max(1, len(flat) // _SAMPLED)
        samples.setdefault(name, []).append(torch.cat([flat[::every], flat.abs().amax()[None]]))

    with _watched(model, see):
        _read(model, rows)
    return {name: _least_lossy(torch.cat(held)) for name, held in samples.items()}


def smooth(model: Any, rows: Sequence[Sequence[int]], share: float) -> int:
    """Move the spread of inputs into the weights that they meet, without changing what the model computes.

    Each channel of an input is divided by a number, in the norm or layer before, and the weights that it meets are
    multiplied by it. Only layers of the Llama family are known; others stay as they are.

    Source: Xiao et al., SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models,
    ICML 2023, equation 4.

    Args:
        model: of transformers, changed in place.
        rows: token ids of texts.
        share: how much is moved, 0 to 1.

    Returns:
        how many inputs were smoothed.
    """
    if share <= 0:
        return 0
    most: dict[str, torch.Tensor] = {}

    def see(name: str, values: torch.Tensor) -> None:
        found = values.reshape(-1, values.shape[-1]).abs().amax(0)
        most[name] = torch.maximum(most[name], found) if name in most else found

    with _watched(model, see):
        _read(model, rows)
    names = {module: name for name, module in model.named_modules()}
    done = 0
    for before, after in _pairs(model):
        inputs = most.get(names[after[0]])
        if inputs is None:
            continue
        with torch.no_grad():
            weights = torch.stack([each.weight.abs().amax(0) for each in after]).amax(0)
            factor = inputs.clamp(min=_LEAST) ** share / weights.clamp(min=_LEAST) ** (1 - share)
            factor = factor.clamp(min=_LEAST).to(before.weight.dtype)
            if isinstance(before, nn.Linear):
                before.weight.div_(factor[:, None])
                if before.bias is not None:
                    before.bias.div_(factor)
            else:
                before.weight.div_(factor)
            for each in after:
                each.weight.mul_(factor)
        done += 1
    return done


def _pairs(model: Any) -> Iterator[tuple[Any, list[nn.Linear]]]:
    """Yield a norm or layer with the layers that its output goes to, and nowhere else."""
    for layer in model.modules():
        attention, inner = getattr(layer, "self_attn", None), getattr(layer, "mlp", None)
        norms = [getattr(layer, name, None) for name in ("input_layernorm", "post_attention_layernorm")]
        first = [getattr(attention, f"{name}_proj", None) for name in "qkv"]
        second = [getattr(inner, f"{name}_proj", None) for name in ("gate", "up")]
        down = getattr(inner, "down_proj", None)
        linear = all(isinstance(each, nn.Linear) for each in [*first, *second, down])
        if not linear or any(getattr(norm, "weight", None) is None for norm in norms):
            continue
        if hasattr(layer, "pre_feedforward_layernorm"):  # there the second norm goes elsewhere
            continue
        yield norms[0], [each for each in first if isinstance(each, nn.Linear)]
        yield norms[1], [each for each in second if isinstance(each, nn.Linear)]
        if isinstance(down, nn.Linear):
            yield second[1], [down]  # what goes in is the gate's times this


def _least_lossy(values: torch.Tensor) -> float:
    values = values.float()
    most = max(float(values.abs().max()), _LEAST)
    steps = [share * most / 127 for share in _SHARES]
    errors = [
        float(((values / step).round().clamp(-128, 127) * step - values).square().mean()) for step in steps
    ]
    return steps[errors.index(min(errors))]


@contextmanager
def _watched(model: Any, see: Seen) -> Iterator[None]:
    """Have the inputs of all linear layers but the head shown."""
    head = model.get_output_embeddings()

    def watch(name: str) -> Any:
        return lambda module, given: see(name, given[0].detach())

    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _read(model: Any, rows: Sequence[Sequence[int]]) -> None:
    model.eval()
    with torch.inference_mode():
        for ids in rows:
            model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False, logits_to_keep=1)
