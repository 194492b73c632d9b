"""What may be said with a question, and how it is understood: checked once, whichever way it came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from kernel.answering.asked import Asked
from kernel.conversation.history import GivenTurn, check_follow_ups, check_history
from kernel.selecting import multi_query_of
from kernel.settings import Settings
from kernel.techniques import STEPPED, NamedTechnique, Technique, technique_of
from kernel.trial import default_variant
from kernel.variant_names import EXTRACTIVE
from plugins.memory.records import check_name
from plugins.prompt_folders import prompt_folders
from retrieval.access import Caller
from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.queries import MAX_TOP, check_query

ANSWER_LANGUAGES = ("en", "ja")
MOST_SAMPLES = 10


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
        history: the turns before the question, oldest first, each (question, answer), or with the question as it
            was made to stand alone as third.
        conversation: its name, which brings what is remembered for it alone.
        follow_ups: how a question that leans on the turns before it is made to stand alone: `off`, `rules` or
            `model` (the variant, checked; else the rules).
        memory: False recalls nothing.
        samples: how many drafts to write and to vote on, 1 to 10; with steps before the answer only.
        caller: is answered from what this caller may read; None is who owns the machine.
        strict: leave out sentences that no passage supports, rather than mark them.
        max_new_tokens: longest answer in tokens, at most that of the settings.
        max_prompt_tokens: longest prompt in tokens, at most that of the settings.
        cache: false answers anew and stores nothing; None takes the setting.
        trace: true puts the tree of steps with their times, and the prompt, into the answer.
        functions: whether the model may call functions; None leaves it to what is known of the model.
    """

    variant: str | None
    technique: str | None
    top_k: int | None
    language: str | None
    where: Sequence[str]
    multi_query: str | None
    history: Sequence[GivenTurn]
    conversation: str
    follow_ups: str | None
    memory: bool
    samples: int | None
    caller: Caller | None
    strict: bool | None
    max_new_tokens: int | None
    max_prompt_tokens: int | None
    cache: bool | None
    trace: bool
    functions: bool | None


def understood(question: str, options: AskOptions, settings: Settings, *, usual: str) -> Asked:
    """Check a question and what was said with it, before a model is loaded for nothing.

    Args:
        question: what is asked.
        options: what was said with it.
        settings: what holds where nothing was said.
        usual: who answers where nobody is asked for by name.

    Raises:
        UsageError: something of it is wrong; the message says what.
    """
    variant, language = options.get("variant"), options.get("language")
    check_language(language)
    functions = options.get("functions")
    if functions and settings.function_calling == "off":
        raise UsageError("no functions can be called: the setting function_calling is off")
    where = tuple(options.get("where") or ())
    parse_filters(where)
    technique = check_technique(options.get("technique") or settings.technique, settings)
    conversation = check_name(options.get("conversation") or "")
    who = variant or default_variant(
        settings, question, usual=usual, caller=options.get("caller"), conversation=conversation
    )
    return Asked(
        question=check_query(question),
        variant=who,
        chosen=variant is not None,
        technique=technique,
        top_k=check_top_k(options.get("top_k"), settings),
        language=language,
        where=where,
        multi_query=multi_query_of(settings, options.get("multi_query")),
        caller=options.get("caller"),
        strict=settings.strict if (strict := options.get("strict")) is None else strict,
        max_new_tokens=_bounded("max_new_tokens", options.get("max_new_tokens"), 1, settings.max_new_tokens),
        max_prompt_tokens=_bounded(
            "max_prompt_tokens", options.get("max_prompt_tokens"), 1, settings.max_prompt_tokens
        ),
        cache=settings.stores_answers and options.get("cache") is not False,
        trace=bool(options.get("trace")),
        history=check_history(options.get("history") or ()),
        conversation=conversation,
        follow_ups=check_follow_ups(options.get("follow_ups") or settings.follow_ups),
        memory=options.get("memory", True),
        samples=_samples(options.get("samples"), technique, who),
        functions=False if settings.function_calling == "off" else functions,
    )


def check_language(language: str | None) -> None:
    """Check the language of an answer; None leaves it open.

    Raises:
        UsageError: there are no prompts in it.
    """
    if language is not None and language not in ANSWER_LANGUAGES:
        raise UsageError(f"an answer can be in en or ja, not '{language}'")


def check_top_k(top_k: int | None, settings: Settings) -> int:
    """Return how many passages to find; None takes the setting.

    Raises:
        UsageError: it is out of range.
    """
    top_k = settings.top_k if top_k is None else top_k
    if not 1 <= top_k <= MAX_TOP:
        raise UsageError(f"top_k must be between 1 and {MAX_TOP}, not {top_k}")
    return top_k


def _bounded(name: str, given: int | None, least: int, most: int) -> int:
    if given is None:
        return most
    if not least <= given <= most:
        raise UsageError(f"{name} must be between {least} and {most:,}, the setting, not {given:,}")
    return given


def check_technique(name: str, settings: Settings) -> Technique | NamedTechnique:
    """Return a technique by its name.

    Raises:
        UsageError: there is none of this name.
    """
    own = [path.name for path in prompt_folders(settings.prompts)]
    if name not in [*Technique, *own]:
        raise UsageError(f"there is no technique '{name}'; there are {', '.join([*Technique, *own])}")
    return technique_of(name)


def _samples(given: int | None, technique: str, variant: str) -> int:
    samples = 1 if given is None else given
    if not 1 <= samples <= MOST_SAMPLES:
        raise UsageError(f"samples must be between 1 and {MOST_SAMPLES}, not {samples}")
    if samples > 1 and variant == EXTRACTIVE:
        raise UsageError("samples need a language model: extractive answers the same each time")
    if samples > 1 and technique not in STEPPED:
        raise UsageError(f"samples go with {' or '.join(STEPPED)}, not with {technique}")
    return samples
