"""The Semantic Kernel of an engine, and the one for a caller, whose functions search and remember for them alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from semantic_kernel import Kernel

from kernel.chat.extractive_chat import ExtractiveChatCompletion
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.selector import StrictServiceSelector
from kernel.embedding_service import EmbeddingService
from kernel.engine.searching import Searching
from plugins.memory.records import owner_of
from plugins.memory.store import MemoryStore
from plugins.memory_plugin import PLUGIN_NAME as MEMORY
from plugins.memory_plugin import MemoryPlugin
from plugins.own_prompts import add_own_prompts
from plugins.prompt_functions import load_prompt_plugins
from plugins.retrieval_plugin import PLUGIN_NAME as RETRIEVAL
from plugins.retrieval_plugin import RetrievalPlugin
from retrieval.access import Caller
from retrieval.filters import Filter
from retrieval.records import Passage
from retrieval.sentence_transformer import SentenceTransformerEmbedder


def make_kernel(
    prompts: Sequence[Path],
    embedder: SentenceTransformerEmbedder,
    searching: Searching,
    memories: MemoryStore,
) -> Kernel:
    """Return a kernel with the prompt functions, the search and the memory; it has no language model yet.

    Args:
        prompts: folders with prompt functions of the reader's own.
        embedder: is a service of the kernel's.
        searching: is what its search calls.
        memories: is what its memory calls, for who owns the machine.
    """
    plugins = load_prompt_plugins()
    add_own_prompts(plugins, prompts)
    kernel = Kernel(
        plugins=plugins,
        services=[EmbeddingService(embedder), ExtractiveChatCompletion()],
        ai_service_selector=StrictServiceSelector(),
    )
    kernel.add_plugin(RetrievalPlugin(searching.search), RETRIEVAL)
    kernel.add_plugin(MemoryPlugin(memories, owner_of(None)), MEMORY)
    return kernel


def kernel_for(caller: Caller, kernel: Kernel, searching: Searching, memories: MemoryStore) -> Kernel:
    """Return a kernel for a caller, with functions and turns at the language model that are theirs alone.

    Who asks is no argument of these functions, so nothing that a model writes into a call can widen them.
    """
    user = caller.own_name
    services = {
        name: service.of_user(user) if isinstance(service, LocalChatCompletion) else service
        for name, service in kernel.services.items()
    }
    own = kernel.model_copy(update={"plugins": dict(kernel.plugins), "services": services})

    async def search(query: str, top: int, where: Filter | None, parts: Sequence[str]) -> list[Passage]:
        return await searching.search(query, top, where, parts, caller=caller)

    own.add_plugin(RetrievalPlugin(search), RETRIEVAL)
    own.add_plugin(MemoryPlugin(memories, owner_of(caller)), MEMORY)
    return own
