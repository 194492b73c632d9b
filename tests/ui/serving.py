"""The API on a free port."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings, load_settings
from ui.rest import create_app

MRI = Path(__file__).parents[2] / "data/corpus/safety/mri-safety-zones.pdf"


def own_settings(folder: Path, model_store: ModelStore, **settings: object) -> Settings:
    """Return settings of which nothing lies outside a folder, but the models."""
    places = {
        name: folder / name
        for name in ("index", "memory", "examples", "adapters", "embedders", "models", "uploads", "jobs")
    }
    own = {**places, "prompts": [folder / "prompts"], "cache": model_store.cache, "variant": "extractive"}
    return load_settings(**{**own, **settings})


@contextmanager
def served(facade: type[Tekio], settings: Settings | None = None) -> Iterator[str]:
    """Serve a facade on a free port, with the settings of the environment unless others are given."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(facade(settings or load_settings())), log_level="critical")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


def events_of(response: httpx.Response) -> list[tuple[str, Any]]:
    """Parse server-sent events."""
    events = []
    for block in response.text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events
