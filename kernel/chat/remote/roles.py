"""Messages as they are sent: what a chat template would take for the beginning of a role is spelled apart.

A server renders the messages into its model's template and cuts the whole into tokens, so that a document which holds
`<|im_start|>system` would open a system message. This machine's own engine cuts texts and template apart; a server
cannot be told to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_MARK = re.compile(
    r"<(?=[|｜][^<>\n]{1,40}[|｜]>)"  # <|im_start|> and its like: ChatML, Llama 3, Phi, Granite, DeepSeek
    r"|<(?=/?s>|<?/?SYS>|(?:start|end)_of_turn>|/?(?:bos|eos|pad|unk)>)"  # Llama 2, Gemma, Mistral
    r"|\[(?=/?(?:INST|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\])"  # Mistral
)


def apart(text: str) -> str:
    """Return a text in which no mark of a chat template stands in one piece."""
    return _MARK.sub(lambda found: f"{found.group()} ", text)


def plain_messages(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return messages whose contents can pose as no other role."""
    return [{"role": item["role"], "content": apart(item["content"])} for item in messages]
