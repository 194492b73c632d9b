"""Memory as kernel functions: bound to one user, whatever a call says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from semantic_kernel import Kernel
from semantic_kernel.connectors.ai.function_calling_utils import (
    kernel_function_metadata_to_function_call_format,
)
from semantic_kernel.exceptions import FunctionExecutionException, KernelInvokeException
from semantic_kernel.functions.kernel_arguments import KernelArguments

from plugins.memory.records import MACHINE
from plugins.memory.store import MemoryStore
from plugins.memory_plugin import PLUGIN_NAME, MemoryPlugin
from retrieval.sentence_transformer import SentenceTransformerEmbedder

SECRET = "The code of my safe is 4711."


@pytest.fixture
def store(tmp_path: Path, embedder: SentenceTransformerEmbedder) -> Iterator[MemoryStore]:
    made = MemoryStore(tmp_path, lambda: embedder)
    yield made
    made.close()


def kernel_of(store: MemoryStore, owner: str) -> Kernel:
    kernel = Kernel()
    kernel.add_plugin(MemoryPlugin(store, owner), PLUGIN_NAME)
    return kernel


async def call(kernel: Kernel, function: str, **arguments: Any) -> Any:
    result = await kernel.invoke(
        plugin_name=PLUGIN_NAME, function_name=function, arguments=KernelArguments(None, **arguments)
    )
    return None if result is None else result.value


async def test_a_kernel_saves_and_recalls_for_its_own_user(store: MemoryStore) -> None:
    kernel = kernel_of(store, "user:aki")
    key = await call(kernel, "save", text=SECRET)
    (found,) = await call(kernel, "recall", query="What is the code of my safe?", top="2")
    assert (found.memory.id, found.memory.text, found.memory.source) == (key, SECRET, "request")


ARGUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"user": "aki"},
    {"user": "user:aki"},
    {"owner": "user:aki"},
    {"caller": {"user": "aki", "groups": []}},
    {"filter": "user=aki"},
    {"filters": ["user=user:aki"]},
    {"where": None},
    {"_owner": "user:aki"},
    {"store": None},
    {"conversation": "' OR user = 'user:aki"},
    {"conversation": "private"},
    {"top": 50, "skip": -1},
    {"top": [50]},
)


@pytest.mark.parametrize("owner", ["user:ben", "", MACHINE])
async def test_no_argument_of_a_call_reaches_anothers_memory(store: MemoryStore, owner: str) -> None:
    await call(kernel_of(store, "user:aki"), "save", text=SECRET)
    store.add("user:aki", f"Private: {SECRET}", conversation="private")
    kernel = kernel_of(store, owner)
    for number, arguments in enumerate(ARGUMENTS):
        found: Any = []
        with suppress(KernelInvokeException, FunctionExecutionException):  # what is refused finds nothing
            found = await call(kernel, "recall", **{"query": SECRET, "top": 50, **arguments})
        assert not [item for item in found or [] if SECRET in item.memory.text], arguments
        with suppress(KernelInvokeException, FunctionExecutionException):
            await call(kernel, "save", **{"text": f"I was here, {number}.", **arguments})
    assert {item.text for item in store.listed("user:aki")} == {SECRET, f"Private: {SECRET}"}


async def test_a_model_is_offered_neither_a_user_nor_a_conversation(store: MemoryStore) -> None:
    offered = {
        name: set(
            kernel_function_metadata_to_function_call_format(function.metadata)["function"]["parameters"][
                "properties"
            ]
        )
        for name, function in kernel_of(store, MACHINE).plugins[PLUGIN_NAME].functions.items()
    }
    assert offered == {"save": {"text"}, "recall": {"query", "top"}}
