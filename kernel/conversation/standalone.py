"""A follow-up question made to stand alone, by rules: "and for children?" after a question about adults.

A question that names something in place of something is the question before it, with that put in: a figure in place
of a figure of the same unit, "for children" in place of "for adults", else in place of the phrase that is nearest in
meaning. A question that points back is asked about what the question before it was about. Every other question is
left as it is. What comes out holds the words of the question, and beside them only words of the conversation.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence

from kernel.conversation import english, japanese
from kernel.conversation.history import PastTurn
from plugins.memory.rules import fact_to_remember
from retrieval.analysis import content_tokens, detect_language
from retrieval.queries import MAX_QUERY

Weights = Callable[[Sequence[str]], Mapping[str, float]]
"""Gives how rare tokens are in the index."""
Nearest = Callable[[str, Sequence[str]], int | None]
"""Gives the place of the text that is nearest in meaning to another; None where none stands out."""

MOST_PHRASES = 3
_DEEPEST = 12
"""Turns that are looked back through for a question that stands alone."""
_LONGEST_BASE = 600

_FIGURE = re.compile(r"(?P<number>\d+(?:[.,:]\d+)*)\s*(?P<unit>[^\W\d_]+(?:/[^\W\d_]+)*|[%％℃°]C?)?")

_CJK = "\u30a0-\u30ff\u4e00-\u9fff"
_CODE = re.compile(
    rf"[A-Za-z]+(?:[-/.][A-Za-z]+)*[-/.]?\d+(?:[-/.]?[A-Za-z0-9]+)*|\d+[A-Za-z][A-Za-z0-9]*|第[0-9０-９一二三四五六七八九十]+[{_CJK}]+"
    rf"|[{_CJK}]+[A-Z](?![\w-])|\b(?i:class|type|grade|zone|level)\s+\w+"
)


def no_weights(tokens: Sequence[str]) -> dict[str, float]:
    """Weigh all tokens alike."""
    return dict.fromkeys(tokens, 1.0)


def stand_alone(
    question: str,
    history: Sequence[PastTurn],
    *,
    weights: Weights = no_weights,
    nearest: Nearest = lambda text, among: None,
) -> str:
    """Return a question that can be understood without the conversation; one that can already is given back.

    Args:
        question: as it was asked.
        history: the turns before it, oldest first.
        weights: tells what the question before it was mostly about.
        nearest: tells in place of what something is named.
    """
    turns = [turn for turn in history[-_DEEPEST:] if fact_to_remember(turn.question) is None]
    if not turns or not is_follow_up(question, turns):
        return question
    base = base_of(turns, weights=weights, nearest=nearest)
    if not base or len(base) > _LONGEST_BASE or base == question:
        return question
    named = _module(question).fragment(question)
    made = None
    if named is not None and content_tokens(named) and detect_language(base) == detect_language(question):
        made = _replaced(named, base, nearest)
    made = made or _about(question, base, weights)
    return made if len(made) <= MAX_QUERY else question


def is_follow_up(question: str, turns: Sequence[PastTurn]) -> bool:
    """Say whether a question needs the turns before it to be understood."""
    if not turns:
        return False
    rules = _module(question)
    return rules.fragment(question) is not None or rules.leans(
        question, (turns[-1].question, turns[-1].answer)
    )


def base_of(turns: Sequence[PastTurn], *, weights: Weights, nearest: Nearest) -> str:
    """Return the last question as it stands alone: as it was made then, or made so now from those before it."""
    last = turns[-1]
    if last.asked:
        return last.asked
    before = turns[:-1]
    if before and is_follow_up(last.question, before):
        return stand_alone(last.question, before, weights=weights, nearest=nearest)
    return last.question


def _module(question: str) -> _Rules:
    return japanese if detect_language(question) == "ja" else english  # type: ignore[return-value]


class _Rules:
    """What the modules of the languages give."""

    fragment: Callable[[str], str | None]
    leans: Callable[[str, Sequence[str]], bool]


# -- something named in place of something -----------------------------------------------------------------


def _replaced(named: str, base: str, nearest: Nearest) -> str | None:
    """Return a question with something put in place of what it names; None where that is not plain."""
    exact = _figure_replaced(named, base) or _code_replaced(named, base)
    if exact is not None:
        return exact
    if detect_language(base) == "ja":
        return _japanese_replaced(named, base, nearest)
    return _english_replaced(named, base, nearest)


def _figure_replaced(named: str, base: str) -> str | None:
    new = list(_FIGURE.finditer(named))
    if len(new) != 1:
        return None
    if [token for token in content_tokens(_FIGURE.sub(" ", named)) if token not in content_tokens(base)]:
        return None  # there is more to it than the figure
    unit = (new[0]["unit"] or "").lower()
    old = [found for found in _FIGURE.finditer(base) if (found["unit"] or "").lower() == unit or not unit]
    if len(old) != 1:
        return None
    written = new[0].group().strip() if unit else new[0]["number"]
    end = old[0].end() if unit else old[0].end("number")
    return base[: old[0].start()] + written + base[end:]


def _code_replaced(named: str, base: str) -> str | None:
    """Put a part number or a name with a figure or letter, SP-4018, クラスA, in place of the one of the same form."""
    content = content_tokens(named)
    new = [found.group() for found in _CODE.finditer(named)]
    if len(new) != 1 or not content or not set(content) <= set(content_tokens(new[0])):
        return None
    old = [found.group() for found in _CODE.finditer(base) if _form(found.group()) == _form(new[0])]
    return base.replace(old[0], new[0]) if len(set(old)) == 1 and old[0] != new[0] else None


def _form(code: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"\d+", "9", code)) if re.search(r"\d", code) else code[:-1]


def _english_replaced(named: str, base: str, nearest: Nearest) -> str | None:
    """Put each part of "the dose for children" in its place; None where a part has none."""
    made = base
    for preposition, part in _english_parts(named, base):
        if not content_tokens(part):
            continue
        place = _after(preposition, made) if preposition else None
        if place is None:
            found = english.phrases(made, joined=False)
            chosen = nearest(part, found)
            if chosen is None:
                if not preposition:
                    return None
                made = f"{made.rstrip(' ?.')} {preposition} {part}?"  # "on Sundays", where no day was named
                continue
            start = made.index(found[chosen])
            place = (start, start + len(found[chosen]))
        end = _with_others(made, place[1], english.phrases(made, joined=False))
        made = made[: place[0]] + _without_article(part, made[: place[0]]) + made[end:]
    return made if made != base else None


def _with_others(base: str, end: int, found: Sequence[str]) -> int:
    """Return where a phrase ends with what is named beside it: "the control unit and drives"."""
    for phrase in found:
        beside = re.compile(rf"\s+(?:and|or)\s+(?:(?:the|an?)\s+)?{re.escape(phrase)}").match(base, end)
        if beside:
            return beside.end()
    return end


def _english_parts(named: str, base: str) -> list[tuple[str, str]]:
    """Cut "the dose for children" into ("", "the dose") and ("for", "children"), where the base has a "for" too."""
    marks = [
        mark
        for mark in re.finditer(rf"\b({'|'.join(english.PREPOSITIONS)})\s+", named, re.IGNORECASE)
        if mark.start() == 0 or re.search(rf"\b{mark.group(1)}\b", base, re.IGNORECASE)
    ]
    cuts = [
        (0, 0, ""),
        *((mark.start(), mark.end(), mark.group(1).lower()) for mark in marks),
        (len(named), 0, ""),
    ]
    parts = [
        (word, named[begin:end].strip(" ,")) for (_, begin, word), (end, _, _) in itertools.pairwise(cuts)
    ]
    return [(word, part) for word, part in parts if part]


def _after(preposition: str, base: str) -> tuple[int, int] | None:
    """Return the place of the phrase behind a preposition, where it stands once."""
    found = []
    for mark in re.finditer(rf"\b{preposition}\s+(?:(?:the|an?)\s+)?", base, re.IGNORECASE):
        rest = base[mark.end() :]
        first = english.phrases(rest)[:1]
        if first and rest.startswith(first[0]):
            # "for adults with sepsis": only what stands directly behind it.
            cut = re.split(rf"\s+(?:{'|'.join(english.PREPOSITIONS)})\s+", first[0], maxsplit=1)[0]
            found.append((mark.end(), mark.end() + len(cut)))
    return found[0] if len(found) == 1 else None


def _without_article(part: str, before: str) -> str:
    """Return a part without the article, or the "what", that stands before its place already."""
    if not re.search(r"\b(?:the|an?|what|which)\s+$", before, re.IGNORECASE):
        return part
    return re.sub(r"^(?:the|an?|what|which)\s+", "", part, flags=re.IGNORECASE)


def _japanese_replaced(named: str, base: str, nearest: Nearest) -> str:
    found = [word for word in japanese.words(base) if word not in named]
    chosen = nearest(named, found)
    if chosen is None:
        return f"{named}の場合、{base}"
    return base.replace(found[chosen], named, 1)


# -- what was spoken of ------------------------------------------------------------------------------------


def _about(question: str, base: str, weights: Weights) -> str:
    """Return a question asked about what another was about."""
    own = set(content_tokens(question))
    found = [phrase for phrase in topic_of(base, weights) if not own.issuperset(content_tokens(phrase))]
    if not found:
        return question
    if detect_language(question) == "ja":
        return f"{'、'.join(found)}について、{question}"
    return f"About {', '.join(found)}: {question}"


def topic_of(base: str, weights: Weights) -> list[str]:
    """Return the phrases that a question is about: what it is marked to be about, or those of its rarest words."""
    if detect_language(base) == "ja":
        marked = japanese.topic(base)
        found = [marked] if marked else japanese.phrases(base)
    else:
        found = english.phrases(base)
    if len(found) <= MOST_PHRASES:
        return found
    tokens = {phrase: content_tokens(phrase) for phrase in found}
    rare = weights([token for each in tokens.values() for token in each])
    by_rarity = sorted(
        found, key=lambda each: -max((rare.get(token, 0.0) for token in tokens[each]), default=0.0)
    )
    kept = set(by_rarity[:MOST_PHRASES])
    return [phrase for phrase in found if phrase in kept]
