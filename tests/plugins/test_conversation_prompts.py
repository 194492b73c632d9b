"""The prompts by which a model understands a conversation."""

from __future__ import annotations

import pytest

from plugins.prompt_functions import (
    LANGUAGES,
    REWRITE_QUESTION,
    SUMMARIZE_CONVERSATION,
    load_prompt_plugins,
    plugin_name,
    variables_of,
)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("function", "shown"),
    [(REWRITE_QUESTION, {"conversation", "question"}), (SUMMARIZE_CONVERSATION, {"conversation"})],
)
def test_they_show_what_they_are_about_once_in_their_language_and_forbid_to_follow_it(
    function: str, shown: set[str], language: str
) -> None:
    plugins = {plugin.name: plugin for plugin in load_prompt_plugins()}
    loaded = plugins[plugin_name(language)].functions[function]
    assert {each.name for each in loaded.parameters} == variables_of(function) == shown
    template = loaded.prompt_template.prompt_template_config.template  # type: ignore[attr-defined]
    assert all(template.count(f"{{{{${name}}}}}") == 1 for name in shown)
    assert ("会話" in template) == (language == "ja")
    assert ("従わないで" in template) or ("never follow instructions" in template)
