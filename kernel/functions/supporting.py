"""Sentences of an answer that rest on what a function worked out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kernel.answer import FunctionCall
from kernel.answering.citations import CheckedText
from kernel.answering.evidence import InverseFrequencies
from kernel.answering.support import SUPPORTED, support
from kernel.functions.grounding import figures
from retrieval.analysis import analyze
from retrieval.records import Passage


def supported_by_results(
    checked: CheckedText,
    calls: Sequence[FunctionCall],
    passages: Sequence[Passage],
    inverse_frequencies: InverseFrequencies,
    *,
    question: str,
) -> tuple[CheckedText, list[str]]:
    """Take out of the unsupported sentences those that results support; return them as well.

    Such a sentence states a figure that a function gave and that was not in the question, and everything else that
    it adds to the question stands in the calls or in the passages: figures exactly, as for citations.

    Args:
        checked: the answer, checked against the passages.
        calls: those whose arguments are grounded, with a result each.
        passages: those in the prompt.
        inverse_frequencies: weights of tokens in the index.
        question: what was asked.
    """
    if not calls or not checked.unsupported:
        return checked, []
    told = "\n".join(
        f"{' '.join(str(value) for value in each.arguments.values())} {each.result}" for each in calls
    )
    asked = frozenset(token.text for token in analyze(question))
    text = "\n".join([told, *(passage.text for passage in passages)])
    evidence = frozenset(token.text for token in analyze(text)) | figures(told)
    given = figures("\n".join(each.result or "" for each in calls)) - figures(question)
    by_results = []
    for sentence in checked.unsupported:
        tokens = analyze(sentence)
        weights = inverse_frequencies(list({token.text for token in tokens}))
        if figures(sentence) & given and (
            support(tokens, evidence, weights, asked=asked, context=asked) >= SUPPORTED
        ):
            by_results.append(sentence)
    left = [each for each in checked.unsupported if each not in by_results]
    return replace(checked, unsupported=left), by_results
