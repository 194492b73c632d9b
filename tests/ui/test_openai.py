"""OpenAI's protocol, spoken by the official client to a real server."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import openai
import pytest
from openai import OpenAI

from kernel.answer import FinishReason
from retrieval.errors import BusyError, TekioError
from tests.ui.serving import served
from ui.openai_chat import pieces, without_sources

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

QUESTION = "How long is a completed MR-07 valid?"
EMBEDDER = "multilingual-e5-small"


def client_of(base: str) -> OpenAI:
    return OpenAI(base_url=f"{base}/v1", api_key="none", max_retries=0, timeout=120)


@pytest.fixture(scope="module")
def client(library: str, mri: dict[str, Any]) -> Iterator[OpenAI]:
    with client_of(library) as made:
        yield made


@pytest.fixture
def script(scripted: type[ScriptedTekio]) -> Iterator[OpenAI]:
    """A client of a facade that does as it is told."""
    with served(scripted) as base, client_of(base) as made:
        yield made


def asking(question: str = QUESTION) -> list[Any]:
    return [{"role": "user", "content": question}]


def test_models_are_the_variants_and_the_embedder(client: OpenAI) -> None:
    found = {model.id: model.model_dump() for model in client.models.list()}
    assert {"base", "extractive", EMBEDDER} <= set(found)
    assert found["extractive"]["default"] is True
    assert found[EMBEDDER]["kind"] == "embeddings"
    assert client.models.retrieve("base").id == "base"
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("nonesuch/../x")
    assert raised.value.code == "model_not_found"


def test_an_answer_has_its_sources_as_text_and_as_data(client: OpenAI, mri: dict[str, Any]) -> None:
    made = client.chat.completions.create(model="extractive", messages=asking())
    content = made.choices[0].message.content or ""
    assert "48 hours" in content
    assert "\n\nSources:\n[1] safety/mri.pdf, p. 2" in content
    assert made.choices[0].finish_reason == "stop"
    assert made.usage is not None
    known = (made.model_extra or {})["tekio"]
    assert known["citations"][0]["page"] == 2
    assert known["passages"][0]["document_id"] == mri["id"]
    bare = client.chat.completions.create(
        model="extractive", messages=asking(), extra_body={"tekio": {"sources": False}}
    )
    assert bare.choices[0].message.content == without_sources(content)


def test_a_stream_brings_the_same_text_in_pieces(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="extractive", messages=asking())
    chunks = list(
        client.chat.completions.create(
            model="extractive", messages=asking(), stream=True, stream_options={"include_usage": True}
        )
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert len(texts) > 5
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert (chunks[-2].model_extra or {})["tekio"]["citations"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.parametrize("form", ["float", "base64"])
def test_embeddings_are_those_of_the_index(client: OpenAI, form: Any) -> None:
    texts = ["The kiln is fired for nine hours.", "窯は九時間焼く。", "Parking costs 300 yen."]
    found = client.embeddings.create(model=EMBEDDER, input=texts, encoding_format=form)
    rows = [
        np.frombuffer(base64.b64decode(row.embedding), "<f4")  # type: ignore[arg-type]
        if form == "base64"
        else np.array(row.embedding)
        for row in found.data
    ]
    assert [row.shape for row in rows] == [(384,)] * 3
    assert np.allclose([row @ row for row in rows], 1, atol=1e-3)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    assert found.usage.prompt_tokens > 10
    assert len(client.embeddings.create(model=EMBEDDER, input="one").data[0].embedding) == 384


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": [1, 2, 3]}, "input"),
        ({"input": [""]}, "input"),
        ({"input": []}, "input"),
        ({"input": "word " * 2000}, "input"),
        ({"input": "a", "dimensions": 7}, "dimensions"),
    ],
)
def test_what_cannot_be_embedded_is_told(client: OpenAI, given: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.embeddings.create(model=EMBEDDER, **given)
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")


def test_earlier_messages_are_the_history(script: OpenAI, scripted: type[ScriptedTekio]) -> None:
    first = script.chat.completions.create(model="base", messages=asking("How long?"))
    said = first.choices[0].message.content
    assert said is not None
    assert "\n\nSources:\n" in said
    messages: list[Any] = [
        {"role": "system", "content": "Ignore the documents."},
        {"role": "user", "content": "How long?"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "now?"}]},
    ]
    script.chat.completions.create(
        model="base", messages=messages, max_tokens=100_000, temperature=0.3, user="u"
    )
    asked: dict[str, Any] = scripted.asked[-1]
    assert asked["question"] == "And\nnow?"
    (turn,) = asked["history"]
    assert (turn.question, turn.answer) == ("How long?", scripted.answer.answer)
    assert asked["max_new_tokens"] == 160


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"stop": ["."]}, "stop"),
        ({"logprobs": True}, "logprobs"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "messages"),
        ({"messages": []}, "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages",
        ),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_what_would_change_the_answer_is_refused(
    script: OpenAI, more: dict[str, Any], param: str, stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        script.chat.completions.create(**{"model": "base", "messages": asking(), "stream": stream, **more})
    assert (raised.value.param, raised.value.type) == (param, "invalid_request_error")


def test_what_does_not_matter_is_passed_over(script: OpenAI) -> None:
    made = script.chat.completions.create(
        model="base", messages=asking(), n=1, stop=[], tools=[], seed=1, top_p=0.5, logit_bias={}, store=False
    )
    assert made.choices[0].message.role == "assistant"


def test_an_unknown_model_is_told(script: OpenAI) -> None:
    for model in ("nonesuch", "../adapters/x"):
        with pytest.raises(openai.NotFoundError) as raised:
            script.chat.completions.create(model=model, messages=asking())
        assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("error", "raises", "code"),
    [
        (BusyError("too many", retry_after=7), openai.RateLimitError, "rate_limit_exceeded"),
        (TekioError("the model is missing"), openai.InternalServerError, "unavailable"),
        (RuntimeError("/secret/path"), openai.InternalServerError, "internal"),
    ],
)
def test_errors_are_told_as_the_client_knows_them(
    script: OpenAI,
    scripted: type[ScriptedTekio],
    error: Exception,
    raises: type[openai.APIStatusError],
    code: str,
) -> None:
    scripted.error = error
    with pytest.raises(raises) as raised:
        script.chat.completions.create(model="base", messages=asking())
    assert raised.value.code == code
    assert "secret" not in str(raised.value)
    with pytest.raises(openai.APIError) as broken:
        list(script.chat.completions.create(model="base", messages=asking(), stream=True))
    assert broken.value.code == code


@pytest.mark.parametrize(
    ("reason", "told"), [("length", "length"), ("timeout", "length"), ("refused", "stop")]
)
def test_why_it_ended_is_told_in_both_words(
    script: OpenAI, scripted: type[ScriptedTekio], reason: str, told: str
) -> None:
    scripted.answer = scripted.answer.model_copy(update={"finish_reason": FinishReason(reason)})
    made = script.chat.completions.create(model="base", messages=asking())
    assert made.choices[0].finish_reason == told
    assert (made.model_extra or {})["tekio"]["finish_reason"] == reason


def test_a_client_that_leaves_stops_the_generation(script: OpenAI, scripted: type[ScriptedTekio]) -> None:
    scripted.stuck = True
    with script.chat.completions.create(model="base", messages=asking(), stream=True) as stream:
        next(iter(stream))
    with pytest.raises(openai.APITimeoutError):
        script.with_options(timeout=0.5).chat.completions.create(model="base", messages=asking())
    for _ in range(100):
        if scripted.cancelled == 2:
            break
        time.sleep(0.05)
    assert scripted.cancelled == 2


@pytest.mark.parametrize(
    "text", ["The kiln is fired [1].\n\nSources:\n", "窯は1,240度で焼く。　次の文\n", "a" * 100, ""]
)
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_wrong_json_is_told_in_their_form(library: str) -> None:
    response = httpx.post(
        f"{library}/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
