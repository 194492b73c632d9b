"""Whether a model may call functions, by what its folder says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel.functions.ability import knows_functions, may_call, why
from kernel.model_store import ModelStore

WITH_TOOLS = "{%- if tools %}{{ tools | tojson }}{% endif %}{{ messages[0].content }}"
WITHOUT = "{# no tools #}{% for message in messages %}{{ message['content'] }} with tools{% endfor %}"


def test_the_default_model_was_not_made_to_call_functions(model_store: ModelStore) -> None:
    assert not knows_functions(model_store.resolve("SmolLM2-135M-Instruct").folder)


@pytest.mark.parametrize("where", ["file", "config", "list"])
@pytest.mark.parametrize(("template", "knows"), [(WITH_TOOLS, True), (WITHOUT, False)])
def test_a_chat_template_that_takes_tools_says_that_a_model_was_made_to(
    tmp_path: Path, where: str, template: str, knows: bool
) -> None:
    if where == "file":
        (tmp_path / "chat_template.jinja").write_text(template, encoding="utf-8")
    else:
        written = template if where == "config" else [{"name": "tool_use", "template": template}]
        config = json.dumps({"chat_template": written})
        (tmp_path / "tokenizer_config.json").write_text(config, encoding="utf-8")
    assert knows_functions(tmp_path) is knows
    assert may_call("auto", tmp_path) is knows
    assert not may_call("off", tmp_path)
    assert may_call("on", tmp_path)
    assert why("auto", "m", tmp_path).startswith("auto, on" if knows else "auto, off")


def test_a_folder_without_a_template_says_nothing(tmp_path: Path) -> None:
    assert not knows_functions(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text("{", encoding="utf-8")
    assert not knows_functions(tmp_path)
