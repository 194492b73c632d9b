"""Retrieval as kernel functions, with arguments that are checked.

Semantic Kernel's own search function drops the developer's filter when a caller's `top` or `skip` is out of
range; here such a call is refused, and filters are data.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from semantic_kernel.functions.kernel_function_decorator import kernel_function

from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.filters import All, Filter, Where
from retrieval.queries import MAX_TOP, check_parts, check_query
from retrieval.records import Passage

PLUGIN_NAME = "retrieval"
MAX_SKIP = 900  # with MAX_TOP, as deep as the index looks

SearchPassages = Callable[[str, int, Filter | None, Sequence[str]], Awaitable[list[Passage]]]


class RetrievalPlugin:
    """Finds passages in the index."""

    def __init__(self, search_passages: SearchPassages) -> None:
        """Make the plugin over a function (query, how many, filter, parts of the query) -> passages, best first."""
        self._search = search_passages

    @kernel_function(name="search", description="Find the passages of the documents that answer a question.")
    async def search(
        self,
        query: Annotated[str, "what to look for"],
        top: Annotated[int, "how many passages, 1 to 100"] = 5,
        skip: Annotated[int, "how many of the best to leave out"] = 0,
        document: Annotated[str | None, "look only in the document of this name"] = None,
        language: Annotated[str | None, "look only in documents of this language, e.g. ja"] = None,
        filters: Annotated[
            list[str] | None, "look only where all hold, e.g. modified>=2024, tag.ward=icu"
        ] = None,
        parts: Annotated[
            list[str] | None,
            "the single questions that a query of several parts asks, at most 4, each searched for as well",
        ] = None,
    ) -> list[Passage]:
        """Return passages, best first.

        Raises:
            UsageError: the query or a part is empty or too long, `top` or `skip` is out of range, a filter is none,
                or there are too many parts.
        """
        query = check_query(query)
        if not 1 <= top <= MAX_TOP:
            raise UsageError(f"top must be between 1 and {MAX_TOP}, not {top}")
        if not 0 <= skip <= MAX_SKIP:
            raise UsageError(f"skip must be between 0 and {MAX_SKIP}, not {skip}")
        wanted: list[Filter] = [
            Where(name, "==", value)
            for name, value in (("document", document), ("language", language))
            if value
        ]
        narrow = parse_filters(filters or [])
        wanted += [narrow] if narrow is not None else []
        where = All(tuple(wanted)) if wanted else None
        return (await self._search(query, top + skip, where, check_parts(parts or [])))[skip:]
