"""What counts in a model, seen on texts that it reads: inputs of its linear layers, and what each layer changes.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from adaptation.finetuning.encoding import Encoded
from adaptation.finetuning.methods import layers_of
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen.

    Attributes:
        norms: of each input of a linear layer over all tokens (L2), shape (in,), by the layer's name from `linears`.
        changes: by how much each layer turns what passes through it, 1 less the cosine, the mean of all tokens.
    """

    norms: dict[str, torch.Tensor]
    changes: list[float]


def linears(model: Any) -> Iterator[tuple[str, nn.Linear]]:
    """Yield the linear layers within a model's layers, by the layer's number and their name in it."""
    for number, layer in enumerate(layers_of(model)):
        for name, part in layer.named_modules():
            if isinstance(part, nn.Linear):
                yield f"{number}.{name}", part


def see(model: Any, rows: Sequence[Encoded]) -> Seen:
    """Have a model read rows; return what was seen.

    Source of the norms: Sun et al., "A Simple and Effective Pruning Approach for Large Language Models" (Wanda), ICLR
    2024, here of the whole model as it is, not layer after pruned layer; of the changes: Men et al., "ShortGPT: Layers
    in Large Language Models are More Redundant Than You Expect", 2024 (Block Influence).

    Raises:
        UsageError: the model has no linear layers of the usual kind.
    """
    squares: dict[str, torch.Tensor] = {}
    turned: list[float] = [0.0] * len(layers_of(model))
    hooks = []

    def squaring(name: str) -> Any:
        def note(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            values = given[0].detach().float()
            squares[name] = squares.get(name, 0) + values.reshape(-1, values.shape[-1]).square().sum(0)

        return note

    def turning(number: int) -> Any:
        def note(module: nn.Module, given: tuple[torch.Tensor, ...], kept: dict[str, Any], out: Any) -> None:
            before = given[0] if given else kept["hidden_states"]
            behind = out[0] if isinstance(out, tuple) else out
            cosines = functional.cosine_similarity(before.float(), behind.float(), dim=-1)
            turned[number] += float((1 - cosines).sum())

        return note

    for name, part in linears(model):
        hooks.append(part.register_forward_pre_hook(squaring(name)))
    for number, layer in enumerate(layers_of(model)):
        hooks.append(layer.register_forward_hook(turning(number), with_kwargs=True))
    model.eval()
    tokens = 0
    try:
        with torch.inference_mode():
            for row in rows:
                ids = torch.tensor([[*row.prompt, *row.answer]], device=model.device)
                model(input_ids=ids, use_cache=False, logits_to_keep=1)
                tokens += ids.shape[1]
    finally:
        for hook in hooks:
            hook.remove()
    if not squares:
        raise UsageError("the model has no linear layers of the usual kind, so it cannot be pruned")
    norms = {name: square.sqrt().clone() for name, square in squares.items()}
    return Seen(norms, [each / max(1, tokens) for each in turned])
