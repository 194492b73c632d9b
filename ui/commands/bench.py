"""`models bench`: the engines that are on this machine, measured."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from retrieval.errors import UsageError
from ui.console import print_json, print_table, print_text, quiet_libraries, say
from ui.options import JsonFlag


def bench(
    model: Annotated[
        str,
        typer.Argument(help="A model's name or folder; the settings' own unless given.", show_default=False),
    ] = "",
    prompt: Annotated[
        int, typer.Option("--prompt", min=64, max=100_000, help="Tokens of the prompt.")
    ] = 1370,
    written: Annotated[int, typer.Option("--written", min=2, max=4096, help="Tokens of the answer.")] = 96,
    times: Annotated[int, typer.Option("--times", min=1, max=20, help="How often; the best counts.")] = 2,
    as_json: JsonFlag = False,
) -> None:
    """Measure the engines on this machine by one prompt and its answer, and name the fastest."""
    from evaluation.engines import measure_engines
    from kernel.chat.paged.architecture import Architecture, UnknownArchitectureError
    from kernel.model_store import ModelStore
    from kernel.settings import load_settings

    quiet_libraries()
    settings = load_settings()
    store = ModelStore(settings.cache, offline=settings.offline, on_message=say)
    found = store.resolve(model or settings.generator)
    try:
        window = Architecture.read(found.folder).window
    except UnknownArchitectureError:
        window = prompt + written
    if prompt + written > window:
        raise UsageError(
            f"{prompt} and {written} tokens do not fit the window of {window} tokens of {found.name}"
        )
    measured = measure_engines(
        found.name,
        found.folder,
        lambda: store.gguf(model or settings.generator),
        prompt=prompt,
        written=written,
        threads=settings.threads,
        times=times,
        say=say,
    )
    best = measured[0]
    if as_json:
        rows = [
            asdict(each)
            | {"prefill": each.speed.prefill, "decode": each.speed.decode, "seconds": each.speed.whole}
            for each in measured
        ]
        print_json({"model": found.name, "engines": rows, "recommended": best.settings})
        return
    print_table(
        ("engine", "prompt tokens/s", "written tokens/s", "seconds an answer", "times the fastest"),
        [
            (
                each.engine,
                f"{each.speed.prefill:,.0f}",
                f"{each.speed.decode:,.0f}",
                f"{each.speed.whole:.2f}",
                f"{each.speed.whole / best.speed.whole:.2f}",
            )
            for each in measured
        ],
    )
    print_text(f"\nThe fastest here: {best.engine} ({best.settings}).")
