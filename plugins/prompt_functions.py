"""Prompt functions: one folder a function (`skprompt.txt`, `config.json`), one plugin a language.

Semantic Kernel skips a broken prompt file with no more than a line in the log, and sends a template that is no
XML as one user message. So each function is loaded by its name, and its roles and variables are checked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from semantic_kernel.contents import ChatHistory
from semantic_kernel.exceptions import KernelException
from semantic_kernel.functions.kernel_function import KernelFunction
from semantic_kernel.functions.kernel_function_from_prompt import KernelFunctionFromPrompt
from semantic_kernel.functions.kernel_plugin import KernelPlugin

from retrieval.errors import TekioError
from retrieval.records import Passage, context_parts

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
EXAMPLES_FOLDER = Path(__file__).parent / "examples"
TECHNIQUES = ("zero_shot", "one_shot", "few_shot", "chain_of_thought", "hybrid")
SUB_QUESTIONS = "sub_questions"
CHOOSE_FUNCTION = "choose_function"
REWRITE_QUESTION = "rewrite_question"
SUMMARIZE_CONVERSATION = "summarize_conversation"
SUMMARIZE, COMPARE, EXTRACT = "summarize", "compare", "extract"
TRANSLATE, CLASSIFY = "translate_text", "classify_text"
SHIPPED_FUNCTIONS = (
    *TECHNIQUES,
    SUB_QUESTIONS,
    CHOOSE_FUNCTION,
    REWRITE_QUESTION,
    SUMMARIZE_CONVERSATION,
    SUMMARIZE,
    COMPARE,
    EXTRACT,
    TRANSLATE,
    CLASSIFY,
)
KNOWN_VARIABLES = frozenset({"question", "passages", "examples", "document", "text"})
LANGUAGES = ("en", "ja")

_EXAMPLES_OF = {"one_shot": 1, "few_shot": 3, "hybrid": 3}
_VARIABLES_OF = {
    SUB_QUESTIONS: ("question",),
    CHOOSE_FUNCTION: ("functions", "passages", "question"),
    REWRITE_QUESTION: ("conversation", "question"),
    SUMMARIZE_CONVERSATION: ("conversation",),
    SUMMARIZE: ("document",),
    COMPARE: ("document", "text"),
    EXTRACT: ("document", "text"),
    TRANSLATE: ("source", "target", "text"),
    CLASSIFY: ("labels", "text"),
}
_STEPS = ("chain_of_thought", "hybrid")
_LABELS = {
    "en": {
        "passages": "Passages:",
        "question": "Question: ",
        "steps": "Steps: ",
        "answer": "Answer: ",
        "page": "p. {}",
        "cited": "The question is answered by {}.",
        "uncited": "No passage answers the question.",
    },
    "ja": {
        "passages": "文章：",
        "question": "質問：",
        "steps": "手順：",
        "answer": "回答：",
        "page": "{}ページ",
        "cited": "質問には{}が答えている。",
        "uncited": "どの文章も質問に答えていない。",
    },
}
# Models write the marks in bold, as headings, or with the other script's colon.
_ANSWER = re.compile(r"^[\s*#_]*(?:answer|回答)[*_]*\s*[:：][*_]*\s*", re.IGNORECASE | re.MULTILINE)
_STEPS_MARK = re.compile(r"[\s*#_]*(?:steps?|手順)[*_]*\s*[:：][*_]*\s*", re.IGNORECASE)
_BLANKED = re.compile("\u2003[\u2003\n]+")
_OWN_NUMBERS = re.compile(r"[\[［【]\s*(\d{1,3})\s*[\]］】]")
_OWN_LABELS = re.compile(
    r"^(\s*(?:passages?|question|steps|answer|文章|質問|手順|回答))\s*[:：]", re.IGNORECASE | re.MULTILINE
)
_ANSWER_IN_LINE = re.compile(r"(?:Answer|回答)\s*[:：]\s*")


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example of a cited answer."""

    passages: tuple[str, ...]
    question: str
    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class PromptPassage:
    """A passage as the prompt shows it: its number, and its text or the part of it that is shown."""

    number: int
    passage: Passage
    text: str


