"""How well a model chooses functions: `python -m evaluation.function_calling`.

Over data/function_calls.jsonl: questions that need the calculator or the dates, and questions that need nothing. A
call is right when it is of the function that was meant and its result holds what was meant. What a model is held to by
the grammar, that it writes a call that is allowed or none, is counted as well. By this a model that was not made to
call functions can be judged before `function_calling = "on"` is set for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kernel.functions.call_grammar import read_call
from kernel.functions.calling import OWN_PLUGINS, Toolbox
from kernel.model_store import ModelStore
from kernel.settings import load_settings
from retrieval.errors import TekioError

DATA = Path(__file__).parent.parent / "data" / "function_calls.jsonl"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model wrote for a question, and what became of it."""

    question: str
    meant: str | None
    written: str
    is_valid: bool
    is_right: bool
    seconds: float


async def measure(generator: str, language: str) -> list[Outcome]:
    """Have a model choose for every question of a language."""
    from semantic_kernel import Kernel

    from kernel.chat.language_model import LanguageModel
    from kernel.chat.local_chat import LocalChatCompletion
    from kernel.chat.one_at_a_time import OneAtATime
    from kernel.chat.selector import StrictServiceSelector
    from kernel.functions.choosing import write_call
    from plugins.prompt_functions import load_prompt_plugins

    settings = load_settings()
    found = ModelStore(settings.cache, offline=settings.offline).resolve(generator)
    model = LanguageModel(found.name, found.folder, dtype=settings.dtype, threads=settings.threads)
    toolbox = Toolbox(OWN_PLUGINS, [])
    outcomes = []
    with ThreadPoolExecutor(1) as executor:
        kernel = Kernel(
            plugins=load_prompt_plugins(),
            services=[LocalChatCompletion(service_id="model", generator=OneAtATime(model, executor))],
            ai_service_selector=StrictServiceSelector(),
        )
        for row in _rows(language):
            started = time.perf_counter()
            written = await write_call(
                kernel, "model", language, row["question"], toolbox.own(), row["passages"]
            )
            seconds = time.perf_counter() - started
            outcomes.append(await _judged(toolbox, row, written, seconds))
            print(f"{len(outcomes)}: {row['question']} -> {written}", file=sys.stderr, flush=True)
    return outcomes


async def _judged(toolbox: Toolbox, row: dict[str, Any], written: str, seconds: float) -> Outcome:
    chosen = read_call(written, toolbox.own())
    is_none = written == '{"name": "none"}'
    is_right = is_none and row["function"] is None
    if chosen is not None and chosen[0].full_name == row["function"]:
        call = await toolbox.call(*chosen)
        is_right = row["result"] in (call.result or "")
    valid = is_none or chosen is not None
    return Outcome(row["question"], row["function"], written, valid, is_right, round(seconds, 2))


def _rows(language: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["language"] == language]


def table(outcomes: list[Outcome]) -> str:
    """Return the figures as lines."""
    needed = [each for each in outcomes if each.meant is not None]
    others = [each for each in outcomes if each.meant is None]
    seconds = sorted(each.seconds for each in outcomes)
    return "\n".join(
        (
            f"calls that are allowed, or none   {sum(e.is_valid for e in outcomes)} of {len(outcomes)}",
            f"right, where one is needed        {sum(e.is_right for e in needed)} of {len(needed)}",
            f"right, where none is needed       {sum(e.is_right for e in others)} of {len(others)}",
            f"seconds for a choice, median      {seconds[len(seconds) // 2]:.1f}",
        )
    )


def main() -> int:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description="How well a model chooses functions.")
    parser.add_argument("--generator", default=None, help="name or folder of the model; else the setting")
    parser.add_argument("--language", default="en", choices=("en", "ja"))
    parser.add_argument("--json", action="store_true", help="every outcome as JSON")
    options = parser.parse_args()
    try:
        outcomes = asyncio.run(measure(options.generator or load_settings().generator, options.language))
    except TekioError as error:
        print(f"function_calling: {error}", file=sys.stderr)
        return error.exit_code
    if options.json:
        print(json.dumps([asdict(each) for each in outcomes], ensure_ascii=False, indent=1))
    else:
        print(table(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
