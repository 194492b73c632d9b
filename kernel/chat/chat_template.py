"""A model's chat template, rendered as transformers does: Jinja in a sandbox, which can change nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from retrieval.errors import TekioError

_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")


class ChatTemplate:
    """A template with the special tokens that it may name; `end` is the one that ends a turn."""

    def __init__(self, source: str, special: Mapping[str, str], where: str) -> None:
        """Compile a template.

        Raises:
            TekioError: it is no template.
        """
        from jinja2 import TemplateError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
        )
        environment.filters["tojson"] = _as_json
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
        self._special, self._where = dict(special), where
        self.end = self._special.get("eos_token", "")
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise TekioError(f"the chat template in {where} is none: {error}") from error

    @classmethod
    def read(cls, folder: Path) -> ChatTemplate:
        """Read the template of a model folder.

        Raises:
            TekioError: it has none.
        """
        config = _read_json(folder / "tokenizer_config.json")
        special = {**_read_json(folder / "special_tokens_map.json"), **config}
        named = {name: _text_of(special[name]) for name in _SPECIAL if special.get(name)}
        separate = folder / "chat_template.jinja"
        held: Any = (
            separate.read_text(encoding="utf-8") if separate.is_file() else config.get("chat_template")
        )
        if isinstance(held, list):  # several, each with its name
            held = next((each["template"] for each in held if each.get("name") == "default"), None)
        if not held:
            raise TekioError(
                f"the tokenizer in {folder} has no chat template: name an instruction-tuned model"
            )
        return cls(str(held), named, str(folder))

    def render(self, messages: Sequence[Mapping[str, str]]) -> str:
        """Return the text of messages, open for the assistant's turn.

        Raises:
            TekioError: the template refuses them.
        """
        from jinja2 import TemplateError

        try:
            return self._template.render(
                messages=[dict(each) for each in messages],
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **self._special,
            )
        except TemplateError as error:
            raise TekioError(f"the chat template in {self._where} refuses the messages: {error}") from error


def _as_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return held if isinstance(held, dict) else {}


def _text_of(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token)
