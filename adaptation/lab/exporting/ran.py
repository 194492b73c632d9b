"""What one run of an exported file showed: what it writes behind a prompt, and whether the model writes the same.

Importing this imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROMPT = "What is written on the label?"
_NEW_TOKENS = 8

Logits = Callable[[Sequence[int]], NDArray[np.float32]]
"""Gives the logits of all places of a text, shape (tokens, vocabulary)."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of an exported file.

    Attributes:
        file: that was run.
        bytes: of it.
        runtime: what ran it.
        text: what it wrote, greedily.
        same: share of the places of the prompt and the text in which the model finds the same token likeliest.
    """

    file: str
    bytes: int
    runtime: str
    text: str
    same: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def run_once(file: Path, runtime: str, folder: Path, exported: Logits, prompt: str = PROMPT) -> Ran:
    """Have an exported file write behind a prompt, and hold it against the model that it was made of.

    Args:
        file: that was exported.
        runtime: what runs it.
        folder: of the model.
        exported: gives the file's logits.
        prompt: of the user.
    """
    from kernel.chat.chat_tokens import ChatTokenizer

    tokenizer = ChatTokenizer(folder)
    ids = list(tokenizer.encode_chat([{"role": "user", "content": prompt}]))
    begin = len(ids)
    logits = exported(ids)
    for _ in range(_NEW_TOKENS):
        ids.append(int(logits[-1].argmax()))
        if ids[-1] in tokenizer.stop_ids:
            break
        logits = exported(ids)
    likeliest = exported(ids).argmax(axis=1)
    same = float((likeliest == model_logits(folder)(ids).argmax(axis=1)).mean())
    return Ran(file.name, file.stat().st_size, runtime, tokenizer.decode(ids[begin:]), same)


def model_logits(folder: Path) -> Logits:
    """Return what gives a model's own logits, by transformers in float32."""
    import torch

    from kernel.chat.quantised import load_causal

    model = load_causal(folder, dtype=torch.float32).eval()
    return lambda ids: logits_of(model, ids)


def logits_of(model: Any, ids: Sequence[int]) -> NDArray[np.float32]:
    """Return the logits of a model of transformers, shape (tokens, vocabulary)."""
    import torch

    with torch.inference_mode():
        found: NDArray[np.float32] = model(input_ids=torch.tensor([list(ids)])).logits[0].float().numpy()
    return found
