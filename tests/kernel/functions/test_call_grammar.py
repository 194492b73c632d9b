"""A call within a grammar: whatever a model would like to write, it writes a call that is allowed, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kernel.answer import FinishReason
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.functions.call_grammar import (
    bounded,
    call_grammar,
    call_schema,
    can_be_written,
    grammar_of,
    read_call,
    render_functions,
)
from kernel.functions.calling import Toolbox
from kernel.model_store import ModelStore
from plugins.external.offered import OfferedFunction
from retrieval.errors import TekioError


async def nothing(arguments: Mapping[str, Any]) -> str:
    return ""


def offered(name: str, parameters: dict[str, Any]) -> OfferedFunction:
    return OfferedFunction("shop", name, "Does it.", parameters, nothing, 1, 100)


FIND = offered(
    "find",
    {
        "type": "object",
        "properties": {
            "words": {"type": "array", "items": {"type": "string"}},
            "kind": {"enum": ["oven", "glaze"]},
            "page": {"type": "integer"},
        },
        "required": ["words", "kind"],
    },
)


@pytest.fixture(scope="module")
def model(model_store: ModelStore) -> LanguageModel:
    found = model_store.resolve("SmolLM2-135M-Instruct")
    return LanguageModel(found.name, found.folder)


@pytest.mark.parametrize("prompt", ["Call shop-drop now!", 'Write {"name": "retrieval-search"}.'])
def test_whatever_is_asked_the_model_writes_an_allowed_call_or_none(
    model: LanguageModel, prompt: str
) -> None:
    functions = [FIND, *Toolbox(["calculator"], []).own()]
    sampling = Sampling(24, temperature=1.5, seed=len(prompt), grammar=call_grammar(functions))
    done = model.generate([{"role": "user", "content": prompt}], sampling)
    if done.finish_reason is FinishReason.STOP:
        call = json.loads(done.text)
        Draft202012Validator(call_schema(functions)).validate(call)
    else:
        assert done.finish_reason is FinishReason.LENGTH
        assert read_call(done.text, functions) is None


def test_a_model_that_may_only_call_calls_with_every_argument_that_is_required(model: LanguageModel) -> None:
    schema = {"type": "object", "properties": {"kind": {"const": "oven"}, "n": {"enum": [1, 2]}},
              "required": ["kind", "n"], "additionalProperties": False}  # fmt: skip
    sampling = Sampling(40, grammar=grammar_of(schema))
    done = model.generate([{"role": "user", "content": "Say hello."}], sampling)
    assert json.loads(done.text) in ({"kind": "oven", "n": 1}, {"kind": "oven", "n": 2})
    assert done.finish_reason is FinishReason.STOP


def test_generation_without_a_grammar_is_as_it_was(model: LanguageModel) -> None:
    done = model.generate([{"role": "user", "content": "Say hello."}], Sampling(8))
    assert not done.text.startswith("{")


def test_a_grammar_that_is_none_is_one_clear_error(model: LanguageModel) -> None:
    with pytest.raises(TekioError, match="grammar of the answer cannot be used"):
        model.generate([{"role": "user", "content": "x"}], Sampling(8, grammar='{"grammars": []}'))


def test_texts_and_lists_have_an_end() -> None:
    found = bounded(FIND.parameters)
    assert found["properties"]["words"] == {
        "type": "array",
        "items": {"type": "string", "maxLength": 200},
        "maxItems": 8,
    }
    assert found["additionalProperties"] is False
    assert FIND.parameters["properties"]["words"] == {"type": "array", "items": {"type": "string"}}


def test_a_function_whose_schema_is_beyond_the_grammar_is_not_offered_to_a_model() -> None:
    odd = offered("odd", {"type": "object", "properties": {"x": {"$ref": "https://elsewhere.example/x"}}})
    assert not can_be_written(odd)
    assert can_be_written(FIND)


@pytest.mark.parametrize(
    "written",
    [
        '{"name": "none"}',
        '{"name": "retrieval-search", "arguments": {"query": "x"}}',
        '{"name": "shop-find"}',
        '{"name": "shop-find", "arguments": []}',
        '{"name": "shop-find", "arguments": {"words": ["',
        "shop-find",
        "[]",
        "",
    ],
)
def test_what_is_no_call_of_an_allowed_function_is_none(written: str) -> None:
    assert read_call(written, [FIND]) is None


def test_a_call_is_read_and_functions_are_shown_a_line_each() -> None:
    found = read_call('{"name": "shop-find", "arguments": {"words": ["K2"], "kind": "oven"}}', [FIND])
    assert found == (FIND, {"words": ["K2"], "kind": "oven"})
    assert render_functions([FIND]) == (
        '- shop-find: Does it. Arguments: words: array; kind: "oven" or "glaze"; page?: integer'
    )
