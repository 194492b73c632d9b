"""Variants that other engines compute: their services, one breaker for a server, one llama.cpp server for a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase

from kernel.answering.run import PromptCounter, Variant
from kernel.chat.retiring import Retired
from kernel.variant_settings import VariantSettings
from retrieval.errors import UsageError

if TYPE_CHECKING:
    from kernel.chat.llama.finding import ServerProgram
    from kernel.chat.llama.server import LlamaServer
    from kernel.chat.local_engines import LocalEngines
    from kernel.chat.remote.breaker import CircuitBreaker
    from kernel.chat.remote.place import Place
    from kernel.chat.seq2seq import Seq2SeqGenerator
    from kernel.model_store import ResolvedModel

_SAMPLES = 16


class OtherEngines:
    """Makes variants out of what the settings say of them. Nothing is started or asked before a question is.

    Args:
        variants: by their names.
        base_file: gives the base model as GGUF, for a variant that names no model.
        languages: of a variant that names none.
        threads: of a server that is started here; 0 leaves it to the server.
        resolve: gives the folder of a model by its name, for encoder-decoder models.
        apart: gives engines of their own over a model, or over the base, in a precision and with a draft, and what
            changes with them.
        find: gives llama.cpp's server; None looks for it.
    """

    def __init__(
        self,
        variants: Mapping[str, VariantSettings],
        *,
        base_file: Callable[[], Path],
        languages: Sequence[str],
        threads: int = 0,
        resolve: Callable[[str], ResolvedModel] | None = None,
        apart: Callable[[str, str, str], tuple[LocalEngines, str]] | None = None,
        find: Callable[[], ServerProgram] | None = None,
    ) -> None:
        self._variants = variants
        self._base_file = base_file
        self._languages = languages
        self._threads = threads
        self._resolve = resolve
        self._apart = apart
        self._find = find
        self._breakers: dict[str, CircuitBreaker] = {}
        self._servers: dict[Path, LlamaServer] = {}
        self._own: dict[str, Seq2SeqGenerator | LocalEngines] = {}
        self._retired = Retired()

    def make(
        self, name: str, told: VariantSettings | None = None
    ) -> tuple[ChatCompletionClientBase, Variant]:
        """Return a variant and its service; takes seconds where a file has to be looked at or fetched.

        What computed one of this name before is ended once nobody is answered by it.

        Args:
            name: of the variant.
            told: what is said of it; None takes what the settings say.

        Raises:
            UsageError: one of its files cannot be served.
            TekioError: the base model cannot be fetched as GGUF.
        """
        from kernel.chat.remote.answering import Remote
        from kernel.chat.remote.place import TimeLimits
        from kernel.chat.remote.remote_chat import RemoteChatCompletion

        told = told or self._variants[name]
        if told.engine == "seq2seq":
            return self._of_own(name, told)
        if told.engine == "local":
            return self._of_base(name, told)
        make = self._of_llama if told.engine == "llama.cpp" else self._of_address
        place, counter, key, model, revision = make(name, told)
        remote = Remote(
            place=place,
            breaker=self._breaker(key),
            limits=TimeLimits.of(told.seconds),
            window=told.window,
            retries=told.retries,
            counter=counter,
        )
        service = RemoteChatCompletion(service_id=name, model=model, remote=remote)
        languages = frozenset(told.languages or self._languages)
        made = Variant(name, languages, model, counter, revision, window=told.window)
        return service, replace(made, price_in=told.price_in, price_out=told.price_out)

    def _of_address(self, name: str, told: VariantSettings) -> tuple[Place, PromptCounter, str, str, str]:
        from kernel.chat.remote.estimate import EstimatedCounter
        from kernel.chat.remote.place import FixedPlace

        place = FixedPlace(name, told.address, told.model, told.key)
        server = urlsplit(told.address).netloc
        return place, EstimatedCounter(), server, told.model, f"openai:{told.address}:{told.model}"

    def _of_llama(self, name: str, told: VariantSettings) -> tuple[Place, PromptCounter, str, str, str]:
        from kernel.chat.llama.gguf_file import check_lora, check_model
        from kernel.chat.llama.place import LlamaCounter, LlamaPlace

        file = self._file_of(told)
        found = check_model(file, told.window)
        if told.adapter is not None:
            check_lora(told.adapter, file, found.architecture)
        server = self._server(told.model, file, found.architecture)
        number = None
        if told.adapter is not None:
            if told.adapter not in server.serving.adapters:
                raise UsageError(f"{told.adapter} was mended while its model was served: start Tekio again")
            number = server.serving.adapters.index(told.adapter)
        place = LlamaPlace(server, number)
        parts = [_digest(path) for path in (file, told.adapter) if path is not None]
        return place, LlamaCounter(place), str(file), file.stem, ":".join(["llama.cpp", *parts])

    def _of_own(self, name: str, told: VariantSettings) -> tuple[ChatCompletionClientBase, Variant]:
        from kernel.chat.local_chat import LocalChatCompletion
        from kernel.chat.seq2seq import Seq2SeqGenerator

        if self._resolve is None:
            raise UsageError(f"nothing finds the model of '{name}'")
        found = self._resolve(told.model)
        generator = Seq2SeqGenerator(found.name, found.folder, window=told.window)
        self._keep(name, generator)
        service = LocalChatCompletion(service_id=name, generator=generator)
        languages = frozenset(told.languages or self._languages)
        revision = f"seq2seq:{found.revision}"
        made = Variant(name, languages, found.name, generator, revision, window=told.window)
        return service, replace(made, price_in=told.price_in, price_out=told.price_out)

    def _of_base(self, name: str, told: VariantSettings) -> tuple[ChatCompletionClientBase, Variant]:
        from kernel.chat.local_chat import LocalChatCompletion
        from kernel.chat.local_engines import TokenCounter

        if self._apart is None:
            raise UsageError(f"nothing computes the model of '{name}'")
        engines, revision = self._apart(told.model, told.precision, told.draft)
        self._keep(name, engines)
        bound = engines.bind(None)
        service = LocalChatCompletion(service_id=name, generator=bound.generator)
        languages = frozenset(told.languages or self._languages)
        # Not the base's own name: it has batches of its own, with room of their own.
        model = f"{engines.name} ({engines.revision(None)})"
        made = Variant(name, languages, model, TokenCounter(engines), f"local:{revision}", goes_on=True)
        return service, replace(made, price_in=told.price_in, price_out=told.price_out)

    def _keep(self, name: str, engine: Seq2SeqGenerator | LocalEngines) -> None:
        if (before := self._own.pop(name, None)) is not None:
            self._retired.add(before)
        self._own[name] = engine

    def _file_of(self, told: VariantSettings) -> Path:
        return (Path(told.model).expanduser() if told.model else self._base_file()).absolute()

    def _server(self, model: str, file: Path, architecture: str) -> LlamaServer:
        """Return the server of a model, for all variants over it; an adapter that is broken is left out of it."""
        from kernel.chat.llama.finding import the_server
        from kernel.chat.llama.gguf_file import check_lora
        from kernel.chat.llama.server import LlamaServer, Serving

        if file not in self._servers:
            llamas = [told for told in self._variants.values() if told.engine == "llama.cpp"]
            over = [told for told in llamas if told.model == model]
            adapters: dict[Path, None] = {}
            for told in over:
                if told.adapter is None:
                    continue
                try:
                    check_lora(told.adapter, file, architecture)
                except UsageError:
                    continue  # it is told to whoever asks for that variant
                adapters[told.adapter] = None
            serving = Serving(
                file,
                tuple(adapters),
                window=max(told.window for told in over),
                slots=max(told.slots for told in over),
                threads=self._threads,
            )
            self._servers[file] = LlamaServer(self._find or the_server, serving)
        return self._servers[file]

    def _breaker(self, server: str) -> CircuitBreaker:
        from kernel.chat.remote.breaker import CircuitBreaker

        name = Path(server).name if server.endswith(".gguf") else server
        return self._breakers.setdefault(server, CircuitBreaker(name))

    def close(self) -> None:
        """End the servers that were started."""
        for server in self._servers.values():
            server.close()
        self._retired.close()
        for generator in self._own.values():
            generator.close()


def _digest(path: Path) -> str:
    """Return what changes with a file: of its size and of samples of it, since a large one takes minutes to read."""
    size = path.stat().st_size
    digest = hashlib.sha256(f"{size}".encode())
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(size * number // _SAMPLES)
            digest.update(file.read(1 << 16))
    return digest.hexdigest()[:16]
