"""Clients that send one thing after the other to a real server, and know what was acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from evaluation.benchmarks.own_server import Server


class Sender(threading.Thread):
    """Sends one thing after the other until nobody answers any more, and notes what was acknowledged."""

    def __init__(self, send: Callable[[int], httpx.Response]) -> None:
        super().__init__(daemon=True)
        self._send = send
        self.acknowledged: list[tuple[int, Any]] = []
        self.start()

    def run(self) -> None:
        number = 0
        while True:
            number += 1
            try:
                response = self._send(number)
            except httpx.HTTPError:
                return
            if response.is_success:
                self.acknowledged.append((number, response.json()))


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.05)


def answers(server: Server) -> bool:
    try:
        return httpx.get(f"{server.address}/healthz").is_success
    except httpx.HTTPError:
        return False
