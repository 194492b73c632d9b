"""Generation within a grammar by transformers: at each token, only those that keep the text within it can be chosen.

Importing this imports torch and transformers.
"""

from __future__ import annotations

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

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the scores (1, vocabulary) with those of tokens that lead out of the grammar at minus infinity."""
        for token in input_ids[0, self._seen :].tolist():
            self._mask.take(token)
        self._seen = input_ids.shape[1]
        allowed = torch.from_numpy(self._mask.allowed(scores.shape[1])).to(scores.device)
        return torch.where(allowed, scores, float("-inf"))  # type: ignore[return-value]
