"""HTTP that goes to one host alone, reads so many bytes and no more, and follows no redirect.

Whatever a description, a server or a model says, a request leaves this program only for the origin that the
settings name; proxies and password files of the machine are not used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import httpx

from plugins.external.offered import FunctionFailedError

MAX_BYTES = 1_000_000
"""The largest answer that is read of a call."""
MAX_DESCRIPTION_BYTES = 5_000_000


def origin_of(address: str) -> str:
    """Return the scheme, host and port of an address."""
    url = httpx.URL(address)
    port = url.port or {"http": 80, "https": 443}.get(url.scheme, 0)
    return f"{url.scheme}://{url.host}:{port}"


def bounded_client(
    address: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    most_bytes: int = MAX_BYTES,
    on_fault: Callable[[str], None] = lambda reason: None,
) -> httpx.AsyncClient:
    """Return a client for the origin of an address.

    Args:
        address: where it may go.
        seconds: longest wait for a connection, and for each piece of an answer.
        headers: to send with each request.
        most_bytes: largest answer.
        on_fault: is told when a bound is met, for a caller that sees no more than the end of an answer.
    """
    return httpx.AsyncClient(
        transport=_Bounded(origin_of(address), most_bytes, on_fault),
        headers={"Accept-Encoding": "identity", "User-Agent": "tekio", **(headers or {})},
        timeout=seconds,
        follow_redirects=False,
        trust_env=False,
    )


class _Bounded(httpx.AsyncBaseTransport):
    def __init__(self, origin: str, most_bytes: int, on_fault: Callable[[str], None]) -> None:
        self._origin = origin
        self._most_bytes = most_bytes
        self._on_fault = on_fault
        self._inner = httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if origin_of(str(request.url)) != self._origin:
            raise self._fault(f"a request would have left {self._origin}, and was not sent")
        response = await self._inner.handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":  # unpacked, it could be of any size
            await response.aclose()
            raise self._fault(f"the server packed its answer as {encoding[:20]}, which was not asked for")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _Counted(response.stream, self._most_bytes, self._fault)
        return response

    def _fault(self, reason: str) -> FunctionFailedError:
        self._on_fault(reason)
        return FunctionFailedError(reason)

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        most_bytes: int,
        fault: Callable[[str], FunctionFailedError],
    ) -> None:
        self._stream = stream
        self._most_bytes = most_bytes
        self._fault = fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._stream:
            read += len(piece)
            if read > self._most_bytes:
                raise self._fault(f"the answer is larger than {self._most_bytes:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def reason_of(error: BaseException, seconds: float) -> str:
    """Return what went wrong with a request, in one line that holds no header."""
    if isinstance(error, FunctionFailedError):
        return str(error)
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(error, httpx.ConnectError):
        return "no server can be reached at its address"
    if isinstance(error, httpx.HTTPStatusError):
        return status_reason(error.response)
    return " ".join(str(error).split())[:200] or type(error).__name__


def status_reason(response: httpx.Response) -> str:
    """Return what an answer that is no success says."""
    if response.is_redirect:
        return (
            f"the server sends on to another address (status {response.status_code}), which is not followed"
        )
    return f"the server answered with status {response.status_code}"
