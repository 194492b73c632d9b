"""Prompt functions that experts keep as folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.own_prompts import PromptState, add_own_prompts, shipped_prompts
from plugins.prompt_functions import SHIPPED_FUNCTIONS, load_prompt_plugins

PROMPT = (
    '<message role="system">Answer like a nurse.</message>\n'
    '<message role="user">{{$passages}}\n\n{{$question}}</message>\n'
)


def write(
    folder: Path, prompt: str = PROMPT, variables: tuple[str, ...] = ("passages", "question"), **more: object
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "skprompt.txt").write_text(prompt, encoding="utf-8")
    config = {
        "schema": 1,
        "type": "completion",
        "description": "Mine.",
        "input_variables": [{"name": name, "description": name, "is_required": True} for name in variables],
        **more,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def states(root: Path) -> dict[str, PromptState]:
    return {state.name: state for state in add_own_prompts(load_prompt_plugins(), [root])}


def test_a_folder_is_a_function_of_every_language(tmp_path: Path) -> None:
    write(tmp_path / "nurse")
    plugins = load_prompt_plugins()
    (state,) = add_own_prompts(plugins, [tmp_path])
    assert (state.problem, state.languages, state.answers) == ("", ("en", "ja"), True)
    for plugin in plugins:
        assert plugin.functions["nurse"].name == "nurse"
        assert plugin.functions["nurse"].plugin_name == plugin.name


def test_subfolders_are_languages_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "nurse" / "ja", PROMPT.replace("Answer like a nurse", "看護師として答えてください"))
    plugins = load_prompt_plugins()
    (state,) = add_own_prompts(plugins, [tmp_path])
    assert (state.problem, state.languages) == ("", ("ja",))
    assert ["nurse" in plugin.functions for plugin in plugins] == [False, True]
    write(tmp_path / "nurse")
    (state,) = add_own_prompts(load_prompt_plugins(), [tmp_path])
    assert state.languages == ("en", "ja")


@pytest.mark.parametrize(
    ("name", "prompt", "variables", "more", "says"),
    [
        ("zero_shot", PROMPT, ("passages", "question"), {}, "taken by one that ships"),
        ("two words", PROMPT, ("passages", "question"), {}, "letters, digits and underscores"),
        ("broken", "a < b {{$question}}", ("question",), {}, "roles user, not system and user"),
        (
            "forgets",
            PROMPT,
            ("passages", "question", "examples"),
            {},
            "must show examples, passages, question",
        ),
        (
            "odd",
            PROMPT.replace("question", "secret"),
            ("passages", "secret"),
            {},
            "shows the variable 'secret'",
        ),
        (
            "calls",
            PROMPT.replace("{{$question}}", "{{$question}}{{time.now}}"),
            ("passages", "question"),
            {},
            "nothing else",
        ),
        (
            "open",
            PROMPT,
            ("passages", "question"),
            {"allow_dangerously_set_content": True},
            "allow_dangerously_set",
        ),
        ("jinja", PROMPT, ("passages", "question"), {"template_format": "jinja2"}, "template format jinja2"),
        ("typed", PROMPT, ("passages", "question"), {"input_variables": 5}, "cannot be read"),
        ("none", PROMPT.replace("{{$passages}}\n\n{{$question}}", "Hello"), (), {}, "shows no variable"),
    ],
)
def test_a_broken_folder_is_named_in_one_line_and_breaks_no_other(
    tmp_path: Path, name: str, prompt: str, variables: tuple[str, ...], more: dict[str, object], says: str
) -> None:
    write(tmp_path / name, prompt, variables, **more)
    write(tmp_path / "whole")
    found = states(tmp_path)
    assert says in found[name].problem
    assert "\n" not in found[name].problem
    assert not found[name].answers
    assert found["whole"].answers


def test_a_folder_without_a_file_says_which(tmp_path: Path) -> None:
    write(tmp_path / "half" / "en")
    (tmp_path / "half" / "en" / "config.json").unlink()
    (tmp_path / "empty").mkdir()
    found = states(tmp_path)
    assert found["half"].problem == "it has no en/config.json"
    assert found["empty"].problem == "it has no skprompt.txt"


def test_the_first_of_two_with_one_name_is_taken(tmp_path: Path) -> None:
    write(tmp_path / "a" / "nurse")
    write(tmp_path / "b" / "nurse")
    first, second = add_own_prompts(load_prompt_plugins(), [tmp_path / "a", tmp_path / "b"])
    assert first.answers
    assert "taken by the one in" in second.problem


def test_a_prompt_without_question_and_passages_answers_no_question(tmp_path: Path) -> None:
    write(
        tmp_path / "digest", PROMPT.replace("{{$passages}}\n\n{{$question}}", "{{$document}}"), ("document",)
    )
    assert (states(tmp_path)["digest"].problem, states(tmp_path)["digest"].answers) == ("", False)


def test_a_folder_that_is_not_there_holds_none(tmp_path: Path) -> None:
    assert states(tmp_path / "nowhere") == {}


def test_what_ships_is_listed_with_what_it_shows() -> None:
    listed = {state.name: state for state in shipped_prompts(load_prompt_plugins())}
    assert set(listed) == set(SHIPPED_FUNCTIONS)
    assert listed["hybrid"].answers
    assert not listed["summarize"].answers
    assert listed["summarize"].variables == ("document",)
