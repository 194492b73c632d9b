"""Attention over keys and values in blocks, for transformers' models. Importing this imports torch.

Each part of a step attends with the loops of `scaled_dot_product_attention`, which takes the flash kernels on a GPU.
The single tokens of answers attend together, over their blocks padded to the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from kernel.chat.paged.step import BLOCK, Row

ATTENTION = "tekio_paged"
"""The name by which transformers' models find it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens that attend together.

    Attributes:
        tokens: their places in the step, as rows of the same length: shape (rows, tokens of each).
        blocks: of each row, shape (rows, blocks); None where nothing stands before, so that the new keys are all.
        seen: which places of the blocks each token attends to, shape (rows, 1, tokens of each, blocks * BLOCK); None
            where each attends to those before it.
    """

    tokens: torch.Tensor
    blocks: torch.Tensor | None
    seen: torch.Tensor | None


@dataclass(frozen=True, slots=True)
class Step:
    """What the layers of a model need to know of a step.

    Attributes:
        keys: of each layer, shape (blocks, BLOCK, heads, head).
        values: the same.
        places: where in the blocks, taken as one row, each new token goes.
        groups: of the tokens.
    """

    keys: Sequence[torch.Tensor]
    values: Sequence[torch.Tensor]
    places: torch.Tensor
    groups: Sequence[Group]


def places_of(parts: Sequence[Row]) -> list[int]:
    """Return where in the blocks each token's key and value go."""
    return [
        part.blocks[place // BLOCK] * BLOCK + place % BLOCK
        for part in parts
        for place in range(part.past, part.past + len(part.ids))
    ]


def groups_of(parts: Sequence[Row], *, sliding: int, device: torch.device) -> list[Group]:
    """Return the tokens of a step by what attends together: all single ones, and each longer part by itself.

    Args:
        parts: of the step, in the order of its tokens.
        sliding: how far back is looked; 0 is everywhere.
        device: where the model is.
    """
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part.ids))
    single = [number for number, part in enumerate(parts) if len(part.ids) == 1]
    groups = [
        _group([part], [start], sliding, device)
        for part, start in zip(parts, starts, strict=False)
        if len(part.ids) > 1
    ]
    if single:
        groups.append(
            _group([parts[each] for each in single], [starts[each] for each in single], sliding, device)
        )
    return groups


def _group(parts: Sequence[Row], starts: Sequence[int], sliding: int, device: torch.device) -> Group:
    count = len(parts[0].ids)
    tokens = torch.tensor(starts)[:, None] + torch.arange(count)
    if count > 1 and not parts[0].past and not (sliding and count > sliding):
        return Group(tokens.to(device), None, None)
    tables = [part.blocks[: -(-(part.past + count) // BLOCK)] for part in parts]
    longest = max(map(len, tables))
    blocks = torch.tensor([[*table, *[table[0]] * (longest - len(table))] for table in tables])
    own = torch.tensor([part.past for part in parts])[:, None] + torch.arange(count)  # (rows, tokens)
    places = torch.arange(longest * BLOCK)
    seen = places <= own[..., None]
    if sliding:
        seen &= places > own[..., None] - sliding
    return Group(tokens.to(device), blocks.to(device), seen[:, None].to(device))


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: Any,
    *,
    scaling: float,
    tekio_step: Step,
    **_others: Any,
) -> tuple[torch.Tensor, None]:
    """Attend in a layer: shapes (1, heads, tokens, head), and (1, tokens, heads, head) is returned."""
    keys, values = tekio_step.keys[module.layer_idx], tekio_step.values[module.layer_idx]
    query, new_keys, new_values = (each[0].transpose(0, 1) for each in (query, key, value))
    keys.flatten(0, 1)[tekio_step.places] = new_keys.to(keys.dtype)
    values.flatten(0, 1)[tekio_step.places] = new_values.to(values.dtype)
    attended = torch.empty_like(query)
    for group in tekio_step.groups:
        if group.blocks is None:
            held_keys, held_values = new_keys[group.tokens], new_values[group.tokens]
        else:
            held_keys, held_values = (each[group.blocks].flatten(1, 2) for each in (keys, values))
        found = scaled_dot_product_attention(
            query[group.tokens].transpose(1, 2),
            held_keys.transpose(1, 2).to(query.dtype),
            held_values.transpose(1, 2).to(query.dtype),
            attn_mask=group.seen,
            is_causal=group.seen is None,
            scale=scaling,
            enable_gqa=True,
        )
        attended[group.tokens] = found.transpose(1, 2)
    return attended[None], None


AttentionInterface.register(ATTENTION, _attend)
