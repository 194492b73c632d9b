"""Prompt functions: one folder a function (`skprompt.txt`, `config.json`), one plugin a language.

Semantic Kernel skips a broken prompt file with no more than a line in the log, so what was loaded is compared
with what must be there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from semantic_kernel.functions.kernel_plugin import KernelPlugin

from retrieval.records import Passage

PROMPTS_FOLDER = Path(__file__).parent / "prompts"
EXAMPLES_FOLDER = Path(__file__).parent / "examples"
TECHNIQUES = ("zero_shot", "one_shot", "few_shot", "chain_of_thought", "hybrid")
LANGUAGES = ("en", "ja")

_EXAMPLES_OF = {"one_shot": 1, "few_shot": 3, "hybrid": 3}
_STEPS = ("chain_of_thought", "hybrid")
_LABELS = {
    "en": {"passages": "Passages:", "question": "Question: ", "steps": "Steps: ", "answer": "Answer: ", "page": "p. {}"},
    "ja": {"passages": "文章：", "question": "質問：", "steps": "手順：", "answer": "回答：", "page": "{}ページ"},
}
_ANSWER_MARKS = ("Answer:", "回答：", "回答:")
_STEP_MARKS = ("Steps:", "手順：", "手順:")


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example of a cited answer."""

    passages: tuple[str, ...]
    question: str
    reasoning: str
    answer: str


def plugin_name(language: str) -> str:
    """Name the plugin that holds the prompt functions of a language; English where there is none."""
    return f"prompts_{language if language in LANGUAGES else 'en'}"


def load_prompt_plugins(folder: Path = PROMPTS_FOLDER) -> list[KernelPlugin]:
    """Load the prompt functions of every language.

    Raises:
        ValueError: a function is missing or could not be read.
    """
    plugins = []
    for language in LANGUAGES:
        plugin = KernelPlugin.from_directory(language, folder)
        missing = set(TECHNIQUES) - set(plugin.functions)
        if missing:
            raise ValueError(f"the prompts in {folder / language} lack or cannot read: {', '.join(sorted(missing))}")
        plugins.append(KernelPlugin(name=plugin_name(language), functions=dict(plugin.functions)))
    return plugins


@lru_cache(maxsize=len(LANGUAGES))
def load_examples(language: str) -> tuple[Example, ...]:
    """Read the worked examples of a language from their data file."""
    language = language if language in LANGUAGES else "en"
    lines = (EXAMPLES_FOLDER / f"{language}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return tuple(Example(tuple(r["passages"]), r["question"], r["reasoning"], r["answer"]) for r in rows)


def render_passages(passages: Sequence[Passage], language: str) -> str:
    """Return numbered passages as the prompt shows them, each with its place in its document."""
    page = _labels(language)["page"]
    blocks = []
    for number, passage in enumerate(passages, start=1):
        place = [part for part in dict.fromkeys((passage.title, *passage.headings)) if part]
        if passage.page is not None:
            place.append(page.format(passage.page))
        blocks.append(f"[{number}] ({', '.join(place)})\n{passage.text}")
    return "\n\n".join(blocks)


def render_examples(technique: str, language: str) -> str:
    """Return the worked examples that a technique shows, in the form in which it asks for an answer."""
    labels = _labels(language)
    blocks = []
    for example in load_examples(language)[: _EXAMPLES_OF.get(technique, 0)]:
        lines = [labels["passages"]]
        lines += [f"[{number}] {text}" for number, text in enumerate(example.passages, start=1)]
        lines.append(labels["question"] + example.question)
        if technique in _STEPS:
            lines.append(labels["steps"] + example.reasoning)
        lines.append(labels["answer"] + example.answer)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def split_reasoning(technique: str, text: str) -> tuple[str | None, str]:
    """Split a draft into its steps and its answer.

    A draft without an answer mark is all answer, so that nothing that was generated is lost.
    """
    text = text.strip()
    if technique not in _STEPS:
        return None, _without(text, _ANSWER_MARKS)
    for mark in _ANSWER_MARKS:
        steps, found, answer = text.rpartition(mark)
        if found and answer.strip():
            return _without(steps, _STEP_MARKS) or None, answer.strip()
    return None, _without(text, _STEP_MARKS)


def _without(text: str, marks: Sequence[str]) -> str:
    text = text.strip()
    for mark in marks:
        text = text.removeprefix(mark).strip()
    return text


def _labels(language: str) -> dict[str, str]:
    return _LABELS.get(language, _LABELS["en"])
