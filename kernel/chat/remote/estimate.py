"""The tokens of a prompt for a model whose tokenizer is not here: an estimate that is rather too high."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PER_MESSAGE = 8
_PER_CHAT = 16
_LETTERS = re.compile(r"[A-Za-z]+")
_WIDE = re.compile(r"[^\x00-\x7f]+")
_ALONE = re.compile(r"[!-@\[-`{-~]|[^\S ]")


def estimate(text: str) -> int:
    """Return about how many tokens a text has: a token for three letters, three bytes of other scripts, each sign.

    The tokenizers of Llama 3, Qwen and SmolLM2 give English four letters a token, so there is room for rarer words;
    they give each digit one, and Japanese one for one to two characters.
    """
    letters = sum(-(-len(word) // 3) for word in _LETTERS.findall(text))
    wide = sum(-(-len(piece.encode("utf-8", "surrogatepass")) // 3) for piece in _WIDE.findall(text))
    return letters + wide + len(_ALONE.findall(text))


class EstimatedCounter:
    """Counts a chat's tokens by `estimate`."""

    def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return about how many tokens the prompt has, what the template adds among them."""
        return _PER_CHAT + sum(_PER_MESSAGE + estimate(item["content"]) for item in messages)
