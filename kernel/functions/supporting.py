"""Sentences of an answer that rest on what a function worked out."""

from __future__ import annotations

from collections.abc import Sequence

from kernel.answer import FunctionCall
from kernel.answering.citations import CheckedText, rest_on_results
from kernel.answering.claims.check import Claim
from kernel.answering.claims.values import find_values, is_among
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
    text = "\n".join([told, *(passage.text for passage in passages)])
    words = frozenset(token.text for token in analyze(text))
    held = find_values(text)
    given = figures("\n".join(each.result or "" for each in calls)) - figures(question)
    by_results = []
    for sentence in checked.unsupported:
        claim = Claim(sentence, question)
        weights = inverse_frequencies(list({token.text for token in claim.tokens}))
        known = [*held, *claim.asked_values]
        if not figures(sentence) & given or any(not is_among(value, known) for value in claim.values):
            continue
        score = support(
            claim.tokens,
            words,
            weights,
            asked=claim.asked,
            context=claim.asked,
            adds_figures=claim.adds_figures,
        )
        if score >= SUPPORTED:
            by_results.append(sentence)
    return rest_on_results(checked, by_results), by_results
