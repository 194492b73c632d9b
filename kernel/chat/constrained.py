"""Generation within a grammar: at each token, only those that keep the text within it can be chosen.

The masks are llguidance's, which reads JSON Schema and computes a mask in well under a millisecond from the
tokenizer's own pieces. Importing this imports torch and transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor

from retrieval.errors import TekioError


def grammar_tokenizer(tokenizer: Any, vocabulary: int) -> LLTokenizer:
    """Return what masks are computed from; made once a model, in about a second.

    Args:
        tokenizer: the model's fast tokenizer.
        vocabulary: how many logits the model gives, which may be more than the tokenizer has pieces.
    """
    return from_tokenizer(tokenizer, n_vocab=vocabulary)


class WithinGrammar(LogitsProcessor):
    """Lets one request write a text of a grammar, and end only where the text is whole."""

    def __init__(self, tokenizer: LLTokenizer, grammar: str, *, prompt: int, stop_ids: list[int]) -> None:
        """Make it for a request.

        Args:
            tokenizer: see `grammar_tokenizer`.
            grammar: as `LLMatcher.grammar_from_json_schema` gives it.
            prompt: tokens of the prompt, which the grammar is not about.
            stop_ids: the ids that end the turn.

        Raises:
            TekioError: the grammar cannot be used.
        """
        self._matcher = LLMatcher(tokenizer, grammar)
        self._seen = prompt
        self._stop_ids = stop_ids
        self._check()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Return the scores (1, vocabulary) with those of tokens that lead out of the grammar at minus infinity."""
        for token in input_ids[0, self._seen :].tolist():
            if token not in self._stop_ids:
                self._matcher.consume_token(token)
        self._seen = input_ids.shape[1]
        if self._matcher.is_stopped():
            return self._only_stop(scores)
        bias = torch.frombuffer(bytearray(self._matcher.compute_logit_bias()), dtype=torch.uint8)
        self._check()
        allowed = bias[: scores.shape[1]].to(scores.device) > 0
        if self._matcher.is_accepting():
            allowed[self._stop_ids] = True
        return torch.where(allowed, scores, float("-inf"))  # type: ignore[return-value]

    def _only_stop(self, scores: torch.FloatTensor) -> torch.FloatTensor:
        ended = torch.full_like(scores, float("-inf"))
        ended[:, self._stop_ids] = 0.0
        return ended  # type: ignore[return-value]

    def _check(self) -> None:
        if error := self._matcher.get_error():
            raise TekioError(f"the grammar of the answer cannot be used: {' '.join(error.split())[:200]}")
