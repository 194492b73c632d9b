"""What speaks for each span of a sentence that could answer: numbers by name, for a linear model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kernel.answering.span_candidates import Floats, Spans, candidates, density, gaps, within
from kernel.answering.span_questions import KINDS, Asking
from kernel.answering.span_words import ENDINGS, Word

_MOST_WORDS = 200
_NEAR = 3.0
_LENGTHS = ((1, 1), (2, 2), (3, 3), (4, 5), (6, 8), (9, 13), (14, 99))
_PREVIOUS = {
    "ja": "は が を に で の と も や 、 や から ） ・".split(),
    "en": "the a an of by in at on for to from with was is were are as and , that , called named".split(),
}
_NEXT = {
    "ja": "は が を に で の と も や 、 である です だ で し という 。 （ ・".split(),
    "en": "of , . in and was is were are to that who which for ( by on at from as".split(),
}


def spans_of(words: Sequence[Word], asking: Asking, language: str) -> Spans:
    """Return the spans of a sentence that could answer a question, with their features.

    A span begins and ends with a word that carries meaning, or with a bracket, and holds brackets in pairs.
    """
    words = words[:_MOST_WORDS]
    spans = candidates(words, language)
    if len(spans):
        _add_shape(spans, words)
        _add_surroundings(spans, words, language)
        _add_question(spans, words, asking)
        _add_kinds(spans, asking)
    return spans


def _add_shape(spans: Spans, words: Sequence[Word]) -> None:
    """Add what a span is made of."""
    starts, ends = spans.starts, spans.ends
    length = ends - starts
    content = within([word.kind == "content" for word in words], spans)
    for low, high in _LENGTHS:
        spans.features[f"length {low}"] = ((length >= low) & (length <= high)).astype(np.float64)
    flags = {
        "number": [word.number for word in words],
        "date": [word.date for word in words],
        "name": [word.name for word in words],
        "person": [word.person for word in words],
        "place": [word.place for word in words],
        "verb": [word.kind == "verb" for word in words],
        "function": [word.kind == "function" for word in words],
        "bracket": [word.bracket != 0 for word in words],
        "mark": [word.kind == "mark" and word.bracket == 0 for word in words],
        **{ending: [word.ending == ending for word in words] for ending in ENDINGS},
    }
    for name, flag in flags.items():
        found = within(flag, spans)
        spans.features[f"has {name}"] = (found > 0).astype(np.float64)
        if name in ("name", "number", "date"):
            spans.features[f"all {name}"] = (found >= content).astype(np.float64) * (found > 0)
        if name in ("function", "mark", "verb"):
            spans.features[f"count {name}"] = np.minimum(found, 4) / 4
        array = np.array(flag, np.float64)
        spans.features[f"first {name}"] = array[starts]
        spans.features[f"last {name}"] = array[ends - 1]
    depth = np.cumsum([word.bracket for word in words])
    spans.features["in brackets"] = (depth[starts] - [words[i].bracket for i in starts] > 0).astype(
        np.float64
    )


def _add_surroundings(spans: Spans, words: Sequence[Word], language: str) -> None:
    """Add what stands before and behind a span."""
    before = [None, *words]
    behind = [*words[1:], None]
    previous = [before[start] for start in spans.starts]
    following = [behind[end - 1] for end in spans.ends]
    first = [words[start] for start in spans.starts]
    last = [words[end - 1] for end in spans.ends]
    for name, vocabulary, found in (
        ("previous", _PREVIOUS[language], previous),
        ("next", _NEXT[language], following),
    ):
        texts = np.array(["" if word is None else word.text.lower() for word in found])
        for text in dict.fromkeys(vocabulary):
            spans.features[f"{name} {text}"] = (texts == text).astype(np.float64)
        spans.features[f"{name} end"] = _flags(word is None for word in found)
    spans.features["splits before"] = _flags(
        word is not None and word.kind == "content" and one.kind == "content"
        for word, one in zip(previous, first, strict=True)
    )
    spans.features["splits behind"] = _flags(
        word is not None and word.kind == "content" and one.kind == "content"
        for word, one in zip(following, last, strict=True)
    )
    spans.features["splits verb"] = _flags(
        word is not None and word.kind in ("verb", "function") and one.kind == "verb"
        for word, one in zip(following, last, strict=True)
    )
    spans.features["splits name before"] = _flags(
        word is not None and word.name and one.name for word, one in zip(previous, first, strict=True)
    )
    spans.features["splits name behind"] = _flags(
        word is not None and word.name and one.name for word, one in zip(following, last, strict=True)
    )
    spans.features["splits number"] = (
        _flags(
            word is not None and (word.number or word.date) and (one.number or one.date)
            for word, one in zip([*previous, *following], [*first, *last], strict=True)
        )
        .reshape(2, -1)
        .max(axis=0)
    )
    quotes = ("「", "『", "“", '"', "‘")
    spans.features["quoted"] = _flags(
        (word is not None and word.text in quotes and one is not None and one.kind == "mark")
        or (inner.text in quotes and end.kind == "mark")
        for word, one, inner, end in zip(previous, following, first, last, strict=True)
    )
    spans.features["bracketed"] = _flags(
        word is not None and word.bracket == 1 and one is not None and one.bracket == -1
        for word, one in zip(previous, following, strict=True)
    )


def _add_question(spans: Spans, words: Sequence[Word], asking: Asking) -> None:
    """Add how a span lies to the words of the question."""
    starts, ends = spans.starts, spans.ends
    matched = [word.kind in ("content", "verb") and word.key in asking.words for word in words]
    content = np.maximum(1, within([word.kind in ("content", "verb") for word in words], spans))
    asked = within(matched, spans)
    array = np.array(matched, np.float64)
    spans.features["asked share"] = asked / content
    spans.features["all asked"] = (asked >= content).astype(np.float64)
    spans.features["any asked"] = (asked > 0).astype(np.float64)
    spans.features["first asked"] = array[starts]
    spans.features["last asked"] = array[ends - 1]
    left, right = gaps(matched)
    spans.features["asked left"] = np.exp(-left[starts] / _NEAR)
    spans.features["asked right"] = np.exp(-right[ends] / _NEAR)
    spans.features["asked next to"] = ((left[starts] == 0) | (right[ends] == 0)).astype(np.float64)
    spans.features["asked around"] = density(array, spans)
    unasked = array.sum() - asked
    spans.features["asked outside"] = unasked / max(1.0, float(array.sum()))
    sums = np.concatenate([[0], np.cumsum(array)])
    left_share = sums[starts] / max(1.0, float(array.sum()))
    right_share = (sums[-1] - sums[ends]) / max(1.0, float(array.sum()))
    spans.features["asked left share"] = left_share
    spans.features["asked right share"] = right_share
    spans.features["topical, asked left share"] = left_share * float(asking.topical)
    spans.features["topical, asked right share"] = right_share * float(asking.topical)
    keys = [word.key for word in words]
    for name, key in (
        ("before", asking.before),
        ("after", asking.after),
        ("last", asking.last),
        ("head", asking.head),
    ):
        places = [key != "" and one == key for one in keys]
        known = float(any(places))
        near_left, near_right = gaps(places)
        spans.features[f"{name} left"] = known * np.exp(-near_left[starts] / _NEAR)
        spans.features[f"{name} right"] = known * np.exp(-near_right[ends] / _NEAR)
        at = np.array(places, np.float64)
        spans.features[f"{name} last"] = at[ends - 1]
        spans.features[f"{name} within"] = (within(places, spans) > 0).astype(np.float64)
    texts = np.array([*(word.text for word in words), ""])
    following = texts[ends]
    has = float(asking.particle != "")
    spans.features["particle"] = has * (following == asking.particle)
    spans.features["topical"] = np.full(len(spans), float(asking.topical))
    for name in (
        "previous は",
        "next は",
        "previous end",
        "next である",
        "next で",
        "asked left",
        "asked right",
    ):
        if name in spans.features:
            spans.features[f"topical, {name}"] = spans.features[name] * float(asking.topical)
    del spans.features["topical"]
    spans.features["place"] = starts / max(1, len(words))


_BY_KIND = (
    "has number",
    "all number",
    "has date",
    "all date",
    "has name",
    "all name",
    "has person",
    "has place",
    "has verb",
    "has function",
    "quoted",
    "bracketed",
    "any asked",
    "length 1",
    "length 2",
    "length 6",
    "length 9",
    "length 14",
    "head last",
    "head right",
    "next は",
)


def _add_kinds(spans: Spans, asking: Asking) -> None:
    """Add what a span is, by what is asked for."""
    own = {name: spans.features[name] for name in _BY_KIND if name in spans.features}
    zero = np.zeros(len(spans))
    for kind in KINDS:
        for name, values in own.items():
            spans.features[f"{kind}: {name}"] = values if kind == asking.kind else zero


def _flags(values: object) -> Floats:
    return np.array([bool(value) for value in values], np.float64)  # type: ignore[attr-defined]
