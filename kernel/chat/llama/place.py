"""A variant on a llama.cpp server of Tekio's own: the model itself, or one of the adapters over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from kernel.chat.llama.server import LlamaServer
from kernel.chat.remote.estimate import EstimatedCounter
from kernel.chat.remote.place import Address

_COUNT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class LlamaPlace:
    """Where a variant is asked.

    Attributes:
        server: serves it, and others over the same model.
        adapter: number of its adapter there; None is the model itself.
    """

    server: LlamaServer
    adapter: int | None = None

    @property
    def name(self) -> str:
        """The server, as people know it."""
        return f"llama.cpp's server for {self.server.serving.model.name}"

    def ready(self) -> Address:
        """Return where to ask, with the server started. Blocks."""
        url, key = self.server.ready()
        scales = [
            {"id": number, "scale": 1.0 if number == self.adapter else 0.0}
            for number in range(len(self.server.serving.adapters))
        ]
        # The server's usual sampling leaves out tokens that nobody asked to leave out.
        extra: dict[str, Any] = {"top_k": 0, "min_p": 0.0}
        if scales:
            extra["lora"] = scales
        return Address(
            f"{url}/v1", self.server.serving.model.stem, key, extra=extra, penalty="repeat_penalty"
        )

    def hung(self) -> None:
        """End the server where it is stuck. Blocks."""
        self.server.check_well()


@dataclass(frozen=True, slots=True)
class LlamaCounter:
    """Counts tokens as the server does; by an estimate where it does not answer."""

    place: LlamaPlace

    def count(self, messages: Sequence[Mapping[str, str]]) -> int:
        """Return the tokens of the prompt. Blocks, and starts the server."""
        url, key = self.place.server.ready()
        try:
            with httpx.Client(
                base_url=url,
                headers={"Authorization": f"Bearer {key}"},
                timeout=_COUNT_SECONDS,
                trust_env=False,
            ) as client:
                given = {"messages": [dict(message) for message in messages]}
                prompt = client.post("/apply-template", json=given).raise_for_status().json()["prompt"]
                asked = {"content": prompt, "add_special": True, "parse_special": True}
                return len(client.post("/tokenize", json=asked).raise_for_status().json()["tokens"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return EstimatedCounter().count(messages)
