"""The chat services through a real kernel, on the default language model."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest
from pydantic import ValidationError
from semantic_kernel import Kernel
from semantic_kernel.contents import StreamingChatMessageContent
from semantic_kernel.contents.utils.finish_reason import FinishReason as KernelFinishReason
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.answer import FinishReason
from kernel.chat.chat_settings import GenerationSettings, StopSignal
from kernel.chat.extractive_chat import ExtractiveChatCompletion, ExtractiveSettings
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.one_at_a_time import OneAtATime
from kernel.chat.prompt_text import shield
from kernel.chat.selector import StrictServiceSelector
from kernel.chat.streaming import stream_prompt
from kernel.model_store import ModelStore
from kernel.variant_names import EXTRACTIVE
from plugins.prompt_functions import load_prompt_plugins
from retrieval.errors import TekioError

ANSWER = "The pump is inspected every 500 hours."


@pytest.fixture(scope="module")
def model(model_store: ModelStore) -> LanguageModel:
    found = model_store.resolve("SmolLM2-135M-Instruct")
    return LanguageModel(found.name, found.folder, dtype="float32", threads=1)


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture(scope="module")
def kernel(model: LanguageModel, thread: ThreadPoolExecutor) -> Kernel:
    base = LocalChatCompletion(service_id="base", generator=OneAtATime(model, thread))
    return Kernel(
        plugins=load_prompt_plugins(),
        services=[base, ExtractiveChatCompletion()],
        ai_service_selector=StrictServiceSelector(),
    )


def arguments(**settings: Any) -> KernelArguments:
    return KernelArguments(
        settings=GenerationSettings(service_id="base", **settings),
        passages=shield(f"[1] {ANSWER}"),
        question=shield("How often is the pump inspected?"),
    )


def prompt(kernel: Kernel) -> Any:
    return kernel.get_function("prompts_en", "zero_shot")


async def invoked(kernel: Kernel, given: KernelArguments) -> Any:
    result: Any = await kernel.invoke(prompt(kernel), given)
    (message,) = result.value
    return message


async def streamed(kernel: Kernel, given: KernelArguments) -> list[StreamingChatMessageContent]:
    messages: list[StreamingChatMessageContent] = []
    async for batch in kernel.invoke_stream(prompt(kernel), given):
        assert isinstance(batch, list)
        (message,) = batch
        assert isinstance(message, StreamingChatMessageContent)
        messages.append(message)
    return messages


def text_of(messages: list[StreamingChatMessageContent]) -> str:
    return "".join(str(message.content or "") for message in messages)


async def seconds_until_free(thread: ThreadPoolExecutor) -> float:
    started = time.perf_counter()
    await asyncio.wrap_future(thread.submit(lambda: None))
    return time.perf_counter() - started


async def test_a_stream_comes_in_pieces_and_says_the_same_as_the_whole(kernel: Kernel) -> None:
    whole = await invoked(kernel, arguments(max_new_tokens=16))
    pieces = await streamed(kernel, arguments(max_new_tokens=16))
    assert text_of(pieces) == whole.content
    assert whole.content.startswith("The pump is inspected every 500 hours")
    assert len([piece for piece in pieces if piece.content]) > 8


async def test_a_stream_of_rare_tokens_says_the_same_as_the_whole(kernel: Kernel) -> None:
    """Hot sampling gives cut characters, line ends and other scripts, which a stream must not lose or double."""
    wild = {"max_new_tokens": 24, "temperature": 2.0, "seed": 1}
    whole = await invoked(kernel, arguments(**wild))
    assert text_of(await streamed(kernel, arguments(**wild))) == whole.content


async def test_a_seed_repeats_an_answer_and_another_gives_another(kernel: Kernel) -> None:
    first, again, other = [
        (await invoked(kernel, arguments(max_new_tokens=4, temperature=1.5, seed=seed))).content
        for seed in (5, 5, 6)
    ]
    assert first == again != other


async def test_an_answer_that_is_cut_says_so_in_its_last_message(kernel: Kernel) -> None:
    pieces = await streamed(kernel, arguments(max_new_tokens=3))
    assert pieces[-1].finish_reason == KernelFinishReason.LENGTH
    assert all(piece.finish_reason is None for piece in pieces[:-1])
    metadata = pieces[-1].metadata
    assert (metadata["finish_reason"], metadata["completion_tokens"]) == ("length", 3)
    whole = await invoked(kernel, arguments(max_new_tokens=3))
    assert whole.finish_reason == KernelFinishReason.LENGTH
    assert (whole.metadata["finish_reason"], whole.metadata["completion_tokens"]) == ("length", 3)


async def test_the_count_of_prompt_tokens_is_that_of_the_chat_template(
    kernel: Kernel, model: LanguageModel
) -> None:
    given = arguments(max_new_tokens=1)
    rendered = await prompt(kernel).prompt_template.render(kernel, given)
    system, user = rendered.strip().split('</message>\n<message role="user">')
    messages = [
        {"role": "system", "content": system.removeprefix('<message role="system">')},
        {"role": "user", "content": user.removesuffix("</message>")},
    ]
    ids = model.tokenizer.tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert (await streamed(kernel, given))[-1].metadata["prompt_tokens"] == len(ids)


def test_an_answer_that_ends_by_itself_says_stop_and_holds_no_special_token(model: LanguageModel) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    done = model.generate(question, Sampling(max_new_tokens=24))
    assert done.finish_reason is FinishReason.STOP
    assert done.completion_tokens < 24
    assert "Paris" in done.text
    assert "<|" not in done.text
    assert 0 < done.seconds_to_first_token < done.seconds


async def test_closing_a_stream_stops_the_model_within_about_a_token(
    kernel: Kernel, thread: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    """Over the bare `kernel.invoke_stream` it went on to its end, as the log kept the generators alive."""
    with caplog.at_level(logging.WARNING):
        # Sampled hot, so that it does not end by itself: 2,000 tokens take a minute and more.
        given = arguments(max_new_tokens=2000, temperature=2.0, seed=3)
        async with aclosing(stream_prompt(kernel, prompt(kernel), given)) as stream:
            async for _ in stream:
                break
        assert await seconds_until_free(thread) < 10
    assert [record.getMessage() for record in caplog.records] == []


async def test_cancelling_the_task_stops_the_model_within_about_a_token(
    kernel: Kernel, thread: ThreadPoolExecutor
) -> None:
    begun = asyncio.Event()

    async def consume() -> None:
        async for _ in stream_prompt(
            kernel, prompt(kernel), arguments(max_new_tokens=2000, temperature=2.0, seed=3)
        ):
            begun.set()

    task = asyncio.create_task(consume())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await seconds_until_free(thread) < 10


async def test_cancelling_a_whole_answer_stops_the_model(kernel: Kernel, thread: ThreadPoolExecutor) -> None:
    task = asyncio.create_task(invoked(kernel, arguments(max_new_tokens=2000, temperature=2.0, seed=3)))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await seconds_until_free(thread) < 15  # it may still read the prompt


async def test_a_request_that_leaves_while_it_waits_for_the_model_is_never_run(
    kernel: Kernel, thread: ThreadPoolExecutor
) -> None:
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result()

    thread.submit(hold)
    waiting = asyncio.create_task(streamed(kernel, arguments(max_new_tokens=2000, temperature=2.0, seed=3)))
    await asyncio.sleep(0.2)
    waiting.cancel()
    await asyncio.wait([waiting])
    held.set()
    assert await seconds_until_free(thread) < 10


async def test_streaming_leaves_the_callers_arguments_fit_for_another_call(kernel: Kernel) -> None:
    given = arguments(max_new_tokens=4)
    before = dict(given)
    texts = []
    for _ in range(2):
        messages = [message async for message in stream_prompt(kernel, prompt(kernel), given)]
        assert messages[-1].metadata["completion_tokens"] == 4
        texts.append(text_of(messages))
    assert texts[0] == texts[1] != ""
    assert dict(given) == before
    settings: Any = (given.execution_settings or {})["base"]
    assert settings.stop is None


async def test_the_stop_of_a_request_ends_it_as_cancelled(kernel: Kernel) -> None:
    stop = StopSignal()
    stop.set()
    pieces = await streamed(kernel, arguments(max_new_tokens=50, stop=stop))
    assert (text_of(pieces), pieces[-1].metadata["finish_reason"]) == ("", "cancelled")


async def test_the_event_loop_goes_on_while_the_model_works(kernel: Kernel) -> None:
    gaps: list[float] = []

    async def heartbeat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(heartbeat())
    started = time.perf_counter()
    await streamed(kernel, arguments(max_new_tokens=12))
    await invoked(kernel, arguments(max_new_tokens=12))
    worked = time.perf_counter() - started
    beating.cancel()
    # A loop that waited for the model would have one gap for each answer, of about half the time.
    assert max(gaps) < worked / 4
    assert len(gaps) > 10 * worked


async def test_concurrent_requests_all_finish_and_do_not_mix(kernel: Kernel) -> None:
    alone = text_of(await streamed(kernel, arguments(max_new_tokens=6)))
    hot = {"max_new_tokens": 6, "temperature": 1.5, "seed": 9}
    hot_alone = text_of(await streamed(kernel, arguments(**hot)))
    first, second, third = await asyncio.gather(
        streamed(kernel, arguments(max_new_tokens=6)),
        streamed(kernel, arguments(**hot)),
        streamed(kernel, arguments(max_new_tokens=6)),
    )
    assert (text_of(first), text_of(second), text_of(third)) == (alone, hot_alone, alone)
    assert alone != hot_alone


def chain(error: BaseException) -> list[BaseException]:
    found, inner = [], error.__cause__
    while inner is not None:
        found.append(inner)
        inner = inner.__cause__
    return [error, *found]


async def test_a_prompt_longer_than_the_window_is_one_clear_error(
    kernel: Kernel, thread: ThreadPoolExecutor
) -> None:
    given = arguments(max_new_tokens=100)
    given["passages"] = shield("word " * 9000)
    with pytest.raises(
        TekioError, match="do not fit the window of 8192 tokens of SmolLM2-135M-Instruct"
    ) as raised:
        await streamed(kernel, given)
    assert "\n" not in str(raised.value)
    given = arguments(max_new_tokens=8150)  # the answer needs room too
    with pytest.raises(Exception, match="prompts_en-zero_shot") as wrapped:
        await invoked(kernel, given)
    assert any(isinstance(error, TekioError) for error in chain(wrapped.value))
    assert await seconds_until_free(thread) < 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": float("nan")},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"max_new_tokens": 0},
        {"repetition_penalty": 0.5},
        {"seed": "x"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        GenerationSettings(service_id="base", **wrong)


def test_settings_reach_the_model_as_they_were_given() -> None:
    given = GenerationSettings(
        service_id="base", max_new_tokens=7, temperature=0.5, top_p=0.9, repetition_penalty=1.1, seed=4
    )
    assert given.sampling() == Sampling(7, 0.5, 0.9, 1.1, 4)
    assert GenerationSettings().sampling().temperature == 0.0


async def test_a_repetition_penalty_changes_the_answer(kernel: Kernel) -> None:
    plain = await invoked(kernel, arguments(max_new_tokens=8))
    penalised = await invoked(kernel, arguments(max_new_tokens=8, repetition_penalty=2.0))
    assert plain.content != penalised.content


async def test_extractive_answers_with_its_sentences_verbatim_whole_and_as_a_stream(
    kernel: Kernel, model: LanguageModel
) -> None:
    sentences = ["ポンプは500時間ごとに点検する。", "It costs < 5 & more.\t", "<|im_end|>"]
    given = arguments()
    given.execution_settings = {EXTRACTIVE: ExtractiveSettings(service_id=EXTRACTIVE, sentences=sentences)}
    pieces = await streamed(kernel, given)
    assert text_of(pieces) == "\n".join(sentences)
    assert pieces[-1].finish_reason == KernelFinishReason.STOP
    assert pieces[-1].metadata["finish_reason"] == "stop"
    whole = await invoked(kernel, given)
    assert (whole.content, whole.finish_reason) == ("\n".join(sentences), KernelFinishReason.STOP)


async def test_extractive_loads_no_weights(model_store: ModelStore) -> None:
    found = model_store.resolve("SmolLM2-135M-Instruct")
    unused = LanguageModel(found.name, found.folder)
    with ThreadPoolExecutor(1) as thread:
        kernel = Kernel(
            plugins=load_prompt_plugins(),
            services=[
                LocalChatCompletion(service_id="base", generator=OneAtATime(unused, thread)),
                ExtractiveChatCompletion(),
            ],
            ai_service_selector=StrictServiceSelector(),
        )
        given = arguments()
        given.execution_settings = {EXTRACTIVE: ExtractiveSettings(service_id=EXTRACTIVE, sentences=["A."])}
        assert text_of(await streamed(kernel, given)) == "A."
    assert unused.tokenizer.encode_text("counting needs no weights either")
    assert not unused.is_loaded
