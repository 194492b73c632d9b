"""The load test: against a real, small server, and its sums."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from evaluation.benchmarks.load import asks_of, load
from evaluation.benchmarks.load_asking import Ask, Reply, asked, events_of, print_of
from evaluation.benchmarks.load_figures import Result, lines, summed
from evaluation.benchmarks.own_server import Server
from kernel.app import Tekio
from kernel.settings import load_settings

PAGES = {
    "kilns": "# Kilns\n\nThe porcelain kiln is fired at 1,240 degrees for 9 hours.\n",
    "glaze": "# Glaze\n\nThe celadon glaze is stirred for 20 minutes before use.\n",
    "gates": "# Gates\n\nThe west gate of the pottery is opened at nine in the morning.\n",
}
QUESTIONS = (
    "How hot is the porcelain kiln?",
    "How long is the celadon glaze stirred?",
    "When is the west gate opened?",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers from three pages without a language model."""
    folder = tmp_path_factory.mktemp("load")
    for name, text in PAGES.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    with closing(Tekio(load_settings(index=str(folder / "index")))) as tekio:
        tekio.ingest([folder / f"{name}.md" for name in PAGES])
    settings = {"TEKIO_VARIANT": "extractive", "TEKIO_READING": "false"}
    with Server(folder / "index", settings, folder=folder) as running:
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_many_clients_of_a_real_server_get_their_own_answers(server: Server, stream: bool) -> None:
    asks = [Ask(question, variant) for question in QUESTIONS for variant in ("", "extractive")]
    result = asyncio.run(
        load(server.address, asks, clients=4, requests=24, seconds=120, stream=stream, pid=server.pid)
    )
    assert result.is_good
    assert (result.requests, result.answered, result.different) == (24, 24, 0)
    assert (result.lost, result.mixed, result.refused_429) == (0, 0, 0)
    assert (result.first_token is not None) == stream
    assert result.whole is not None
    assert 0 < result.whole[0] <= result.whole[1] <= result.whole[2]
    assert result.memory_mib is not None
    start, _, end = result.memory_mib
    assert start > 100
    assert end < start + 200
    text = "\n".join(lines(result))
    assert "24 requests of 6 questions to the server's own variant, extractive" in text
    assert "errors 0; lost 0, mixed up 0" in text


def test_the_time_ends_it_too_and_errors_are_told_by_kind(server: Server) -> None:
    short = asyncio.run(
        load(server.address, [Ask(QUESTIONS[0])], clients=2, requests=0, seconds=0.5, stream=False)
    )
    assert 0.5 <= short.seconds < 30
    assert short.answered == short.requests > 0
    assert short.memory_mib is None

    async def wrong() -> Reply:
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            return await asked(client, Ask("q", "nonesuch"), stream=True)

    assert asyncio.run(wrong()).error == "422 usage"


def reply(question: str, text: str, *, error: str = "", echo: str | None = None, busy: int = 0) -> Reply:
    printed = print_of({"answer": text, "refused": False, "citations": []})
    return Reply(Ask(question), 1.0, 0.5, busy, error, question if echo is None else echo, printed, 10)


def sums(replies: list[Reply], sent: int | None = None) -> Result:
    alone = [reply("a", "one"), reply("b", "two")]
    return summed(
        "http://x",
        alone,
        replies,
        clients=2,
        stream=True,
        sent=len(replies) if sent is None else sent,
        took=2.0,
        memory=[None, None, None],
    )


@pytest.mark.parametrize(
    ("replies", "mixed", "different"),
    [
        ([reply("a", "one"), reply("b", "two")], 0, 0),
        ([reply("a", "two"), reply("b", "two")], 1, 0),
        ([reply("a", "one", echo="b")], 1, 0),
        ([reply("a", "one more")], 0, 1),
    ],
)
def test_an_answer_of_another_question_is_told_from_one_in_other_words(
    replies: list[Reply], mixed: int, different: int
) -> None:
    result = sums(replies)
    assert (result.mixed, result.different) == (mixed, different)
    assert result.is_good == (mixed == 0)


def test_a_refusal_is_no_other_question_s_answer() -> None:
    alone = [reply("a", "one"), reply("b", "I don't know."), reply("c", "I don't know.")]
    nothing = [None, None, None]
    result = summed(
        "http://x",
        alone,
        [reply("a", "I don't know.")],
        clients=1,
        stream=False,
        sent=1,
        took=1.0,
        memory=nothing,
    )
    assert (result.mixed, result.different) == (0, 1)


def test_errors_losses_and_waiting_are_counted_apart() -> None:
    result = sums(
        [reply("a", "one", busy=3), reply("b", "", error="timeout"), reply("b", "", error="cut")], 4
    )
    assert (result.answered, result.errors, result.lost) == (1, {"timeout": 1}, 2)
    assert (result.refused_429, result.answered_after_429) == (3, 1)
    assert (result.per_second, result.tokens_per_second) == (0.5, 5.0)
    assert not result.is_good


@pytest.mark.parametrize("stream", [False, True])
def test_a_server_that_is_busy_is_asked_again_when_it_says(stream: bool) -> None:
    tries: list[int] = []
    answer = {"question": "q", "answer": "a", "refused": False, "citations": [], "usage": {}}

    def handle(_request: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) == 1:
            return httpx.Response(429, headers={"Retry-After": "0"}, json={"error": {"type": "busy"}})
        if not stream:
            return httpx.Response(200, json=answer)
        if len(tries) == 2:
            busy = json.dumps({"error": {"type": "busy", "retry_after": 0.01}})
            return httpx.Response(200, text=f"event: passages\ndata: {{}}\n\nevent: error\ndata: {busy}\n\n")
        done = "event: done\r\ndata: {}\r\n\r\n"
        return httpx.Response(200, text=f"event: answer\r\ndata: {json.dumps(answer)}\r\n\r\n{done}")

    async def ask() -> Reply:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://x") as client:
            return await asked(client, Ask("q"), stream=stream)

    found = asyncio.run(ask())
    assert (found.error, found.busy) == ("", 2 if stream else 1)
    assert found.echo == "q"


_ANSWER = 'event: answer\ndata: {"question": "q", "citations": [{"marker": 1}]}\n\n'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("event: passages\ndata: {}\n\n: ping\n\n", "cut"),
        (f"event: citation\ndata: {{}}\n\n{_ANSWER}", "cut"),
        (f"{_ANSWER}event: done\ndata: {{}}\n\n", "events lost"),
    ],
)
def test_a_stream_without_its_answer_its_end_or_a_citation_is_lost(text: str, error: str) -> None:
    def handle(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text=text)

    async def ask() -> Reply:
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://x") as client:
            return await asked(client, Ask("q"), stream=True)

    assert asyncio.run(ask()).error == error


async def test_events_may_have_several_lines_of_data() -> None:
    async def sent() -> AsyncIterator[str]:
        for line in (": hello", "event: token", "data: a", "data: b", "", ""):
            yield line

    assert [event async for event in events_of(sent())] == [("token", "a\nb")]


def test_each_question_goes_to_each_variant(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    rows = [
        {"id": str(number), "language": "en", "question": question, "answerable": True}
        for number, question in enumerate(("one?", "two?", "one?"))
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    assert asks_of(file, ["base", "cited"]) == [
        Ask("one?", "base"),
        Ask("one?", "cited"),
        Ask("two?", "base"),
        Ask("two?", "cited"),
    ]
