"""A client of the REST API for Python programs, typed by the API's own models.

from tekio.client import Client

with Client("http://127.0.0.1:8400") as tekio:
    tekio.upload("manual.pdf")
    answer = tekio.ask("How long is the warranty?")
    for citation in answer.citations:
        print(citation.document, citation.page, citation.quote)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from httpx_sse import ServerSentEvent, connect_sse
from pydantic import BaseModel, TypeAdapter, ValidationError

from kernel.answer import Answer, AnswerEvent, PassagesEvent, TokenEvent
from retrieval.errors import TekioError
from ui.client_kept import KeptCalls
from ui.jobs.kinds import AnyJob
from ui.jobs.models import JobsResponse, JobView, JobWithResult
from ui.library_models import DeletedDocument, DocumentPassages, FailedUpload, UploadedFile, UploadResponse
from ui.memory_views import FeedbackList
from ui.rest_models import (
    AskRequest,
    DocumentsResponse,
    ErrorResponse,
    SearchRequest,
    SearchResponse,
    VariantsResponse,
)
from ui.views import CitationView, DocumentView, DoneView, PassageView

M = TypeVar("M", bound=BaseModel)
Event = PassagesEvent | TokenEvent | CitationView | AnswerEvent | DoneView
"""What the stream of an answer brings, in this order."""


class ApiError(TekioError):
    """The server refused. `problem` says why and what to do; None where it said nothing that can be read."""

    def __init__(self, status: int, problem: ErrorResponse | None, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem


class Client(KeptCalls):
    """A server that is asked. Close it, or use it as a context."""

    def __init__(self, base_url: str, *, key: str = "", timeout: float = 180.0) -> None:
        """Ask a server.

        Args:
            base_url: where it is, as `http://127.0.0.1:8400`.
            key: of the API, where the server wants one.
            timeout: longest wait between two signs of life, in seconds.
        """
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # -- questions ----------------------------------------------------------------------------------------

    def ask(self, question: str, **options: Any) -> Answer:
        """Answer a question; `options` are the fields of `AskRequest`.

        Raises:
            ApiError: the server refused.
            TekioError: it cannot be reached.
        """
        return self._post("/v1/ask", AskRequest(question=question, **options), Answer)

    def stream(self, question: str, **options: Any) -> Iterator[Event]:
        """Answer a question as it comes: passages, pieces of the draft, citations, the checked answer, the end.

        Leaving the iterator early stops the generation. See `ask` for errors, which may come in the midst as well.
        """
        body = AskRequest(question=question, **{**options, "stream": True})
        ended = False
        try:
            with connect_sse(self._http, "POST", "/v1/ask", json=_sent(body)) as source:
                if source.response.is_error:
                    source.response.read()
                _checked(source.response)
                for sse in source.iter_sse():
                    event = _event(sse)
                    ended = isinstance(event, DoneView)
                    yield event
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if not ended:
            raise TekioError("the connection ended before the answer did; ask again")

    def search(self, query: str, **options: Any) -> list[PassageView]:
        """Find passages; `options` are the fields of `SearchRequest`."""
        return self._post("/v1/search", SearchRequest(query=query, **options), SearchResponse).passages

    def variants(self) -> VariantsResponse:
        """Name who can answer, say of each what it is and whom it asks, and how prompts can be built."""
        return self._get("/v1/variants", VariantsResponse)

    # -- documents ----------------------------------------------------------------------------------------

    def documents(
        self, *, search: str = "", where: Sequence[str] = (), limit: int | None = None, offset: int = 0
    ) -> list[DocumentView]:
        """List the documents, or those that hold words and fit filters; of them some, or all without `limit`."""
        page = {} if limit is None else {"limit": limit}
        asked = {"search": search, "where": list(where), "offset": offset, **page}
        return self._get("/v1/documents", DocumentsResponse, **asked).documents

    def document(self, document_id: str) -> DocumentView:
        """Describe a document."""
        return self._get(f"/v1/documents/{document_id}", DocumentView)

    def passages(self, document_id: str, *, offset: int = 0, limit: int = 100) -> DocumentPassages:
        """Read passages of a document."""
        return self._get(
            f"/v1/documents/{document_id}/passages", DocumentPassages, offset=offset, limit=limit
        )

    def original(self, document_id: str) -> bytes:
        """Return the file that was read."""
        return self._call("GET", f"/v1/documents/{document_id}/original").content

    def page_image(
        self, document_id: str, page: int, *, start: int | None = None, end: int | None = None
    ) -> bytes:
        """Return a page of a PDF as PNG, with a span of the text marked."""
        span = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
        return self._call("GET", f"/v1/documents/{document_id}/pages/{page}.png", params=span).content

    def upload(
        self, *files: str | Path, tags: Sequence[str] = (), share: Sequence[str] = (), ocr: bool | None = None
    ) -> UploadResponse:
        """Take in files; what became of each is in the answer, also where none could be read."""
        form = {"tag": list(tags), "share": list(share), **({} if ocr is None else {"ocr": str(ocr).lower()})}
        with ExitStack() as stack:
            opened = [
                ("files", (Path(file).name, stack.enter_context(Path(file).open("rb")))) for file in files
            ]
            try:
                response = self._call("POST", "/v1/documents", files=opened, data=form)
            except ApiError as error:
                if isinstance(error.problem, FailedUpload):
                    rows = error.problem.files
                    return UploadResponse(added=0, updated=0, unchanged=0, failed=len(rows), files=rows)
                raise
        return UploadResponse.model_validate_json(response.content)

    def reread(self, document_id: str, *, ocr: bool | None = None) -> UploadedFile:
        """Read a document again from its file; what became of it is in the answer, also where it could not be read."""
        params = {} if ocr is None else {"ocr": ocr}
        try:
            response = self._call("POST", f"/v1/documents/{document_id}/reread", params=params)
        except ApiError as error:
            if isinstance(error.problem, FailedUpload):
                return error.problem.files[0]
            raise
        return UploadedFile.model_validate_json(response.content)

    def delete(self, document_id: str) -> DeletedDocument:
        """Delete a document."""
        gone = self._call("DELETE", f"/v1/documents/{document_id}")
        return DeletedDocument.model_validate_json(gone.content)

    # -- feedback -----------------------------------------------------------------------------------------

    def feedback(
        self,
        *,
        everybody: bool = False,
        rating: Literal["up", "down"] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> FeedbackList:
        """List what was said of answers, the newest first: your own, or what everybody said, for the scope `admin`."""
        wanted = {} if rating is None else {"rating": rating}
        asked = {"everybody": everybody, "limit": limit, "offset": offset, **wanted}
        return self._get("/v1/feedback", FeedbackList, **asked)

    # -- jobs ---------------------------------------------------------------------------------------------

    def start(self, job: AnyJob) -> JobView:
        """Start a job."""
        return self._post("/v1/jobs", job, JobView)

    def jobs(self) -> list[JobView]:
        """List the jobs, the newest first."""
        return self._get("/v1/jobs", JobsResponse).jobs

    def job(self, job_id: str) -> JobWithResult:
        """Tell how a job stands, and what it gave."""
        return self._get(f"/v1/jobs/{job_id}", JobWithResult)

    def follow(self, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the events of a job to its end: `message`, `progress` and last `done`, each with what it says."""
        try:
            with connect_sse(self._http, "GET", f"/v1/jobs/{job_id}/events") as source:
                if source.response.is_error:
                    source.response.read()
                _checked(source.response)
                for sse in source.iter_sse():
                    yield sse.event, json.loads(sse.data)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job."""
        return JobView.model_validate_json(self._call("DELETE", f"/v1/jobs/{job_id}").content)

    # -- parts --------------------------------------------------------------------------------------------

    def _get(self, path: str, model: type[M], **params: Any) -> M:
        return model.model_validate_json(self._call("GET", path, params=params).content)

    def _post(self, path: str, body: BaseModel, model: type[M]) -> M:
        return model.model_validate_json(self._call("POST", path, json=_sent(body)).content)

    def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        return _checked(response)


def _sent(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_none=True)


def _event(sse: ServerSentEvent) -> Event:
    if sse.event == "error":
        problem = ErrorResponse.model_validate_json(sse.data)
        raise ApiError(problem.status, problem, f"{problem.detail}: {problem.remedy}")
    if sse.event == "answer":
        return AnswerEvent(answer=Answer.model_validate_json(sse.data))
    models: dict[str, type[PassagesEvent | TokenEvent | CitationView | DoneView]] = {
        "passages": PassagesEvent,
        "token": TokenEvent,
        "citation": CitationView,
        "done": DoneView,
    }
    return models[sse.event].model_validate_json(sse.data)


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_error:
        return response
    try:
        problem: ErrorResponse | None = TypeAdapter(FailedUpload | ErrorResponse).validate_json(
            response.content
        )
    except ValidationError:
        problem = None
    said = f"{problem.detail}; {problem.remedy}" if problem else f"the server answered {response.status_code}"
    raise ApiError(response.status_code, problem, said)


def _unreachable(error: httpx.HTTPError) -> TekioError:
    return TekioError(
        f"the server cannot be reached: {type(error).__name__}; is `tekio serve` running there?"
    )
