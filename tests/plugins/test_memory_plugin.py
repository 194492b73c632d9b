"""Memories over the real collection and embedder: found by meaning, and only by whose they are."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_calling_utils import (
    kernel_function_metadata_to_function_call_format,
)
from semantic_kernel.functions.kernel_arguments import KernelArguments

from kernel.embedding_service import EmbeddingService
from plugins.memory_plugin import MAX_TEXT, PLUGIN_NAME, Memory, MemoryPlugin, memory_record_type
from retrieval.errors import UsageError
from retrieval.faiss_collection import FaissCollection

ENGLISH = "I prefer answers in two short sentences."
JAPANESE = "私の担当は第二工場のポンプの保守です。"
OTHER = "The meeting about the budget is on Friday."


def open_collection(folder: Path, embedding: EmbeddingService) -> FaissCollection[str, Any]:
    signature = embedding.embedder.signature
    return FaissCollection(  # type: ignore[call-arg]
        record_type=memory_record_type(signature.dimension),
        folder=folder,
        embedding_generator=embedding,
        signature=signature,
    )


@pytest.fixture
async def collection(tmp_path: Path, embedding: EmbeddingService) -> AsyncIterator[FaissCollection[str, Any]]:
    async with open_collection(tmp_path, embedding) as opened:
        yield opened


@pytest.fixture
def memory(collection: FaissCollection[str, Any]) -> MemoryPlugin:
    return MemoryPlugin(collection)


def texts(memories: list[Memory]) -> list[str]:
    return [memory.text for memory in memories]


async def test_recall_from_an_empty_memory_gives_nothing(memory: MemoryPlugin) -> None:
    assert await memory.recall("anything") == []


async def test_what_was_saved_is_recalled_by_its_meaning_in_both_languages(memory: MemoryPlugin) -> None:
    for text in (ENGLISH, JAPANESE, OTHER):
        await memory.save(text, user="aki")
    for query, best in (
        ("How long should a reply be?", ENGLISH),
        ("担当している設備は何ですか。", JAPANESE),
        ("When do we talk about money?", OTHER),
        ("Which machines does the user maintain?", JAPANESE),
    ):
        found = await memory.recall(query, top=1, user="aki")
        assert texts(found) == [best]
        assert 0.7 < found[0].similarity <= 1.0


async def test_memories_come_best_first_and_no_more_than_asked_for(memory: MemoryPlugin) -> None:
    for number in range(5):
        await memory.save(f"Pump {number} is in hall {number}.")
    found = await memory.recall("Pump 3 is in hall 3.", top=2)
    assert len(found) == 2
    assert found[0].text == "Pump 3 is in hall 3."
    assert found[0].similarity > found[1].similarity
    assert len(await memory.recall("pump", top=50)) == 5


async def test_the_same_text_is_saved_once_and_keeps_its_id(memory: MemoryPlugin) -> None:
    first = await memory.save(ENGLISH)
    assert await memory.save(f"  {ENGLISH}\n") == first
    found = await memory.recall("answers", top=5)
    assert texts(found) == [ENGLISH]
    assert found[0].id == first


async def test_nobody_recalls_or_replaces_what_another_user_saved(memory: MemoryPlugin) -> None:
    await memory.save("My safe's code is 4711.", user="aki")
    shared = await memory.save(ENGLISH, user="aki")
    assert await memory.save(ENGLISH, user="ben") != shared
    for user in ("ben", "default", "Aki", "aki ", "aki%", "' OR 1=1 --", "*"):
        assert "My safe's code is 4711." not in texts(
            await memory.recall("My safe's code is 4711.", 50, user)
        )
    assert texts(await memory.recall("answers", 50, "ben")) == [ENGLISH]
    assert len(await memory.recall("answers", 50, "aki")) == 2


async def test_a_line_end_in_a_users_name_does_not_make_it_anothers(memory: MemoryPlugin) -> None:
    await memory.save("b\nc", user="a")
    await memory.save("c", user="a\nb")
    assert texts(await memory.recall("c", user="a")) == ["b\nc"]
    assert texts(await memory.recall("c", user="a\nb")) == ["c"]


async def test_memories_survive_a_restart(tmp_path: Path, embedding: EmbeddingService) -> None:
    async with open_collection(tmp_path, embedding) as opened:
        await MemoryPlugin(opened).save(JAPANESE, user="aki")
    async with open_collection(tmp_path, embedding) as opened:
        memory = MemoryPlugin(opened)
        assert texts(await memory.recall("ポンプ", user="aki")) == [JAPANESE]
        assert await memory.recall("ポンプ", user="ben") == []


@pytest.mark.parametrize("text", ["a\ud800b", "nul\0byte", "<|im_start|>system", "x" * MAX_TEXT, "𠮷🎌"])
async def test_odd_characters_are_kept_or_replaced_and_never_fail(memory: MemoryPlugin, text: str) -> None:
    await memory.save(text)
    assert texts(await memory.recall(text)) == [text.replace("\ud800", "\ufffd")]


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (MAX_TEXT + 1)])
async def test_an_empty_or_endless_text_is_refused(memory: MemoryPlugin, text: str) -> None:
    with pytest.raises(UsageError, match="4,000 characters"):
        await memory.save(text)
    with pytest.raises(UsageError, match="4,000 characters"):
        await memory.recall(text)


@pytest.mark.parametrize("top", [0, -1, 51, 10**9])
async def test_a_number_out_of_range_is_refused(memory: MemoryPlugin, top: int) -> None:
    with pytest.raises(UsageError, match="top must be between 1 and 50"):
        await memory.recall("x", top=top)


async def test_a_user_without_a_name_is_refused(memory: MemoryPlugin) -> None:
    for call in (memory.save("x", user=" "), memory.recall("x", user="")):
        with pytest.raises(UsageError, match="must be named"):
            await call


async def test_a_kernel_calls_it_and_a_model_is_not_offered_the_choice_of_the_user(
    memory: MemoryPlugin,
) -> None:
    kernel = Kernel()
    kernel.add_plugin(memory, PLUGIN_NAME)
    await kernel.invoke(
        plugin_name=PLUGIN_NAME, function_name="save", arguments=KernelArguments(text=ENGLISH, user="aki")
    )
    for user, expected in (("aki", [ENGLISH]), ("ben", [])):
        arguments = KernelArguments(query="answers", top="2", user=user)
        result: Any = await kernel.invoke(
            plugin_name=PLUGIN_NAME, function_name="recall", arguments=arguments
        )
        assert texts(result.value) == expected
    offered = {
        name: set(
            kernel_function_metadata_to_function_call_format(function.metadata)["function"]["parameters"][
                "properties"
            ]
        )
        for name, function in kernel.plugins[PLUGIN_NAME].functions.items()
    }
    assert offered == {"save": {"text"}, "recall": {"query", "top"}}
