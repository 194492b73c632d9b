"""A whole Tekio whose variant is a model on a server: a question is answered and its citations are checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kernel.answer import AnswerEvent, FinishReason, TokenEvent
from kernel.app import Tekio
from kernel.ensembles.settings import EnsembleSettings
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from kernel.variant_settings import VariantSettings
from retrieval.errors import BusyError, TekioError, UsageError
from tests.kernel.remote.stub_server import Call, Stub, endless, served

QUESTION = "At what temperature is the kiln K2 fired?"


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def tekio(stub: Stub, model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    root = tmp_path_factory.mktemp("remote")
    (root / "docs").mkdir()
    (root / "docs" / "kiln.md").write_text("# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n")
    (root / "docs" / "glaze.md").write_text("# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n")
    told = {"engine": "openai", "address": stub.url, "model": "m", "retries": 0}
    app = Tekio(
        Settings(
            index=root / "index",
            examples=root / "examples",
            adapters=root / "adapters",
            cache=model_store.cache,
            prompts=[root / "prompts"],
            variant="far",
            variants={
                "far": VariantSettings.model_validate(told),
                "narrow": VariantSettings.model_validate(told | {"window": 256}),
                "both": VariantSettings.model_validate(told | {"languages": ["en", "ja"]}),
                "priced": VariantSettings.model_validate(told | {"price_in": 2, "price_out": 10}),
            },
            ensembles={
                "pair": EnsembleSettings(members=["priced", "far"]),
                "double": EnsembleSettings(members=["priced", "pair"]),
                "empty": EnsembleSettings(members=["far", "extractive"]),
            },
        )
    )
    app.ingest([root / "docs"])
    yield app
    app.close()


@pytest.fixture(autouse=True)
def fresh(stub: Stub) -> None:
    stub.calls.clear()
    stub.script = lambda call: call.write("The kiln K2 is fired", " at 1,240 °C [1].", usage=(321, 17))


async def test_a_question_is_answered_by_the_server_with_its_citations_checked(
    tekio: Tekio, stub: Stub
) -> None:
    events = [event async for event in tekio.ask_stream(QUESTION, cache=False)]
    assert isinstance(events[-1], AnswerEvent)
    answer = events[-1].answer
    assert answer.answer == "The kiln K2 is fired at 1,240 °C [1]."
    assert (answer.variant, answer.refused, answer.finish_reason) == ("far", False, FinishReason.STOP)
    (citation,) = answer.citations
    assert citation.document.endswith("kiln.md")
    assert "1,240" in citation.quote
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (321, 17)
    streamed = "".join(event.text for event in events if isinstance(event, TokenEvent))
    assert streamed == answer.answer
    assert "1,240" in json.dumps(stub.calls[0].body["messages"], ensure_ascii=False)


async def test_an_answer_says_what_it_cost_by_the_prices_of_whoever_wrote(tekio: Tekio, stub: Stub) -> None:
    once = 321 * 2 / 1e6 + 17 * 10 / 1e6
    answer = await tekio.ask(QUESTION, variant="priced")
    assert answer.usage.cost == pytest.approx(once)
    assert (await tekio.ask(QUESTION, variant="priced")).usage.cost is None  # stored, and nothing spent
    assert (await tekio.ask(QUESTION, variant="far", cache=False)).usage.cost is None
    for ensemble, times in (("pair", 1), ("double", 2)):
        answer = await tekio.ask(QUESTION, variant=ensemble, cache=False)
        assert answer.usage.cost == pytest.approx(times * once)
    stub.script = lambda call: call.write(usage=(321, 0))  # a draft that quotations take the place of
    answer = await tekio.ask(QUESTION, variant="priced", cache=False)
    assert answer.variant == "extractive"
    assert answer.usage.cost == pytest.approx(321 * 2 / 1e6)


@pytest.mark.parametrize("price", [-1, float("nan"), float("inf"), 2_000_000, "dear"])
def test_a_price_that_is_none_is_refused(price: Any) -> None:
    told = {"engine": "openai", "address": "http://127.0.0.1:1/v1", "model": "m", "price_in": price}
    with pytest.raises(ValueError, match="price_in"):
        VariantSettings.model_validate(told)


async def test_what_the_server_makes_up_is_told(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write("The kiln K2 is fired at 980 °C in Kyoto [1].")
    answer = await tekio.ask(QUESTION, cache=False)
    assert answer.unsupported or "980" not in answer.answer


async def test_several_drafts_are_several_requests_and_voted_on(tekio: Tekio, stub: Stub) -> None:
    answer = await tekio.ask(QUESTION, technique="hybrid", samples=3)
    assert answer.samples is not None
    assert (answer.samples.n, len(stub.calls)) == (3, 3)
    assert len({call.body["seed"] for call in stub.calls}) == 3


async def test_a_server_that_writes_nothing_leaves_a_quotation(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write()
    answer = await tekio.ask(QUESTION, cache=False)
    assert (answer.variant, "1,240" in answer.answer) == ("extractive", True)


async def test_a_member_that_writes_nothing_has_no_vote_and_is_named(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write()
    answer = await tekio.ask(QUESTION, variant="empty", cache=False)
    assert answer.ensemble is not None
    nothing, quoted = answer.ensemble.members
    assert (nothing.answered_by, nothing.weight, nothing.chosen) == ("extractive", 0.0, False)
    assert (quoted.weight, quoted.chosen, "1,240" in answer.answer) == (1.0, True, True)
    assert answer.ensemble.explanation.endswith("no answer of their own but quote as extractive does: far.")


async def test_an_answer_is_kept_by_the_address_and_the_name_of_the_model(tekio: Tekio, stub: Stub) -> None:
    await tekio.ask("How hot is the kiln K2?")
    await tekio.ask("How hot is the kiln K2?")
    assert len(stub.calls) == 1


async def test_passages_are_left_out_until_prompt_and_answer_fit_the_window(tekio: Tekio, stub: Stub) -> None:
    with pytest.raises(UsageError, match="tokens, the prompt may have"):
        await tekio.ask(QUESTION, variant="narrow", max_new_tokens=160, cache=False)
    assert stub.calls == []
    assert tekio._start().variant("narrow").prompt_room(1400, 100) == 156
    assert tekio._start().variant("far").prompt_room(1400, 100) == 1400


async def test_a_language_that_the_variant_speaks_goes_to_it(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write("窯K2は1,240 °Cで焼く[1]。")
    await tekio.ask("窯K2は何度で焼きますか。", variant="both", cache=False)
    assert len(stub.calls) == 1


async def test_who_leaves_closes_the_servers_connection(tekio: Tekio, stub: Stub) -> None:
    stub.script = endless
    stub.gone.clear()
    stream = tekio.ask_stream(QUESTION, cache=False)
    async for event in stream:
        if isinstance(event, TokenEvent):
            break
    await stream.aclose()
    assert stub.gone.wait(2)


async def test_facts_by_a_schema_are_written_by_the_server(tekio: Tekio, stub: Stub) -> None:
    stub.script = lambda call: call.write('{"temperature": "1,240 °C"}')
    schema = {"type": "object", "properties": {"temperature": {"type": "string"}}}
    found = await tekio.extract(schema, question=QUESTION, variant="far")
    assert found.data == {"temperature": "1,240 °C"}
    assert stub.calls


async def test_functions_are_refused_in_one_line(tekio: Tekio) -> None:
    with pytest.raises(UsageError, match="not held to a grammar"):
        await tekio.ask(QUESTION, functions=True, cache=False)


async def test_the_variants_are_listed_and_one_that_is_not_there_is_told(tekio: Tekio) -> None:
    named = ["base", "extractive", "far", "narrow", "both", "priced", "pair", "double", "empty"]
    assert tekio.variants() == named
    with pytest.raises(UsageError, match=f"no variant 'near'; there are {', '.join(named)}"):
        await tekio.ask(QUESTION, variant="near")


async def test_two_variants_with_one_name_are_one_clear_line(tekio: Tekio, stub: Stub) -> None:
    folder = tekio.settings.adapters / "far"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    other = Tekio(tekio.settings)
    try:
        for listed in (other.variants, lambda: other._start().variant("far")):
            with pytest.raises(
                UsageError, match=r"two variants are named 'far': an adapter in .* rename one"
            ):
                listed()
        assert (await other.ask(QUESTION, variant="both")).variant == "both"
    finally:
        other.close()
        (folder / "adapter_config.json").unlink()
        folder.rmdir()


async def test_a_server_that_fails_is_told_and_then_left_alone(tekio: Tekio, stub: Stub) -> None:
    def fail(call: Call) -> None:
        call.error(500, "out of memory\nTraceback")

    stub.script = fail
    for samples in (None, None, None):
        with pytest.raises(TekioError, match=r"HTTP 500.*out of memory") as raised:
            await tekio.ask(QUESTION, samples=samples, cache=False)
        assert "\n" not in str(raised.value)
    with pytest.raises(BusyError, match="3 times in a row"):
        await tekio.ask(QUESTION, variant="both", cache=False)
    assert len(stub.calls) == 3


FAR = {"engine": "openai", "address": "http://127.0.0.1:8000/v1", "model": "m"}


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"base": FAR}, "'base' is a variant of Tekio's own"),
        ({"extractive": FAR}, "'extractive' is a variant of Tekio's own"),
        ({"../far": FAR}, "a variant's name has letters, digits"),
        ({"a b": FAR}, "a variant's name has letters, digits"),
        ({"": FAR}, "a variant's name has letters, digits"),
        ({"far": FAR | {"key": "sk-proj-abcdef123456"}}, "name of an environment variable"),
        ({"far": FAR | {"key": "hf_abcDEF"}}, "name of an environment variable"),
        ({"far": FAR | {"key": "AKIAABCDEFGHIJKLMNOPQRST"}}, "name of an environment variable"),
        ({"far": FAR | {"engine": "vllm"}}, "'openai', 'llama.cpp', 'seq2seq' or 'local'"),
        ({"far": {"engine": "openai"}}, "the engine openai needs address and model"),
        ({"far": FAR | {"address": "localhost:8000"}}, "it is an address"),
        ({"far": FAR | {"address": "http://me:secret@there/v1"}}, "without a user or password"),
        ({"far": FAR | {"adapter": "a.gguf"}}, "give it as the model"),
        ({"far": {"engine": "llama.cpp", "key": "FAR_KEY"}}, "belong to the engine openai"),
        ({"far": FAR | {"window": 10}}, "greater than or equal to 256"),
        ({"far": FAR | {"seconds": 0}}, "greater than 0"),
        ({"far": FAR | {"retries": 1000}}, "less than or equal to 10"),
        ({"far": FAR | {"modle": "m"}}, "extra inputs are not permitted"),
    ],
)
def test_wrong_settings_are_one_line_without_what_may_be_a_key(
    variants: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEKIO_VARIANTS", json.dumps(variants))
    with pytest.raises(UsageError, match="setting 'variants") as raised:
        load_settings()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not any(secret in str(raised.value) for secret in ("sk-proj", "hf_abc", "AKIA", "secret"))


def test_variants_are_tables_of_the_file_and_a_name_twice_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = '[variants.far]\nengine = "openai"\naddress = "http://127.0.0.1:8000/v1/"\nmodel = "m"\nkey = "FAR_KEY"\n'
    (tmp_path / "tekio.toml").write_text(table)
    (name, told), *others = load_settings().variants.items()
    assert (name, told.address, told.key, others) == ("far", "http://127.0.0.1:8000/v1", "FAR_KEY", [])
    (tmp_path / "tekio.toml").write_text(table + table)
    with pytest.raises(UsageError, match="not valid TOML"):
        load_settings()
    (tmp_path / "tekio.toml").unlink()
    monkeypatch.setenv("TEKIO_VARIANTS", "{")
    with pytest.raises(UsageError, match=r"variants.*no JSON"):
        load_settings()
