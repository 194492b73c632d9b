"""A model that writes nothing, goes round in circles, or fails in the middle: one clear outcome each.

The faults are forced on the real model, by what its last layer gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.answer import AnswerEvent, FinishReason, TokenEvent
from kernel.app import Tekio
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.repetition import LEAST_REPEATED, repeated
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import TekioError

QUESTION = "At what temperature is the kiln K2 fired?"
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def tekio(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tekio]:
    root = tmp_path_factory.mktemp("faulty")
    (root / "docs").mkdir()
    (root / "docs" / "kiln.md").write_text("# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n")
    (root / "docs" / "glaze.md").write_text("# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n")
    app = Tekio(
        Settings(
            index=root / "index",
            examples=root / "examples",
            adapters=root / "adapters",
            cache=model_store.cache,
            max_new_tokens=160,
            generator_engine="transformers",
            prompts=[root / "prompts"],
        )
    )
    app.ingest([root / "docs"])
    yield app
    app.close()


@contextmanager
def forced(model: LanguageModel, choose: Callable[[int], int]) -> Iterator[None]:
    """Make the model write the tokens that `choose` gives, by their number in the answer."""
    model.load()
    written = 0

    def hook(module: Any, inputs: Any, logits: Any) -> Any:
        nonlocal written
        token = choose(written)
        written += 1
        logits[..., -1, :] = -1e4
        logits[..., -1, token] = 1e4
        return logits

    handle = model._model.get_output_embeddings().register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def model_of(tekio: Tekio) -> LanguageModel:
    return tekio._start().variants._local.engines()._find_plain().model


def round_of(model: LanguageModel, text: str) -> Callable[[int], int]:
    ids = model.tokenizer.encode_text(text)
    return lambda number: ids[number % len(ids)]


async def test_a_model_that_writes_nothing_leaves_a_quotation_that_says_so(tekio: Tekio) -> None:
    model = model_of(tekio)
    with forced(model, lambda number: model.tokenizer.stop_ids[0]):
        answer = await tekio.ask(QUESTION, cache=False)
    assert (answer.variant, answer.finish_reason) == ("extractive", FinishReason.STOP)
    assert "1,240" in answer.answer
    assert any("wrote nothing" in notice for notice in answer.notices)


async def test_a_model_that_goes_round_in_circles_is_stopped_and_its_answer_is_cut_to_once(
    tekio: Tekio,
) -> None:
    model = model_of(tekio)
    with forced(model, round_of(model, " The kiln K2 is fired at 1,240 °C.")):
        events = [event async for event in tekio.ask_stream(QUESTION, cache=False)]
    assert isinstance(events[-1], AnswerEvent)
    answer = events[-1].answer
    assert answer.finish_reason is FinishReason.REPETITION
    assert answer.answer == "The kiln K2 is fired at 1,240 °C [1]."
    assert answer.usage.completion_tokens < 160
    assert any("repeat" in notice for notice in answer.notices)
    streamed = "".join(event.text for event in events if isinstance(event, TokenEvent))
    assert streamed.count("1,240") > 1, "what was streamed was streamed; the answer is what counts"


async def test_a_model_that_goes_round_in_nonsense_leaves_a_quotation(tekio: Tekio) -> None:
    model = model_of(tekio)
    with forced(model, round_of(model, " la")):
        answer = await tekio.ask(QUESTION, cache=False)
    assert (answer.variant, answer.finish_reason) == ("extractive", FinishReason.STOP)
    assert "1,240" in answer.answer


async def test_a_model_that_fails_in_the_middle_is_one_line_and_the_next_question_is_answered(
    tekio: Tekio,
) -> None:
    model = model_of(tekio)

    def fail(number: int) -> int:
        if number == 3:
            raise RuntimeError("out of memory\nTraceback: many lines")
        return model.tokenizer.encode_text(" kiln")[0]

    for samples in (None, 3):
        with forced(model, fail), pytest.raises(TekioError, match="failed while it wrote") as raised:
            await tekio.ask(QUESTION, technique="chain_of_thought", samples=samples)
        assert "out of memory" in str(raised.value)
        assert "\n" not in str(raised.value)
    assert "1,240" in (await tekio.ask(QUESTION)).answer


async def test_drafts_that_loop_and_drafts_that_end_are_told_apart(tekio: Tekio) -> None:
    model = model_of(tekio)
    with forced(model, round_of(model, " The kiln is fired at 1,240 °C.")):
        drafts = model.generate_drafts(HELLO, Sampling(120, 0.7, seed=1), 3)
    assert {draft.finish_reason for draft in drafts} == {FinishReason.REPETITION}
    assert {draft.text.count("1,240") for draft in drafts} == {1}
    plain = model.generate_drafts(HELLO, Sampling(40, 0.7, seed=1), 3)
    assert all(draft.finish_reason in (FinishReason.STOP, FinishReason.LENGTH) for draft in plain)
    assert all(draft.completion_tokens <= 40 and draft.text for draft in plain)


def test_drafts_of_one_seed_are_the_same_again_and_greedy_ones_are_the_greedy_answer(tekio: Tekio) -> None:
    model = model_of(tekio)
    once, again = [
        [draft.text for draft in model.generate_drafts(HELLO, Sampling(12, 1.0, seed=4), 3)] for _ in range(2)
    ]
    assert once == again
    assert len(set(once)) > 1
    greedy = model.generate(HELLO, Sampling(12)).text
    assert [draft.text for draft in model.generate_drafts(HELLO, Sampling(12), 2)] == [greedy, greedy]


async def test_an_answer_of_several_drafts_says_how_many_agree(tekio: Tekio) -> None:
    answer = await tekio.ask(QUESTION, technique="hybrid", samples=3)
    assert answer.samples is not None
    assert answer.samples.n == 3
    assert round(answer.samples.agreement * 3) in (1, 2, 3)
    assert "1,240" in answer.answer
    assert answer.citations
    single = await tekio.ask(QUESTION, technique="hybrid")
    assert single.samples is None
    assert answer.usage.completion_tokens > single.usage.completion_tokens / 2


@pytest.mark.parametrize(
    ("ids", "count"),
    [
        ([1, 2, 3] * 20, 57),
        ([9, 8, 7, *([5] * 33)], 32),
        ([5] * 32, 0),
        (list(range(50)), 0),
        (list(range(30)) * 2, 0),
        (list(range(30)) * 3, 60),
        ([7, 7], 0),
        ([], 0),
    ],
)
def test_a_loop_is_told_from_a_row_of_zeros(ids: list[int], count: int) -> None:
    assert repeated(ids) == count


@given(
    st.lists(st.integers(0, 3), max_size=10),
    st.lists(st.integers(0, 3), min_size=1, max_size=20),
    st.integers(1, 40),
)
def test_what_is_cut_is_repeated_by_what_is_kept(head: list[int], body: list[int], times: int) -> None:
    ids = head + body * times
    cut = repeated(ids)
    assert cut == 0 or cut >= LEAST_REPEATED
    if len(body) * (times - 1) >= max(2 * len(body), LEAST_REPEATED):
        assert cut > 0
    assert cut < len(ids) or not ids


async def test_examples_reach_the_prompt_by_their_nearness_and_a_small_budget_leaves_them_out(
    tekio: Tekio, tmp_path: Path
) -> None:
    with_examples = await tekio.ask(QUESTION, technique="few_shot")
    settings = tekio.settings.model_copy(update={"example_tokens": 32, "examples": tmp_path})
    small = Tekio(settings)
    try:
        without = await small.ask(QUESTION, technique="few_shot")
    finally:
        small.close()
    assert without.usage.prompt_tokens < with_examples.usage.prompt_tokens - 100
    assert any("No example fits the 32 tokens" in notice for notice in without.notices)
    assert not any("example" in notice for notice in with_examples.notices)
