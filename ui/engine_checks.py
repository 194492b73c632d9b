"""The checks of `tekio doctor` on variants that other engines compute."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.failures import describe

if TYPE_CHECKING:
    from kernel.settings import Settings
    from kernel.variant_settings import VariantSettings


def other_engines(settings: Settings, *, fast: bool) -> Iterator[Check]:
    """Look for llama.cpp's server and, unless it has to be fast, ask each server that a variant is on."""
    yield _llama(needed=any(told.engine == "llama.cpp" for told in settings.variants.values()))
    try:
        from kernel.chat.adapters import variant_names

        variant_names(settings.adapters, settings.named_variants)
    except TekioError as error:
        yield Check("variants", FAIL, describe(error), "rename the adapter's folder or the table")
    for name, told in settings.variants.items():
        if told.engine == "llama.cpp":
            yield _files(name, told)
        elif told.engine == "seq2seq":
            yield Check(f"variant {name}", OK, f"encoder-decoder, {told.model}")
        elif told.engine == "local":
            yield Check(
                f"variant {name}", OK, f"{told.model or settings.generator}, precision {told.precision}"
            )
        elif not fast:
            yield _server(name, told)


def _llama(*, needed: bool) -> Check:
    from kernel.chat.llama.finding import HOW_TO_GET, find_server

    if (found := find_server()) is not None:
        return Check("llama.cpp", OK, found.name)
    if needed:
        return Check("llama.cpp", FAIL, "its server is not on this machine", HOW_TO_GET)
    return Check("llama.cpp", OK, "its server is not on this machine; no variant needs it")


def _files(name: str, told: VariantSettings) -> Check:
    from pathlib import Path

    files = [
        *([Path(told.model).expanduser()] if told.model else []),
        *([told.adapter] if told.adapter else []),
    ]
    for file in files:
        if not file.is_file():
            return Check(
                f"variant {name}", FAIL, f"there is no file {file}", "mend its table in the settings"
            )
    found = ", ".join(file.name for file in files if file) or "the base model as GGUF"
    return Check(f"variant {name}", OK, f"llama.cpp, {found}")


def _server(name: str, told: VariantSettings) -> Check:
    from kernel.chat.remote.place import FixedPlace
    from kernel.chat.remote.probing import probe

    try:
        return Check(f"variant {name}", OK, probe(FixedPlace(name, told.address, told.model, told.key)))
    except TekioError as error:
        return Check(
            f"variant {name}", WARN, describe(error), "start the server, or mend the variant's table"
        )
