"""Citations: an answer's markers checked against the passages, and sentences without one matched.

Of every sentence of the answer: a marker that names no passage is taken out; a marker whose passage does not
support the sentence is mended when another passage does; a sentence without a marker gets that of the passage
that supports it best; a sentence that nothing supports is listed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kernel.answer import Citation
from kernel.answering.evidence import (
    InverseFrequencies,
    Sentence,
    answer_sentences,
    context_words,
    passage_sentences,
)
from kernel.answering.support import SUPPORTED, support
from retrieval.analysis import analyze
from retrieval.records import Passage

_MARKERS = re.compile(r"\s*[\[［【]\s*(\d+(?:\s*[,、]\s*\d+)*)\s*[\]］】]")
_APART = 6
"""Most characters of white space between neighbouring sentences that support a claim together."""
_END = re.compile(r"\s*([.。．！？!?…」』）)\"']*)$")


@dataclass(frozen=True, slots=True)
class CheckedText:
    """An answer's text with markers that hold, its citations, and the sentences that nothing supports."""

    text: str
    citations: list[Citation]
    unsupported: list[str]


def check_citations(
    draft: str,
    passages: Sequence[Passage],
    inverse_frequencies: InverseFrequencies,
    *,
    question: str = "",
    threshold: float = SUPPORTED,
) -> CheckedText:
    """Check a draft against the passages it was written from.

    Args:
        draft: the model's answer, with or without markers such as [1].
        passages: those in the prompt, in the order of their numbers.
        inverse_frequencies: weights of tokens in the index.
        question: what was asked; repeating it supports nothing.
        threshold: least support that counts, 0 to 1.
    """
    sentences = [item for item in passage_sentences(passages) if not item.is_heading]
    asked = frozenset(token.text for token in analyze(question))
    contexts = [context_words(passage) for passage in passages]
    written: list[str] = []
    said: set[str] = set()
    citations: list[Citation] = []
    unsupported: list[str] = []
    for line in answer_sentences(draft):
        markers = [
            int(number) - 1 for group in _MARKERS.findall(line) for number in re.findall(r"\d+", group)
        ]
        bare = _MARKERS.sub("", line).strip()
        if not any(character.isalnum() for character in bare):
            continue
        if bare.casefold() in said:
            continue  # small models repeat themselves
        said.add(bare.casefold())
        found = _best_evidence(bare, asked, markers, sentences, contexts, inverse_frequencies, threshold)
        if found is None:
            unsupported.append(bare)
            written.append(bare)
            continue
        evidence, score = found
        citations.append(cite(evidence, passages, score))
        end = _END.search(bare)
        assert end is not None
        written.append(f"{bare[: end.start()]} [{evidence[0].passage + 1}]{end.group(1)}")
    return CheckedText(join_sentences(written), list(dict.fromkeys(citations)), unsupported)


def cite(evidence: Sequence[Sentence], passages: Sequence[Passage], score: float) -> Citation:
    """Return the citation of neighbouring sentences of one passage."""
    first, last = evidence[0], evidence[-1]
    passage = passages[first.passage]
    start, end = first.start, last.end
    return Citation(
        marker=first.passage + 1,
        document=passage.document,
        title=passage.title,
        page=passage.page_of(start) if passage.page_starts else passage.page,
        start=start,
        end=end,
        quote=passage.text[start - passage.start : end - passage.start],
        score=round(score, 4),
    )


def join_sentences(sentences: Sequence[str]) -> str:
    """Join sentences; with no space behind a Japanese full stop."""
    text = ""
    for sentence in sentences:
        glue = "" if not text or text[-1] in "。！？」』" else " "
        text += glue + sentence
    return text


def _best_evidence(
    claim: str,
    asked: frozenset[str],
    markers: Sequence[int],
    sentences: Sequence[Sentence],
    contexts: Sequence[frozenset[str]],
    inverse_frequencies: InverseFrequencies,
    threshold: float,
) -> tuple[list[Sentence], float] | None:
    """Return the sentence, or two neighbours, that support a claim best, those of marked passages first."""
    tokens = analyze(claim)
    weights = inverse_frequencies(list({token.text for token in tokens}))
    best: tuple[tuple[bool, float, int, int], list[Sentence]] | None = None
    for place, sentence in enumerate(sentences):
        windows = [[sentence]]
        following = sentences[place + 1] if place + 1 < len(sentences) else None
        # What stands between two sentences may have been blanked out, and is not to be quoted with them.
        if following and following.passage == sentence.passage and following.start - sentence.end <= _APART:
            windows.append([sentence, following])
        for window in windows:
            words = frozenset().union(*(item.words for item in window))
            score = support(tokens, words, weights, asked=asked, context=contexts[sentence.passage])
            if score < threshold:
                continue
            # A marker that holds is kept; then the best support, the shorter quote, the better passage.
            order = (sentence.passage in markers, score, -len(window), -place)
            if best is None or order > best[0]:
                best = (order, window)
    return None if best is None else (best[1], best[0][1])
