"""What the client calls beside questions, documents and jobs: what is kept, and what is written of documents."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from kernel.answer import Answer
from kernel.documents.results import Comparison, Extraction, Summary
from kernel.pipelines.describing import PipelinesResponse, PipelineView
from kernel.pipelines.events import PipelineResult
from kernel.policies.serving import PolicyState
from ui.memory_views import MemoryView
from ui.rest_conversations import ConversationsResponse, ConversationView, WholeConversation
from ui.rest_examples import ExamplesResponse, ExampleView
from ui.rest_policies import PoliciesResponse

M = TypeVar("M", bound=BaseModel)
_MEMORIES = TypeAdapter(dict[Literal["memories"], list[MemoryView]])
_DELETED = TypeAdapter(dict[Literal["deleted"], int])
_RATED = TypeAdapter(dict[Literal["id", "memory"], int | MemoryView | None])


class KeptCalls(ABC):
    """Calls of a client. What is left out is as the address has it in /docs; see `Client.ask` for errors."""

    @abstractmethod
    def _get(self, path: str, model: type[M], **params: Any) -> M: ...

    @abstractmethod
    def _call(self, method: str, path: str, **options: Any) -> httpx.Response: ...

    # -- conversations ------------------------------------------------------------------------------------

    def conversations(self, *, search: str = "") -> list[ConversationView]:
        """List the caller's conversations, or those that hold something, the newest first."""
        return self._get("/v1/conversations", ConversationsResponse, search=search).conversations

    def conversation(self, name: str) -> WholeConversation:
        """Return a conversation with its turns."""
        return self._get(_conversation(name), WholeConversation)

    def export(
        self,
        name: str,
        form: Literal["markdown", "json", "pdf"] = "markdown",
        *,
        language: Literal["en", "ja"] = "en",
    ) -> bytes:
        """Return a conversation as a file to take away."""
        asked = {"format": form, "language": language}
        return self._call("GET", f"{_conversation(name)}/export", params=asked).content

    def rename(self, name: str, title: str) -> ConversationView:
        """Give a conversation a title."""
        return self._send("PATCH", _conversation(name), ConversationView, title=title)

    def forget_conversation(self, name: str) -> int:
        """Delete a conversation with what is remembered for it alone; say how much that was."""
        return self._deleted(_conversation(name))

    # -- memory and feedback ------------------------------------------------------------------------------

    def memories(self, *, conversation: str | None = None) -> list[MemoryView]:
        """List what is remembered for the caller, the newest first."""
        asked = {} if conversation is None else {"conversation": conversation}
        return _MEMORIES.validate_json(self._call("GET", "/v1/memory", params=asked).content)["memories"]

    def remember(
        self, text: str, *, answer: str = "", conversation: str = "", expires: str = ""
    ) -> MemoryView:
        """Remember a fact, or a question with its answer."""
        said = {"text": text, "answer": answer, "conversation": conversation, "expires": expires}
        return self._send("POST", "/v1/memory", MemoryView, **said)

    def change_memory(
        self,
        memory_id: str,
        *,
        text: str | None = None,
        answer: str | None = None,
        expires: str | None = None,
        confirm: bool = False,
    ) -> MemoryView:
        """Change a memory, or confirm that it is right."""
        said = {"text": text, "answer": answer, "expires": expires, "confirm": confirm}
        return self._send("PATCH", f"/v1/memory/{_part(memory_id)}", MemoryView, **said)

    def forget(self, memory_id: str) -> int:
        """Delete a memory; say how many were deleted."""
        return self._deleted(f"/v1/memory/{_part(memory_id)}")

    def rate(
        self,
        answer: Answer,
        rating: Literal["up", "down"],
        *,
        comment: str = "",
        correction: str = "",
        conversation: str = "",
    ) -> MemoryView | None:
        """Say what the caller thinks of an answer; return what was remembered of it: an `up`, or the `correction`."""
        said = {"comment": comment, "correction": correction, "conversation": conversation}
        body = {"answer": answer.model_dump(mode="json"), "rating": rating, **said}
        kept = _RATED.validate_json(self._call("POST", "/v1/feedback", json=body).content)["memory"]
        return kept if isinstance(kept, MemoryView) else None

    # -- examples -----------------------------------------------------------------------------------------

    def examples(self) -> list[ExampleView]:
        """List the worked examples that the caller sees."""
        return self._get("/v1/examples", ExamplesResponse).examples

    def add_example(
        self, question: str, passages: Sequence[str], answer: str, *, reasoning: str | None = None
    ) -> ExampleView:
        """Add a worked example, of which the answer cites the passages, as in [1]."""
        said = {"question": question, "passages": list(passages), "answer": answer, "reasoning": reasoning}
        return self._send("POST", "/v1/examples", ExampleView, **said)

    def approve(self, answer: Answer) -> ExampleView:
        """Make a worked example of an answer."""
        return self._send("POST", "/v1/examples", ExampleView, from_answer=answer.model_dump(mode="json"))

    def delete_example(self, key: str) -> None:
        """Delete a worked example."""
        self._call("DELETE", f"/v1/examples/{_part(key)}")

    # -- documents as a whole -----------------------------------------------------------------------------

    def summarize(
        self, document: str, *, sentences: int = 5, variant: str | None = None, language: str | None = None
    ) -> Summary:
        """Summarise a document, each sentence cited."""
        said = {"document": document, "sentences": sentences, "variant": variant, "language": language}
        return self._send("POST", "/v1/summarize", Summary, **said)

    def compare(
        self,
        first: str,
        second: str,
        *,
        about: str | None = None,
        variant: str | None = None,
        language: str | None = None,
    ) -> Comparison:
        """Compare two documents sentence by sentence."""
        said = {"first": first, "second": second, "about": about, "variant": variant, "language": language}
        return self._send("POST", "/v1/compare", Comparison, **said)

    def extract(
        self,
        schema: Mapping[str, Any],
        *,
        document: str | None = None,
        question: str | None = None,
        variant: str | None = None,
        language: str | None = None,
    ) -> Extraction:
        """Read facts by a JSON Schema out of a document, or of what is found for a question."""
        said = {"document": document, "question": question, "variant": variant, "language": language}
        return self._send("POST", "/v1/extract", Extraction, schema=dict(schema), **said)

    # -- pipelines ----------------------------------------------------------------------------------------

    def pipelines(self) -> list[PipelineView]:
        """List the pipelines with their steps."""
        return self._get("/v1/pipelines", PipelinesResponse).pipelines

    def run_pipeline(
        self, name: str, text: str, *, language: str | None = None, cache: bool = True
    ) -> PipelineResult:
        """Run a pipeline over a text, and wait for its result."""
        said = {"text": text, "language": language, "cache": cache}
        return self._send("POST", f"/v1/pipelines/{_part(name)}", PipelineResult, **said)

    # -- policies -----------------------------------------------------------------------------------------

    def policies(self) -> list[PolicyState]:
        """List the policies: which serves, which was trained last, and what each is worth."""
        return self._get("/v1/policies", PoliciesResponse).policies

    def activate_policy(self, name: str, *, force: bool = False) -> PolicyState:
        """Let the policy that was trained last serve; `force` has one serve that is not shown to be better."""
        return self._send("POST", f"/v1/policies/{_part(name)}/activate", PolicyState, force=force)

    def roll_back_policy(self, name: str) -> PolicyState:
        """Take the policy that serves out; the one before serves again, or the safe default."""
        return self._send("POST", f"/v1/policies/{_part(name)}/rollback", PolicyState)

    # -- parts --------------------------------------------------------------------------------------------

    def _send(self, method: str, path: str, model: type[M], **body: Any) -> M:
        return model.model_validate_json(self._call(method, path, json=body).content)

    def _deleted(self, path: str) -> int:
        return _DELETED.validate_json(self._call("DELETE", path).content)["deleted"]


def _part(name: str) -> str:
    return quote(name, safe="")


def _conversation(name: str) -> str:
    return f"/v1/conversations/{quote(name)}"
