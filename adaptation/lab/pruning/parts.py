"""Whole parts taken out: layers, inner values of the feed-forward part, heads. The model is smaller, and a plain one.

Each layer keeps as many inner values and heads as any other, since a configuration says their number once, so that the
checkpoint loads as any of its kind. Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from adaptation.finetuning.methods import layers_of
from adaptation.lab.pruning.seeing import Seen
from retrieval.errors import UsageError

_STEP = 32
"""Inner values are kept in such numbers, which 4-bit weights and processors want."""


def layers_to_keep(changes: Sequence[float], share: float) -> list[int]:
    """Return the layers that stay: all but those that change least; one at least is taken, and one stays."""
    taken = min(len(changes) - 1, max(1, round(share * len(changes))))
    order = sorted(range(len(changes)), key=lambda number: (changes[number], number))
    return sorted(order[taken:])


def keep_layers(model: Any, kept: Sequence[int]) -> None:
    """Leave only these layers in a model, in this order."""
    parent, name, layers = _layer_list(model)
    setattr(parent, name, nn.ModuleList([layers[number] for number in kept]))
    for place, layer in enumerate(getattr(parent, name)):
        for part in layer.modules():
            if hasattr(part, "layer_idx"):  # its place in the cache of keys and values
                part.layer_idx = place
    types = getattr(model.config, "layer_types", None)
    if types:
        model.config.layer_types = [types[number] for number in kept]
    model.config.num_hidden_layers = len(kept)


def drop_neurons(model: Any, share: float, seen: Seen) -> float:
    """Take the inner values out that do least to what the feed-forward part gives; return the share that was taken.

    Source of the score: Wanda's, of a whole column in place of a weight.

    Raises:
        UsageError: the feed-forward parts are of no kind that is known.
    """
    inner = kept = 0
    for number, layer in enumerate(layers_of(model)):
        name, block = _block(layer, ("gate_proj", "up_proj", "down_proj"))
        if block is None:
            raise UsageError("inner values cannot be taken out of such a model: --method layers can be used")
        inner = block.down_proj.in_features
        step = _STEP if inner % _STEP == 0 and inner > _STEP else 1
        kept = min(inner - step, max(step, round((1 - share) * inner / step) * step))
        if not 0 < kept < inner:
            raise UsageError(f"of {inner} inner values none can be taken out: --method layers can be used")
        scores = _column_scores(block.down_proj, seen.norms[f"{number}.{name}.down_proj"])
        best = scores.topk(kept).indices.sort().values
        block.gate_proj, block.up_proj = _rows(block.gate_proj, best), _rows(block.up_proj, best)
        block.down_proj = _columns(block.down_proj, best)
        if hasattr(block, "intermediate_size"):
            block.intermediate_size = kept
    model.config.intermediate_size = kept
    return 1 - kept / inner


def drop_heads(model: Any, share: float, seen: Seen) -> float:
    """Take heads out, of grouped queries with their keys and values; return the share that was taken.

    Source of the score: as of inner values; of pruning heads: Michel et al., "Are Sixteen Heads Really Better than
    One?", NeurIPS 2019.

    Raises:
        UsageError: the attention is of no kind that is known, or has one head.
    """
    config = model.config
    heads = int(config.num_attention_heads)
    groups = int(getattr(config, "num_key_value_heads", None) or heads)
    each, width = heads // groups, 0
    units = groups if groups > 1 else heads  # of one group its queries can be fewer
    kept = _heads_to_keep(units, each if groups > 1 else 1, int(config.hidden_size), share)
    for number, layer in enumerate(layers_of(model)):
        name, block = _block(layer, ("q_proj", "k_proj", "v_proj", "o_proj"))
        if block is None:
            raise UsageError("heads cannot be taken out of such a model: --method layers can be used")
        width = block.o_proj.in_features // heads
        scores = _column_scores(block.o_proj, seen.norms[f"{number}.{name}.o_proj"])
        best = scores.reshape(units, -1).sum(1).topk(kept).indices.sort().values
        queries = _spread(best, width * heads // units)
        block.q_proj, block.o_proj = _rows(block.q_proj, queries), _columns(block.o_proj, queries)
        if groups > 1:
            keys = _spread(best, width)
            block.k_proj, block.v_proj = _rows(block.k_proj, keys), _rows(block.v_proj, keys)
        else:
            block.num_key_value_groups = kept
        block.head_dim = width
    config.head_dim = width
    config.num_attention_heads = kept * each if groups > 1 else kept
    config.num_key_value_heads = kept if groups > 1 else 1
    return 1 - kept / units


def _heads_to_keep(units: int, each: int, hidden: int, share: float) -> int:
    """Return how many units of so many heads each stay, as near to the share as a configuration may say.

    Some kinds want the number of heads to divide the width of the states.
    """
    wanted = units - share * units
    possible = [kept for kept in range(1, units) if hidden % (kept * each) == 0]
    if not possible:
        raise UsageError(
            f"of {units} heads, or groups of them, none can be taken out such that {hidden} states can be parted by "
            "what is left: --method layers can be used"
        )
    return min(possible, key=lambda kept: (abs(kept - wanted), -kept))


def _column_scores(linear: nn.Linear, norms: torch.Tensor) -> torch.Tensor:
    scores: torch.Tensor = linear.weight.detach().float().norm(dim=0) * norms.to(linear.weight.device)
    return scores


def _spread(units: torch.Tensor, size: int) -> torch.Tensor:
    """Return the places of units of a size each, in their order."""
    return (units[:, None] * size + torch.arange(size, device=units.device)).flatten()


def _rows(linear: nn.Linear, kept: torch.Tensor) -> nn.Linear:
    bias = None if linear.bias is None else linear.bias.detach()[kept]
    return _linear(linear.weight.detach()[kept], bias)


def _columns(linear: nn.Linear, kept: torch.Tensor) -> nn.Linear:
    bias = None if linear.bias is None else linear.bias.detach()
    return _linear(linear.weight.detach()[:, kept], bias)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    made.weight = nn.Parameter(weight.contiguous().clone())
    if bias is not None:
        made.bias = nn.Parameter(bias.clone())
    return made


def _block(layer: nn.Module, names: Sequence[str]) -> tuple[str, Any]:
    """Return the part of a layer that has linear layers of these names, with its name; None where there is none."""
    for name, part in layer.named_modules():
        if all(isinstance(getattr(part, each, None), nn.Linear) for each in names):
            return name, part
    return "", None


def _layer_list(model: Any) -> tuple[nn.Module, str, nn.ModuleList]:
    """Return the list of a model's layers, with what holds it and under which name."""
    wanted = layers_of(model)
    for parent in model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == len(wanted) and child[0] is wanted[0]:
                return parent, name, child
    raise UsageError("the model has no layers that can be taken out")
