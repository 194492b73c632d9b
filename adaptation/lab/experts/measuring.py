"""How well a mixture predicts texts that it has not learned, and which experts compute each domain.

Importing this imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from adaptation.lab.experts.gates import blocks
from adaptation.lab.experts.losses import load_entropy
from kernel.chat.lora_experts import RoutedLinear

Held = Mapping[str, Sequence[Sequence[Sequence[int]]]]
"""The held-out texts of each domain, each as windows of ids."""


@dataclass(frozen=True, slots=True)
class TextLosses:
    """How well texts are predicted.

    Attributes:
        nats: that each text costs in all, shape (texts,).
        tokens: that are predicted of each, shape (texts,).
    """

    nats: NDArray[np.float64]
    tokens: NDArray[np.float64]

    @property
    def means(self) -> NDArray[np.float64]:
        """Nats a token of each text."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Of all their tokens."""
        return math.exp(float(self.nats.sum() / self.tokens.sum()))


@dataclass(frozen=True, slots=True)
class ExpertUse:
    """Which experts compute which domain.

    Attributes:
        shares: by domain the share of its choices that an expert of a layer has, shape (layers, experts).
        load: of all domains, each counting alike, shape (layers, experts).
    """

    shares: dict[str, NDArray[np.float64]]
    load: NDArray[np.float64]

    @property
    def entropy(self) -> float:
        """The entropy of the load against an even one, the mean of the layers."""
        return float(np.mean(self.entropies))

    @property
    def entropies(self) -> list[float]:
        """The same of each layer, the lowest first."""
        return [load_entropy(torch.from_numpy(row)) for row in self.load]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "load_entropy": round(self.entropy, 4),
            "load_entropy_by_layer": [round(value, 4) for value in self.entropies],
            "shares": {domain: np.round(rows, 4).tolist() for domain, rows in self.shares.items()},
        }


def text_losses(model: Any, texts: Held) -> TextLosses:
    """Return how well a model predicts texts, in the order of their domains."""
    nats: list[float] = []
    tokens: list[int] = []
    with _reading(model), torch.inference_mode():
        for windows in (text for domain in sorted(texts) for text in texts[domain]):
            nats.append(sum(_nats(model, ids) for ids in windows))
            tokens.append(sum(len(ids) - 1 for ids in windows))
    return TextLosses(np.array(nats, np.float64), np.array(tokens, np.float64))


def expert_use(model: Any, texts: Held) -> ExpertUse:
    """Return which experts compute texts when all choices are computed, as in answering."""
    seen: dict[int, NDArray[np.float64]] = {}
    order: list[int] = []
    handles = []

    def count(number: int, experts: int, chosen: torch.Tensor) -> None:
        found = torch.bincount(chosen.reshape(-1).cpu(), minlength=experts).double().numpy()
        seen[number] = seen.get(number, np.zeros(experts)) + found

    for number, (gate, chosen) in enumerate(_gates(model)):
        order.append(number)

        def take(part: Any, inputs: Any, given: Any, number: int = number, chosen: int = chosen) -> None:
            if isinstance(given, tuple):
                count(number, given[0].shape[-1], given[2])
            else:
                count(number, given.shape[-1], given.topk(chosen, dim=-1).indices)

        handles.append(gate.register_forward_hook(take))
    shares: dict[str, NDArray[np.float64]] = {}
    try:
        with _reading(model), torch.inference_mode():
            for domain in sorted(texts):
                seen.clear()
                for ids in (window for text in texts[domain] for window in text):
                    model(input_ids=torch.tensor([list(ids)], device=model.device), use_cache=False)
                rows = np.stack([seen[number] for number in order])
                shares[domain] = rows / rows.sum(axis=1, keepdims=True)
    finally:
        for handle in handles:
            handle.remove()
    return ExpertUse(shares, np.mean(list(shares.values()), axis=0))


def _gates(model: Any) -> Iterator[tuple[Any, int]]:
    """Yield the gates of a mixture, or of LoRA experts, with the experts of a token; the lowest first."""
    for block in blocks(model):
        yield block.gate, int(model.config.num_experts_per_tok)
    for part in model.modules():
        if isinstance(part, RoutedLinear):
            yield from ((part.lora_gate[name], part.routing(name).chosen) for name in part.active_adapters)


def _nats(model: Any, ids: Sequence[int]) -> float:
    tokens = torch.tensor([list(ids)], device=model.device)
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
    return float(functional.cross_entropy(logits, tokens[0, 1:], reduction="sum"))


@contextmanager
def _reading(model: Any) -> Iterator[None]:
    """Have a model read, not train, for a while."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
