"""MCP servers, each a real process: one that answers, and one for each way in which a server fails."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from plugins.external.attached import AttachedFunctions, AttachedState
from plugins.external.attachment import Attachment
from plugins.external.offered import FunctionFailedError, OfferedFunction
from tests.plugins.external.conftest import MCP_SERVER

COMMAND = [sys.executable, str(MCP_SERVER)]
SECONDS = 3.0


@contextmanager
def attached(environment: dict[str, str] | None = None, **table: Any) -> Iterator[AttachedFunctions]:
    table = {"name": "workshop", "seconds": 60, **table}
    functions = AttachedFunctions([Attachment(**table)], environment)
    try:
        yield functions
    finally:
        functions.close()


async def only(functions: AttachedFunctions) -> AttachedState:
    (state,) = await functions.states()
    return state


def named(state: AttachedState, name: str) -> OfferedFunction:
    return next(each for each in state.functions if each.name == name)


async def test_only_the_tools_that_are_allowed_are_offered_and_the_others_are_named() -> None:
    with attached(mcp_command=COMMAND, allow=["stock", "gone"]) as functions:
        state = await only(functions)
        assert state.error == ""
        assert [each.full_name for each in state.functions] == ["workshop-stock"]
        assert "unlisted" in state.others
        assert state.missing == ("gone",)
        assert await named(state, "stock").call({"part": "K2"}) == "K2 (all): 17 in stock"


async def test_a_server_over_http_answers_as_one_over_stdio_does(mcp_url: str) -> None:
    with attached(mcp_url=mcp_url, allow=["stock"]) as functions:
        state = await only(functions)
        assert await named(state, "stock").call({"part": "K2", "service": "shop"}) == "K2 (shop): 17 in stock"


@pytest.mark.parametrize(
    "script",
    [
        "import time; time.sleep(60)",
        "import sys\nfor line in sys.stdin: pass",
        "print('hello')\nimport time; time.sleep(60)",
    ],
)
async def test_a_server_that_hangs_at_the_start_is_given_up_in_time(script: str) -> None:
    with attached(mcp_command=[sys.executable, "-c", script], allow=["stock"], seconds=1) as functions:
        started = time.perf_counter()
        state = await only(functions)
        assert state.error == "no answer within 1 s"
        assert time.perf_counter() - started < SECONDS
        started = time.perf_counter()
        await only(functions)
        assert time.perf_counter() - started < 0.8, "it is left alone for a while"


async def test_a_server_that_dies_at_the_start_is_told_by_its_last_words() -> None:
    script = "import sys; print('no licence file', file=sys.stderr); sys.exit(4)"
    with attached(mcp_command=[sys.executable, "-c", script], allow=["stock"]) as functions:
        assert (await only(functions)).error == "the program ended with code 4: no licence file"


async def test_a_command_that_is_not_there_is_told() -> None:
    with attached(mcp_command=["no-such-program-here"], allow=["stock"]) as functions:
        assert "no-such-program-here cannot be started" in (await only(functions)).error


async def test_a_call_that_hangs_ends_in_time_and_the_next_call_works() -> None:
    with attached(mcp_command=COMMAND, allow=["hang", "stock"], seconds=5) as functions:
        state = await only(functions)
        started = time.perf_counter()
        with pytest.raises(FunctionFailedError, match="no answer within 5 s"):
            await named(state, "hang").call({"seconds": 60})
        assert time.perf_counter() - started < 5 + SECONDS
        assert "17" in await named(state, "stock").call({"part": "K2"})


async def test_a_server_that_dies_in_a_call_is_told_and_started_again_at_the_next() -> None:
    with attached(mcp_command=COMMAND, allow=["die", "stock"]) as functions:
        state = await only(functions)
        with pytest.raises(FunctionFailedError, match="the program ended with code 3: out of paper"):
            await named(state, "die").call({})
        assert "17" in await named(state, "stock").call({"part": "K2"})


async def test_a_server_that_died_while_nothing_was_asked_is_started_again_for_the_next_call() -> None:
    with attached(mcp_command=COMMAND, allow=["pid"]) as functions:
        state = await only(functions)
        first = await named(state, "pid").call({})
        os.kill(int(first), signal.SIGKILL)
        await asyncio.sleep(0.5)
        assert await named(state, "pid").call({}) != first


async def test_an_answer_of_megabytes_is_refused_and_the_next_call_works() -> None:
    with attached(mcp_command=COMMAND, allow=["flood", "stock"]) as functions:
        state = await only(functions)
        with pytest.raises(FunctionFailedError, match="the answer is larger than 1,000,000 bytes"):
            await named(state, "flood").call({})
        assert "17" in await named(state, "stock").call({"part": "K2"})


async def test_an_answer_of_megabytes_over_http_is_refused(mcp_url: str) -> None:
    with attached(mcp_url=mcp_url, allow=["flood", "stock"], seconds=4) as functions:
        state = await only(functions)
        with pytest.raises(FunctionFailedError, match="larger than 1,000,000 bytes"):
            await named(state, "flood").call({})
        assert "17" in await named(state, "stock").call({"part": "K2"})


async def test_what_a_tool_says_went_wrong_is_an_error_and_no_result() -> None:
    with attached(mcp_command=COMMAND, allow=["refuse", "picture"]) as functions:
        state = await only(functions)
        with pytest.raises(FunctionFailedError, match="no such drawer"):
            await named(state, "refuse").call({})
        assert await named(state, "picture").call({}) == "[image left out]"


async def test_a_server_gets_the_variables_that_are_named_and_no_others() -> None:
    environment = {**os.environ, "GIVEN_TOKEN": "s3cret", "OTHER_TOKEN": "kept"}
    with attached(environment, mcp_command=COMMAND, allow=["told"], env=["GIVEN_TOKEN"]) as functions:
        state = await only(functions)
        assert await named(state, "told").call({"name": "GIVEN_TOKEN"}) == "s3cret"
        assert await named(state, "told").call({"name": "OTHER_TOKEN"}) == "unset"


async def test_a_secret_that_is_not_set_is_told_by_its_name() -> None:
    with attached({}, mcp_command=COMMAND, allow=["told"], env=["GIVEN_TOKEN"]) as functions:
        assert (await only(functions)).error == "the environment variable GIVEN_TOKEN is not set"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/mcp"])
async def test_an_address_where_nobody_is_is_told(url: str) -> None:
    with attached(mcp_url=url, allow=["stock"], seconds=4) as functions:
        assert (await only(functions)).error == "no server can be reached at its address"


async def test_an_address_that_is_no_mcp_server_is_told(rest_server: str) -> None:
    with attached(mcp_url=f"{rest_server}/mcp", allow=["stock"], seconds=4) as functions:
        assert "404" in (await only(functions)).error


async def test_all_servers_are_connected_at_once_and_one_that_hangs_holds_up_no_other() -> None:
    hanging = [sys.executable, "-c", "import time; time.sleep(60)"]
    tables: Sequence[Attachment] = [
        Attachment(name="one", mcp_command=hanging, allow=["x"], seconds=2),
        Attachment(name="two", mcp_command=hanging, allow=["x"], seconds=2),
        Attachment(name="three", mcp_command=COMMAND, allow=["stock"], seconds=10),
    ]
    functions = AttachedFunctions(tables)
    try:
        started = time.perf_counter()
        states = await functions.states()
        assert [bool(state.error) for state in states] == [True, True, False]
        assert time.perf_counter() - started < 9
    finally:
        functions.close()


async def test_closing_ends_the_program() -> None:
    with attached(mcp_command=COMMAND, allow=["told"]) as functions:
        state = await only(functions)
        assert state.error == ""
        await named(state, "told").call({"name": "PATH"})
        started = time.perf_counter()
    assert time.perf_counter() - started < SECONDS