def plugin_name(language: str) -> str:
    """Name the plugin that holds the prompt functions of a language; English where there is none."""
    return f"prompts_{language if language in LANGUAGES else 'en'}"


def load_prompt_plugins(folder: Path = PROMPTS_FOLDER) -> list[KernelPlugin]:
    """Load the prompt functions of every language.

    Raises:
        TekioError: a function is missing, cannot be read, or has other roles or variables than it should.
    """
    return [
        KernelPlugin(
            name=plugin_name(language),
            functions=[
                load_function(folder / language / name, plugin_name(language), wanted=variables_of(name))
                for name in SHIPPED_FUNCTIONS
            ],
        )
        for language in LANGUAGES
    ]


def instructions_of(function: KernelFunction) -> str:
    """Return what a prompt function tells the model in its system message; "" for a function without one."""
    template: Any = getattr(function, "prompt_template", None)
    shown = template.prompt_template_config.template if template is not None else None
    messages = ChatHistory.from_rendered_prompt(shown or "").messages
    return next((str(message.content) for message in messages if message.role.value == "system"), "")


def variables_of(function: str) -> set[str]:
    """Name the variables that the prompt of a technique, or another prompt function, shows."""
    if function in _VARIABLES_OF:
        return set(_VARIABLES_OF[function])
    return {"passages", "question"} | ({"examples"} if function in _EXAMPLES_OF else set())


def shown_by(function: KernelFunction) -> tuple[str, ...]:
    """Name the variables that a prompt function shows, sorted."""
    return tuple(sorted(each.name for each in function.parameters if each.name))


def load_function(
    folder: Path, plugin: str, *, name: str | None = None, wanted: set[str] | None = None
) -> KernelFunctionFromPrompt:
    """Load one prompt function and check its roles and variables.

    Args:
        folder: holds its two files.
        plugin: that it is for.
        name: of the function; None takes the folder's.
        wanted: the variables that it must show; None takes those that its config names.

    Raises:
        TekioError: it is missing, cannot be read, or has other roles or variables than it should.
    """
    try:
        function = KernelFunctionFromPrompt.from_directory(str(folder), plugin_name=plugin)
    except (KernelException, OSError, ValueError, TypeError) as error:
        raise TekioError(
            f"the prompt in {folder} is missing or cannot be read: {_first_line(error)}"
        ) from error
    config = function.prompt_template.prompt_template_config
    shown = config.template or ""
    if config.template_format != "semantic-kernel":
        raise TekioError(f"the prompt in {folder} has the template format {config.template_format}")
    history = ChatHistory.from_rendered_prompt(shown)
    roles = [message.role.value for message in history.messages]
    if roles != ["system", "user"]:
        raise TekioError(f"the prompt in {folder} has the roles {', '.join(roles)}, not system and user")
    named = {item.name for item in config.input_variables}
    expected = sorted(named if wanted is None else wanted)
    used = sorted(re.findall(r"{{(.*?)}}", shown, re.DOTALL))
    in_user = sorted(re.findall(r"{{\$(\w+)}}", history.messages[1].content))
    if in_user != expected or len(used) != len(in_user) or named != set(expected):
        raise TekioError(
            f"the user's message in {folder} must show {', '.join(expected) or 'its input_variables'}, once each, "
            "and nothing else"
        )
    if config.allow_dangerously_set_content or any(
        v.allow_dangerously_set_content for v in config.input_variables
    ):
        raise TekioError(
            f"the prompt in {folder} lets a document write its messages: allow_dangerously_set_content"
        )
    if name is not None and name != function.name:
        function.metadata.name = name
    return function


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:200] if lines else type(error).__name__


