"""Retrieval as a kernel function over a real index: arguments are checked, filters always hold."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from semantic_kernel import Kernel
from semantic_kernel.functions.kernel_arguments import KernelArguments

from ingest.pipeline import ingest_paths
from kernel.embedding_service import EmbeddingService
from kernel.ingestion import ingest_plan
from kernel.settings import Settings
from plugins.retrieval_plugin import MAX_SKIP, PLUGIN_NAME, RetrievalPlugin
from retrieval.errors import UsageError
from retrieval.filters import Filter
from retrieval.passages import PassageIndex
from retrieval.queries import MAX_QUERY, MAX_TOP, check_query
from retrieval.ranking import Query
from retrieval.records import Passage
from retrieval.sentence_transformer import SentenceTransformerEmbedder

DOCUMENTS = {
    "pump.md": "# Pumps\n\nThe pump is inspected every 500 hours of operation by the maintenance team.\n",
    "belt.md": "# Belts\n\nThe pump belt is replaced every 4,000 hours of operation.\n",
    "archive.md": "# Archive\n\nThe archive is open to staff from 9:00 to 16:30 on weekdays.\n",
    "ポンプ.md": "# ポンプ\n\nポンプは運転500時間ごとに保守担当が点検する。\n",
    "資料室.md": "# 資料室\n\n資料室は職員に限り、平日の9時から16時30分まで利用できる。\n",
}
QUERY = "pump inspection hours"


@pytest.fixture(scope="module")
def index(
    tmp_path_factory: pytest.TempPathFactory, embedder: SentenceTransformerEmbedder
) -> Iterator[PassageIndex]:
    folder = tmp_path_factory.mktemp("docs")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    opened = PassageIndex(tmp_path_factory.mktemp("index"), embedder.signature, create=True)
    with opened.writing():
        plan = ingest_plan(Settings(), embedder)
        ingest_paths([folder], store=opened, embedder=embedder, plan=plan)
    yield opened
    opened.close()


@pytest.fixture
def plugin(index: PassageIndex, embedding: EmbeddingService) -> RetrievalPlugin:
    async def search(query: str, top: int, where: Filter | None, parts: Sequence[str] = ()) -> list[Passage]:
        vector, *others = await embedding.generate_embeddings([query, *parts])
        each = [Query(text, made) for text, made in zip(parts, others, strict=True)]
        return index.search(query, vector, top_k=top, where=where, parts=each)

    return RetrievalPlugin(search)


def names(passages: list[Passage]) -> list[str]:
    return [passage.document for passage in passages]


async def test_passages_come_best_first_and_as_many_as_asked_for(plugin: RetrievalPlugin) -> None:
    found = await plugin.search(f"  {QUERY}\n", top=3)
    assert len(found) == 3
    assert "pump.md" in names(found)[:2]
    assert [passage.score for passage in found] == sorted((p.score for p in found), reverse=True)
    assert len(await plugin.search(QUERY, top=MAX_TOP)) == 5


async def test_skip_leaves_out_the_best_and_changes_nothing_else(plugin: RetrievalPlugin) -> None:
    everything = names(await plugin.search(QUERY, top=5))
    assert names(await plugin.search(QUERY, top=2, skip=2)) == everything[2:4]
    assert await plugin.search(QUERY, top=5, skip=5) == []
    assert await plugin.search(QUERY, top=MAX_TOP, skip=MAX_SKIP) == []


async def test_a_document_is_the_only_one_that_is_looked_in(plugin: RetrievalPlugin) -> None:
    assert names(await plugin.search(QUERY, top=5, document="archive.md")) == ["archive.md"]
    assert names(await plugin.search(QUERY, top=5, document="資料室.md")) == ["資料室.md"]
    for name in ("archive", "ARCHIVE.md", "%", "x' OR '1'='1"):
        assert await plugin.search(QUERY, top=5, document=name) == []


async def test_a_language_is_the_only_one_that_is_looked_in(plugin: RetrievalPlugin) -> None:
    assert sorted(names(await plugin.search(QUERY, top=5, language="ja"))) == ["ポンプ.md", "資料室.md"]
    assert len(await plugin.search("ポンプの点検", top=5, language="en")) == 3


async def test_document_and_language_both_hold(plugin: RetrievalPlugin) -> None:
    assert names(await plugin.search(QUERY, document="pump.md", language="en")) == ["pump.md"]
    assert await plugin.search(QUERY, document="pump.md", language="ja") == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"top": 0}, "top must be between 1 and 100, not 0"),
        ({"top": -1}, "top must be between"),
        ({"top": 101}, "top must be between"),
        ({"top": 10**9}, "top must be between"),
        ({"skip": -1}, "skip must be between 0 and 900, not -1"),
        ({"skip": 10**9}, "skip must be between"),
        ({"query": ""}, "is empty"),
        ({"query": " \n\t　"}, "is empty"),
        ({"query": "x" * 100_000}, "100,000 characters, 8,000 are the most"),
        ({"parts": ["a", "b", "c", "d", "e"]}, "4 parts, not 5"),
        ({"parts": ["a", " "]}, "is empty"),
        ({"parts": ["x" * 100_000]}, "8,000 are the most"),
    ],
)
async def test_arguments_out_of_range_are_refused_with_and_without_a_kernel(
    plugin: RetrievalPlugin, wrong: dict[str, Any], message: str
) -> None:
    """Semantic Kernel's own search function answers such a call without its filter."""
    given: dict[str, Any] = {"query": QUERY, "document": "pump.md"} | wrong
    with pytest.raises(UsageError, match=message):
        await plugin.search(**given)
    kernel = Kernel()
    kernel.add_plugin(plugin, PLUGIN_NAME)
    with pytest.raises(Exception, match="retrieval-search") as raised:
        await kernel.invoke(
            plugin_name=PLUGIN_NAME, function_name="search", arguments=KernelArguments(**given)
        )
    causes: list[BaseException] = [raised.value]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    assert any(isinstance(cause, UsageError) for cause in causes)


