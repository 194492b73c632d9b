"""How fast the engines of this machine read prompts and write, by the same tokens.

What is written is never ended early, so that every engine writes as many tokens. Importing this imports nothing heavy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.mixing import Mixture
from kernel.chat.paged.request import Request, readers_of
from kernel.chat.paged.serving import Serving
from retrieval.model_building import building_in_turn


@dataclass(frozen=True, slots=True)
class Speed:
    """One answer: tokens of the prompt and of the answer, seconds until the first token and from there on."""

    prompt: int
    written: int
    first: float
    rest: float

    @property
    def whole(self) -> float:
        """Seconds in all."""
        return self.first + self.rest

    @property
    def prefill(self) -> float:
        """Tokens of the prompt a second."""
        return self.prompt / self.first

    @property
    def decode(self) -> float:
        """Tokens written a second, behind the first."""
        return (self.written - 1) / self.rest if self.rest else 0.0


def fastest(measure: Callable[[], Speed], times: int) -> Speed:
    """Return the best of several, half by half: what else runs on a machine only ever makes them slower."""
    found = [measure() for _ in range(times)]
    return replace(found[0], first=min(each.first for each in found), rest=min(each.rest for each in found))


class BatchedSpeed:
    """The engine of batches, told to write on whatever it writes."""

    def __init__(self, name: str, folder: Path, serving: Serving) -> None:
        """Load it. Blocks."""
        self.tokenizer = ChatTokenizer(folder)
        self.engine = BatchedGenerator(name, folder, serving, self.tokenizer)
        self._serving = serving
        started = time.perf_counter()
        self._scheduler = self.engine.load()
        self.seconds_to_load = time.perf_counter() - started

    def begin(
        self,
        ids: Sequence[int],
        written: int,
        *,
        adapter: str | None = None,
        guessed: int | None = None,
        mixture: Mixture | None = None,
    ) -> Future[Generation]:
        """Begin to write so many tokens behind a prompt, and no fewer."""
        sampling = Sampling(max_new_tokens=written)
        rule, readers = readers_of(adapter, mixture)
        request = _Endless(
            ids=list(ids),
            prompt=len(ids),
            sampling=sampling,
            stop_ids=(),
            decode=lambda ids: "",
            chooser=Chooser(sampling),
            readers=readers,
            rule=rule,
            most_guessed=self._serving.guessed if guessed is None else guessed,
        )
        self._scheduler.submit(request)
        return request.future

    def one(self, ids: Sequence[int], written: int, **more: Any) -> Speed:
        """Write one answer with nothing kept from before."""
        self.forget()
        done = self.begin(ids, written, **more).result()
        first = done.seconds_to_first_token
        return Speed(len(ids), written, first, done.seconds - first)

    def forget(self) -> None:
        """Forget what was kept of earlier prompts."""
        self._scheduler.call(self._scheduler.forget).result()

    def close(self) -> None:
        """End the engine."""
        self.engine.close()


class _Endless(Request):
    """Ends at its length alone."""

    __slots__ = ()

    def write(self, token: int) -> bool:
        Request.write(self, token)
        return self.written >= self.sampling.max_new_tokens


class PlainSpeed:
    """transformers' own `generate`, greedy, one request at a time."""

    def __init__(self, folder: Path, *, dtype: str, threads: int = 0) -> None:
        """Load it. Blocks."""
        import torch
        from transformers import AutoModelForCausalLM

        if threads:
            torch.set_num_threads(threads)
        with building_in_turn():
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, dtype), local_files_only=True
            )
        self._model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()

    def one(self, ids: Sequence[int], written: int) -> Speed:
        """Write one answer."""
        import torch

        inputs, clock = torch.tensor([list(ids)], device=self._model.device), _Clock()
        with torch.inference_mode():
            self._model.generate(
                input_ids=inputs,
                attention_mask=torch.ones_like(inputs),
                do_sample=False,
                pad_token_id=0,
                min_new_tokens=written,
                max_new_tokens=written,
                streamer=clock,
            )
        return Speed(len(ids), written, clock.times[1] - clock.started, clock.times[-1] - clock.times[1])


class _Clock:
    """Notes when the prompt was handed over, and each token; a streamer of transformers."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.times: list[float] = []

    def put(self, value: Any) -> None:
        self.times.append(time.perf_counter())

    def end(self) -> None:
        pass


class LlamaSpeed:
    """llama.cpp's server, started for this, over a GGUF file."""

    def __init__(self, file: Path, *, slots: int = 1, threads: int = 0, window: int = 2048) -> None:
        """Start it. Blocks.

        Raises:
            TekioError: there is none, or it does not start.
        """
        from kernel.chat.llama.finding import the_server
        from kernel.chat.llama.server import LlamaServer
        from kernel.chat.llama.server import Serving as LlamaServing

        serving = LlamaServing(file, window=window, slots=slots, threads=threads)
        self._server = LlamaServer(the_server, serving)
        self._url, self._key = self._server.ready()

    def one(self, ids: Sequence[int], written: int) -> Speed:
        """Write one answer with nothing kept from before; the times are the server's own."""
        import httpx

        asked = {
            "prompt": list(ids),
            "n_predict": written,
            "ignore_eos": True,
            "temperature": 0,
            "cache_prompt": False,
        }
        answer = httpx.post(
            f"{self._url}/completion",
            json=asked,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=600,
            trust_env=False,
        )
        answer.raise_for_status()
        told = answer.json()["timings"]
        return Speed(
            int(told["prompt_n"]),
            int(told["predicted_n"]),
            told["prompt_ms"] / 1000,
            told["predicted_ms"] / 1000,
        )

    def close(self) -> None:
        """End it."""
        self._server.close()
