"""Generation within a grammar by transformers: at each token, only those that keep the text within it can be chosen.

Importing this imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import LogitsProcessor

from kernel.chat.grammar import GrammarMask


class WithinGrammar(LogitsProcessor):
    """Lets one request write a text of a grammar, and end only where the text is whole."""

    def __init__(self, mask: GrammarMask, *, prompt: int) -> None:
        """Make it for a request.

        Args:
            mask: the grammar, at its beginning.
            prompt: tokens of the prompt, which the grammar is not about.
        """
        self._mask = mask
        self._seen = prompt
        self._free: torch.Tensor | None = None
        self._log_probability = 0.0

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the scores (1, vocabulary) with those of tokens that lead out of the grammar at minus infinity."""
        self._take(input_ids[0].tolist())
        self._free = torch.log_softmax(scores[0].float(), dim=-1)
        allowed = torch.from_numpy(self._mask.allowed(scores.shape[1])).to(scores.device)
        return torch.where(allowed, scores, float("-inf"))  # type: ignore[return-value]

    def ended(self, ids: Sequence[int]) -> float:
        """Return how likely the text was to the model without the grammar, with its end, in nats.

        Args:
            ids: of the prompt and all of the text.
        """
        self._take(ids)
        return self._log_probability

    def _take(self, ids: Sequence[int]) -> None:
        for token in ids[self._seen :]:
            self._mask.take(token)
            if self._free is not None:
                self._log_probability += float(self._free[token])
        self._seen = len(ids)