@lru_cache(maxsize=len(LANGUAGES))
def load_examples(language: str) -> tuple[Example, ...]:
    """Read the worked examples of a language from their data file."""
    language = language if language in LANGUAGES else "en"
    lines = (EXAMPLES_FOLDER / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(Example(tuple(r["passages"]), r["question"], r["reasoning"], r["answer"]) for r in rows)


def render_passages(passages: Sequence[PromptPassage], language: str, *, fence: str = "") -> str:
    """Return numbered passages as the prompt shows them, each with its place in its document.

    With a `fence`, which no document can know, a line of it stands before the first passage and behind each; what looks
    like the number or the head of another passage is written so that it is none.
    """
    page = _labels(language)["page"]
    blocks = []
    for shown in passages:
        passage = shown.passage
        title, *headings = (" ".join(part.split()) for part in (passage.title, *passage.headings))
        place = context_parts(title, headings)
        if passage.page is not None:
            place.append(page.format(passage.page))
        head = f"[{shown.number}] ({', '.join(place)})" if place else f"[{shown.number}]"
        blocks.append(f"{head}\n{unmarked(shown.text) if fence else shown.text}")
    if fence:
        line = f"--- {fence}"
        return "\n".join([line, *(part for block in blocks for part in (block, line))])
    return "\n\n".join(blocks)


def unmarked(text: str) -> str:
    """Return quoted material without what the prompt is made of: numbers in brackets, and its own labels."""
    return _OWN_LABELS.sub(r"\1 -", _OWN_NUMBERS.sub(r"(\1)", _BLANKED.sub(" … ", text)))


def examples_of(technique: str) -> int:
    """Return how many worked examples a technique shows; a prompt of the reader's own, which may show some, three."""
    return _EXAMPLES_OF.get(technique, 0 if technique in TECHNIQUES else 3)


def without_examples(technique: str) -> str:
    """Name the technique that is the same without worked examples."""
    if technique in TECHNIQUES and examples_of(technique):
        return "chain_of_thought" if technique in _STEPS else "zero_shot"
    return technique


def render_examples(technique: str, language: str, examples: Sequence[Example] | None = None) -> str:
    """Return worked examples in the form in which a technique asks for an answer.

    Args:
        technique: says whether steps are shown.
        language: of the labels.
        examples: None takes the first of those that ship with Tekio.
    """
    labels = _labels(language)
    blocks = []
    if examples is None:
        examples = load_examples(language)[: examples_of(technique)]
    for example in examples:
        lines = [labels["passages"]]
        lines += [f"[{number}] {text}" for number, text in enumerate(example.passages, start=1)]
        lines.append(labels["question"] + example.question)
        if technique in _STEPS:
            lines.append(labels["steps"] + (example.reasoning or _steps_of(example, language)))
        lines.append(labels["answer"] + example.answer)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _steps_of(example: Example, language: str) -> str:
    """Return plain steps for an example that has none: a model writes what it is shown."""
    cited = ", ".join(f"[{number}]" for number in dict.fromkeys(re.findall(r"\[(\d+)\]", example.answer)))
    return _labels(language)["cited" if cited else "uncited"].format(cited)


def split_reasoning(technique: str, text: str) -> tuple[str | None, str]:
    """Split a draft into its steps and its answer.

    A draft without an answer mark is all answer, so that nothing that was generated is lost.
    """
    text = text.strip()
    own = technique not in TECHNIQUES  # a prompt of the reader's own may ask for steps
    if technique not in _STEPS and not (own and _STEPS_MARK.match(text)):
        return None, _without(text, _ANSWER)
    # The first mark on a line of its own: a model that goes on repeats it for a question that it made up.
    mark = _ANSWER.search(text) or next(reversed(list(_ANSWER_IN_LINE.finditer(text))), None)
    if mark is None:
        return None, _without(text, _STEPS_MARK)
    steps, answer = _without(text[: mark.start()], _STEPS_MARK), _without(text[mark.end() :], _ANSWER)
    return (steps or None, answer) if answer else (None, steps)


def _without(text: str, mark: re.Pattern[str]) -> str:
    """Return a text without the marks that it begins with."""
    while found := mark.match(text):
        text = text[found.end() :]
    return text.strip()


def _labels(language: str) -> dict[str, str]:
    return _LABELS.get(language, _LABELS["en"])
