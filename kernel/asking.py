"""What may be said with a question, and how it is understood: checked once, whichever way it came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from kernel.answer import Technique
from kernel.answering.asked import Asked
from kernel.selecting import multi_query_of
from kernel.settings import Settings
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.queries import MAX_TOP, check_query

ANSWER_LANGUAGES = ("en", "ja")


class AskOptions(TypedDict, total=False):
    """What may be said with a question. What is left out, or is None, is as the settings say.

    Keys:
        variant: who generates; where none is named, a language it does not speak goes to `extractive`.
        technique: how the prompt is built.
        top_k: how many passages to find, 1 to 100.
        language: the answer's language, `en` or `ja`; None takes the question's.
        where: filters that must hold for the passages, such as `language=ja` or `tag.ward=icu`.
        multi_query: how the parts of the question are found that are searched for as well, `off`, `rules` or
            `model` (the variant).
        caller: is answered from what this caller may read; None is who owns the machine.
        functions: whether the model may call functions; None leaves it to what is known of the model.
    """

    variant: str | None
    technique: str | None
    top_k: int | None
    language: str | None
    where: Sequence[str]
    multi_query: str | None
    caller: Caller | None
    functions: bool | None


def understood(question: str, options: AskOptions, settings: Settings) -> Asked:
    """Check a question and what was said with it, before a model is loaded for nothing.

    Raises:
        UsageError: something of it is wrong; the message says what.
    """
    variant, language = options.get("variant"), options.get("language")
    if language is not None and language not in ANSWER_LANGUAGES:
        raise UsageError(f"an answer can be in en or ja, not '{language}'")
    functions = options.get("functions")
    if functions and settings.function_calling == "off":
        raise UsageError("no functions can be called: the setting function_calling is off")
    where = tuple(options.get("where") or ())
    parse_filters(where)
    return Asked(
        question=check_query(question),
        variant=variant or settings.variant,
        chosen=variant is not None,
        technique=_technique(options.get("technique") or settings.technique),
        top_k=check_top_k(options.get("top_k"), settings),
        language=language,
        where=where,
        multi_query=multi_query_of(settings, options.get("multi_query")),
        caller=options.get("caller"),
        functions=False if settings.function_calling == "off" else functions,
    )


def check_top_k(top_k: int | None, settings: Settings) -> int:
    """Return how many passages to find; None takes the setting.

    Raises:
        UsageError: it is out of range.
    """
    top_k = settings.top_k if top_k is None else top_k
    if not 1 <= top_k <= MAX_TOP:
        raise UsageError(f"top_k must be between 1 and {MAX_TOP}, not {top_k}")
    return top_k


def _technique(name: str) -> Technique:
    try:
        return Technique(name)
    except ValueError:
        raise UsageError(f"there is no technique '{name}'; there are {', '.join(Technique)}") from None
