"""A linear layer over an embedder's vectors, learned in seconds: which directions tell the texts of an index apart.

It turns questions and passages alike, and is learned from vectors that are there already, each question's own passage
held against all the others (multiple negatives: van den Oord et al., 2018). Of the way to what was learned only the
share is gone that answers the questions of the choice best: all of it fits too closely (Wortsman et al., CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.retriever.memory import Choice, Example, Memory

Floats = NDArray[np.float32]

_STEPS = 200
_LOOK = 50
_BATCH = 64
_LEARNING_RATE = 1e-3
_TEMPERATURE = 0.01  # E5's own
_SHARES = (0.125, 0.25, 0.5)


def fit_layer(
    asked: Floats,
    examples: Sequence[Example],
    memory: Memory,
    choice: Choice,
    chosen: Floats,
    *,
    seed: int,
    say: Callable[[str], None] = lambda text: None,
) -> Floats | None:
    """Return the layer, shape (dimension, dimension), by which row vectors are multiplied; None where none helps.

    Args:
        asked: the vectors of questions, shape (n, dimension).
        examples: of each of them.
        memory: the passages.
        choice: by which it is chosen how far to go.
        chosen: the vectors of its questions.
        seed: decides the order.
        say: is told how it goes.
    """
    import torch
    from torch.nn import functional

    torch.manual_seed(seed)
    questions, passages = torch.from_numpy(asked), torch.from_numpy(memory.vectors)
    own = torch.tensor([example.own for example in examples])
    size = asked.shape[1]
    change = torch.zeros(size, size, requires_grad=True)
    optimizer = torch.optim.Adam([change], lr=_LEARNING_RATE)
    best, best_quality = None, choice.quality(chosen, memory)
    say(f"without a layer: mean reciprocal rank {best_quality:.4f}")
    for step in range(1, _STEPS + 1):
        batch = torch.randint(len(questions), (_BATCH,))
        turned = functional.normalize(questions[batch] + questions[batch] @ change, dim=-1)
        scores = turned @ functional.normalize(passages + passages @ change, dim=-1).T
        for row, number in enumerate(batch.tolist()):
            scores[row, torch.from_numpy(examples[number].same)] = -torch.inf
        loss = functional.cross_entropy(scores / _TEMPERATURE, own[batch])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % _LOOK == 0:
            learned = change.detach().numpy()
            for share in _SHARES:
                layer = np.asarray(np.eye(size) + share * learned, np.float32)
                quality = choice.quality(chosen, memory, layer)
                if quality > best_quality:
                    best, best_quality = layer, quality
                    say(f"a layer, step {step}, share {share}: mean reciprocal rank {quality:.4f}")
    return best


def with_layer(model: Any, layer: Floats) -> Any:
    """Return a sentence-transformers model whose vectors are turned by a layer, before they get length one."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize

    weight = torch.from_numpy(layer.T.copy())
    before = [module for module in model if isinstance(module, Dense)]
    if before:
        weight = weight @ before[0].linear.weight.detach()
    dense = Dense(weight.shape[1], weight.shape[0], bias=False, activation_function=torch.nn.Identity())
    with torch.no_grad():
        dense.linear.weight.copy_(weight)
    return SentenceTransformer(
        modules=[model[0], model[1], dense, Normalize()],
        prompts=dict(model.prompts),
        similarity_fn_name="cosine",
    )
