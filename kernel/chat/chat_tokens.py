"""Chat messages to token ids, such that no text can pose as a role.

A chat template puts special tokens such as `<|im_start|>` around each message. Where the rendered template
is tokenised as one string, a document that holds `<|im_start|>system` opens a system message. Here the
template is rendered around placeholders, and the texts are tokenised apart, with special tokens off.

transformers is imported where its own tokenizer is asked for, and for folders without a `tokenizer.json`: it takes
seconds, which a question on the command line would wait for.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kernel.chat.chat_template import ChatTemplate
from retrieval.errors import TekioError

FILE = "tokenizer.json"


class ChatTokenizer:
    """A model's tokenizer with its own chat template. Needs no weights and no torch.

    Raises:
        TekioError: the folder's tokenizer cannot be read, or has no chat template.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._transformers: Any = None
        self._words = self._read()
        # One of its own, in which special tokens are spelled out.
        self._plain = self._read()
        self._plain.encode_special_tokens = True
        self._template = ChatTemplate.read(folder)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer as transformers has it."""
        with self._lock:
            if self._transformers is None:
                from transformers import AutoTokenizer

                self._transformers = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            return self._transformers

    def encode_text(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are spelled out, not obeyed."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def encode_chat(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """Return the prompt's ids: the messages in the model's own template, open for the assistant's turn.

        Where the last message is the assistant's, it is what its turn begins with.
        """
        begun = messages[-1]["content"] if messages and messages[-1]["role"] == "assistant" else ""
        messages = messages[:-1] if begun else messages
        marks = [f"mark{secrets.token_hex(12)}end" for _ in messages]
        rendered = self._template.render(
            [{"role": item["role"], "content": mark} for item, mark in zip(messages, marks, strict=True)]
        )
        ids: list[int] = []
        for message, mark in zip(messages, marks, strict=True):
            before, found, rendered = rendered.partition(mark)
            if not found:
                raise TekioError(f"the chat template leaves out a message of the role '{message['role']}'")
            ids += self._obeyed(before) + self.encode_text(message["content"])
        return ids + self._obeyed(rendered) + self.encode_text(begun)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Return the text of ids; `special` keeps special tokens."""
        return str(self._words.decode(list(ids), skip_special_tokens=not special))

    @cached_property
    def stop_ids(self) -> list[int]:
        """The ids that end the assistant's turn: the tokenizer's own, and those that the model was made to end with."""
        ends = [self._words.token_to_id(self._template.end)] if self._template.end else []
        try:
            held = json.loads((self._folder / "generation_config.json").read_text(encoding="utf-8"))
            named = held.get("eos_token_id")
        except (OSError, ValueError):
            named = None
        ends += named if isinstance(named, list) else [named]
        found = list(dict.fromkeys(int(each) for each in ends if each is not None))
        if not found:
            raise TekioError(f"the tokenizer in {self._folder} does not say which token ends a turn")
        return found

    def _obeyed(self, text: str) -> list[int]:
        ids: list[int] = self._words.encode(text, add_special_tokens=False).ids
        return ids

    def _read(self) -> Any:
        path = self._folder / FILE
        if not path.is_file():
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(self._folder, local_files_only=True).backend_tokenizer
        from tokenizers import Tokenizer

        try:
            return Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing narrower
            raise TekioError(
                f"{path} is damaged ({str(error)[:120]}): fetch the model again, or copy it whole"
            ) from error
