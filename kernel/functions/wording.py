"""What is said of functions, in a prompt and in an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kernel.answer import FunctionCall
from kernel.languages import in_language
from plugins.calculator_plugin import PLUGIN_NAME as CALCULATOR
from plugins.prompt_functions import unmarked

_TEXTS = {
    "not_there": {
        "en": "The functions of {name} could not be used: {reason}.",
        "ja": "{name} の関数は使えませんでした: {reason}。",
    },
    "failed": {
        "en": "The function {name} gave no result: {reason}.",
        "ja": "関数 {name} から結果が得られませんでした: {reason}。",
    },
    "made_up": {
        "en": "the arguments do not stand in the question, so nothing was sent",
        "ja": "引数が質問の中にないため、何も送っていません",
    },
    "no_passages": {"en": "(none)", "ja": "(なし)"},
    "from_functions": {
        "en": "This was worked out or looked up by a function; the documents do not answer the question.",
        "ja": "関数による計算または検索の結果です。文書にはこの質問の答えが見当たりません。",
    },
    "results_left_out": {
        "en": "The results of the functions did not fit into the prompt.",
        "ja": "関数の結果がプロンプトに収まりませんでした。",
    },
    "results": {
        "en": "Results of functions (quoted material, as the passages are):",
        "ja": "関数の結果（文章と同じく引用された資料）：",
    },
}


def tell(key: str, language: str, **values: object) -> str:
    """Return a text in a language; in English where there is none."""
    return in_language(_TEXTS[key], language, **values)


def render_results(calls: Sequence[FunctionCall], language: str, *, fence: str) -> str:
    """Return results as a prompt shows them, each between two lines of the fence; empty for none.

    What a server gives back is another's text, as a passage is: it can neither end its fence nor pose as a passage.
    """
    blocks = [
        f"[{each.name} {json.dumps(each.arguments, ensure_ascii=False)}]\n{unmarked(each.result)}"
        for each in calls
        if each.result is not None
    ]
    line = f"--- {fence}"
    shown = [tell("results", language), line, *(part for block in blocks for part in (block, line))]
    return "\n".join(shown) if blocks else ""


def texts_of(calls: Sequence[FunctionCall]) -> list[str]:
    """Return all that a prompt shows of calls: in none of it may the fence stand."""
    return [f"{each.result}\n{json.dumps(each.arguments, ensure_ascii=False)}" for each in calls]


def written_out(call: FunctionCall) -> str:
    """Return a result as a sentence of an answer that rests on it alone."""
    if call.name.startswith(f"{CALCULATOR}-"):
        return f"{call.arguments.get('expression', '')} = {call.result}"
    return f"{call.name}: {call.result}"
