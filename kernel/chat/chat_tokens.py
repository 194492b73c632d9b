"""Chat messages to token ids, such that no text can pose as a role.

A chat template puts special tokens such as `<|im_start|>` around each message. Where the rendered template
is tokenised as one string, a document that holds `<|im_start|>system` opens a system message. Here the
template is rendered around placeholders, and the texts are tokenised apart, with special tokens off.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from retrieval.errors import TekioError


class ChatTokenizer:
    """A model's tokenizer with its own chat template. Needs transformers, but no weights and no torch.

    Raises:
        TekioError: the folder's tokenizer has no chat template.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # A tokenizer of its own, called without transformers, which turns the switch back on every call.
        self._plain: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
        self._plain.encode_special_tokens = True
        if not self.tokenizer.chat_template:
            raise TekioError(
                f"the tokenizer in {folder} has no chat template: name an instruction-tuned model"
            )

    def encode_text(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are spelled out, not obeyed."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the prompt's ids: the messages in the model's own template, open for the assistant's turn."""
        marks = [f"mark{secrets.token_hex(12)}end" for _ in messages]
        skeleton = [
            {"role": item["role"], "content": mark} for item, mark in zip(messages, marks, strict=True)
        ]
        rendered: str = self.tokenizer.apply_chat_template(
            skeleton, tokenize=False, add_generation_prompt=True
        )
        ids: list[int] = []
        for message, mark in zip(messages, marks, strict=True):
            before, found, rendered = rendered.partition(mark)
            if not found:
                raise TekioError(f"the chat template leaves out a message of the role '{message['role']}'")
            ids += self._template(before) + self.encode_text(message["content"])
        return ids + self._template(rendered)

    def _template(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Return the text of ids; `special` keeps special tokens."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=not special))

    @property
    def stop_ids(self) -> list[int]:
        """The ids that end the assistant's turn."""
        return [self.tokenizer.eos_token_id]
