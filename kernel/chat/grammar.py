"""A grammar as a mask over the next tokens, by llguidance, which reads JSON Schema. Does not import torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import TekioError


def grammar_tokenizer(tokenizer: Any, vocabulary: int) -> Any:
    """Return what masks are computed from; made once a model, in about a second.

    Args:
        tokenizer: the model's, as transformers has it.
        vocabulary: how many logits the model gives, which may be more than the tokenizer has pieces.
    """
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer, n_vocab=vocabulary)


class GrammarMask:
    """Lets one request write a text of a grammar, and end only where the text is whole."""

    def __init__(self, tokenizer: Any, grammar: str, stop_ids: list[int]) -> None:
        """Make it for a request.

        Args:
            tokenizer: see `grammar_tokenizer`.
            grammar: as `LLMatcher.grammar_from_json_schema` gives it.
            stop_ids: that end the turn.

        Raises:
            TekioError: the grammar cannot be used.
        """
        from llguidance import LLMatcher

        self._matcher = LLMatcher(tokenizer, grammar)
        self._stop_ids = stop_ids
        self._check()

    def allowed(self, size: int) -> NDArray[np.bool_]:
        """Return which of so many tokens may come next."""
        if self._matcher.is_stopped():
            allowed = np.zeros(size, np.bool_)
            allowed[self._stop_ids] = True
            return allowed
        bias = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8)
        self._check()
        allowed = bias[:size] > 0
        if self._matcher.is_accepting():
            allowed[self._stop_ids] = True
        return allowed

    def take(self, token: int) -> None:
        """Go on by a token."""
        if token not in self._stop_ids:
            self._matcher.consume_token(token)

    def _check(self) -> None:
        if error := self._matcher.get_error():
            raise TekioError(f"the grammar of the answer cannot be used: {' '.join(error.split())[:200]}")