async def test_a_kernel_calls_it_with_numbers_written_as_text(plugin: RetrievalPlugin) -> None:
    kernel = Kernel()
    kernel.add_plugin(plugin, PLUGIN_NAME)
    arguments = KernelArguments(query=QUERY, top="2", language="ja")
    result: Any = await kernel.invoke(plugin_name=PLUGIN_NAME, function_name="search", arguments=arguments)
    assert sorted(names(result.value)) == ["ポンプ.md", "資料室.md"]


async def test_parts_are_searched_for_as_well_and_the_filter_holds_for_them(plugin: RetrievalPlugin) -> None:
    kernel = Kernel()
    kernel.add_plugin(plugin, PLUGIN_NAME)
    parts = ["When is the pump inspected?", "When is the archive open?", "When is the archive open?"]
    arguments = KernelArguments(query="pump inspection, and the archive", top=2, parts=parts)
    result: Any = await kernel.invoke(plugin_name=PLUGIN_NAME, function_name="search", arguments=arguments)
    assert sorted(names(result.value)) == ["archive.md", "pump.md"]
    assert set(result.value[0].parts) == set(parts)
    assert names(await plugin.search(QUERY, parts=parts, document="belt.md")) == ["belt.md"]


@pytest.mark.parametrize("wrong", ["What is it?", [1, 2]])
async def test_parts_that_are_no_list_of_texts_are_refused(plugin: RetrievalPlugin, wrong: Any) -> None:
    with pytest.raises(UsageError, match="list of texts"):
        await plugin.search(QUERY, parts=wrong)


def test_the_longest_query_is_taken_and_comes_back_without_space_around_it() -> None:
    assert check_query(f" {'x' * MAX_QUERY} ") == "x" * MAX_QUERY
