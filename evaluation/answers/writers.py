"""Language models that write for an evaluation: behind the OpenAI protocol, or a variant of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from evaluation.answers.faithfulness import Write
from kernel.chat.adapters import find_adapter
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.variant_names import BASE
from retrieval.errors import TekioError, UsageError

_MOST_TOKENS = 160
_SEED = 7
_TRIES = 2


def remote_writer(url: str, model: str, *, key: str | None, seconds: float = 60.0) -> Write:
    """Return what asks a server that speaks the OpenAI protocol, at temperature 0 with a fixed seed.

    Raises:
        UsageError: the address is none.
    """
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"'{url}' is no address of a server: it begins with http:// or https://")
    from openai import OpenAI, OpenAIError

    client = OpenAI(base_url=url, api_key=key or "none", timeout=seconds, max_retries=_TRIES)

    def write(messages: Sequence[dict[str, str]]) -> str:
        chat: Any = list(messages)
        try:
            reply = client.chat.completions.create(
                model=model, messages=chat, temperature=0, seed=_SEED, max_tokens=_MOST_TOKENS
            )
        except OpenAIError as error:
            raise TekioError(f"the judge {model} at {url} did not answer: {error}") from error
        if not reply.choices:
            raise TekioError(f"the judge {model} at {url} gave an answer without choices")
        return reply.choices[0].message.content or ""

    return write


def local_writer(
    variant: str, settings: Settings, *, say: Callable[[str], None] = lambda text: None
) -> tuple[Write, str]:
    """Return what asks a variant of this machine, greedily, and the revision of its model.

    Raises:
        UsageError: there is no such variant, or it is no language model.
    """
    folder = None if variant == BASE else find_adapter(variant, settings.adapters)
    if variant != BASE and folder is None:
        raise UsageError(
            f"there is no language model '{variant}' to judge with: name base, an adapter, or a model of a "
            "server by --judge-url"
        )
    from kernel.chat.generation import Sampling
    from kernel.chat.language_model import LanguageModel

    found = ModelStore(settings.cache, offline=settings.offline, on_message=say).resolve(settings.generator)
    model = LanguageModel(found.name, found.folder, dtype=settings.dtype, threads=settings.threads)
    adapter = model.load_adapter(folder) if folder else None

    def write(messages: Sequence[dict[str, str]]) -> str:
        return model.generate(messages, Sampling(max_new_tokens=_MOST_TOKENS), adapter=adapter).text

    return write, f"{found.name} {found.revision}" + (f" with {folder.name}" if folder else "")
