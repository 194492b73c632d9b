"""Text in passages that is addressed to a language model, found sentence by sentence.

A sentence that looks like an instruction to a model is blanked out of what answers are made of, with what follows it
in its paragraph, which is mostly what it wants done. The passage stays as it is where people see it. What only tells
of such instructions, in quotation marks and with the words for it, stays.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote

from ingest.sentences import split_sentences
from kernel.answering.plain_form import PlainForm, plain_form
from kernel.answering.suspicion_rules import THRESHOLD, load_rules
from retrieval.records import Passage

Span = tuple[int, int]
_DISCOUNT = 0.4
"""What is left of the weight of a sentence that only tells of instructions."""
_TELLING = 0.5
"""A sentence only tells of instructions when it does so of every match of this weight."""
_NEAR = 0.4
"""From this on a sentence goes with the instruction that it stands before."""
_QUOTED = re.compile(
    r"[\"“”][^\"“”\n]{1,400}[\"“”]|「[^「」\n]{1,400}」|『[^『』\n]{1,400}』|`[^`\n]{1,400}`|‘[^‘’\n]{1,400}’"
)
_TOLD = re.compile(
    r"\b(?:injections?|attack(?:s|ers?|ed)?|adversar\w+|malicious|jailbreak\w*|hostile|phishing|such as|"
    r"for example|e\.g\.|the (?:phrase|words|string|text|token|line|sentence|marker)s?|known as|red.?team\w*|"
    r"vulnerabilit\w+)\b|攻撃|インジェクション|注入|悪意|といった|などの(?:文|指示|命令|文言|語|表現)|"
    r"という(?:文|指示|命令|文言|文字列|語|表現|記述)|例えば|たとえば"
)
_REPORTED = re.compile(
    r"(?:\bto|\bthat|\bcan|\bmay|\bmight|\bcould|\bwould|\bwill|\bthey|\bwho|\bwhich|\band|\bor)\W{0,2}$"
)
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2}[\w.~-]{0,3}){8,}")
_OWN_LINE = re.compile(r"\s*(?:\||[-*+・●○■□]\s|\(?\d{1,3}[.)]\s)")
_HALF = 0.6
"""Two neighbours of this weight are an instruction together."""
_BLANK = "\u2003"
"""White space that hardly any document has; prompts show a run of it as a gap."""
_GAP = 4
"""Characters between two passages of a document that are read on as one."""


@dataclass(frozen=True, slots=True)
class Examined:
    """Passages as answers may use them, same places as they were found, and the indexes of those that were blanked."""

    passages: list[Passage]
    blanked: tuple[int, ...]


def examine(passages: Sequence[Passage]) -> Examined:
    """Return passages with what is addressed to a model blanked out by white space, so that every offset holds.

    Titles and headings that are such text are left out. An instruction that goes on in the next passage of its
    document is found too.
    """
    spans: list[set[Span]] = [set(addressed_spans(passage.text)) for passage in passages]
    for first, second in _followers(passages):
        cut = len(passages[first].text)
        for start, end in addressed_spans(passages[first].text + "\n" + passages[second].text):
            if start < cut < end:
                spans[first].add((start, cut))
                spans[second].add((0, end - cut - 1))
    cleaned = []
    blanked = []
    for number, (passage, found) in enumerate(zip(passages, spans, strict=True)):
        title = "" if is_addressed(passage.title) else passage.title
        headings = tuple(heading for heading in passage.headings if not is_addressed(heading))
        clean = replace(passage, text=_blank(passage.text, found), title=title, headings=headings)
        if clean != passage:
            blanked.append(number)
        cleaned.append(clean)
    return Examined(cleaned, tuple(blanked))


def is_addressed(text: str) -> bool:
    """Tell whether a short text, such as a heading, holds an instruction to a model."""
    return bool(text) and bool(addressed_spans(text.replace("_", " ")))


@lru_cache(maxsize=4096)
def addressed_spans(text: str) -> tuple[Span, ...]:
    """Return the (start, end) of what is addressed to a language model in a text, in order, apart from each other."""
    scores = sentence_scores(text)
    found: list[Span] = []
    for place, ((start, end), score) in enumerate(scores):
        if score >= THRESHOLD or _goes_on(text, scores, place):
            before = place - 1
            while (
                before >= 0 and scores[before][1] >= _NEAR and "\n" not in text[scores[before][0][1] : start]
            ):
                start = scores[before][0][0]
                before -= 1
            found.append((start, max(end, _paragraph_end(text, start, end))))
    joined: list[Span] = []
    for start, end in found:
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return tuple(joined)


def sentence_scores(text: str) -> list[tuple[Span, float]]:
    """Return each sentence's (start, end) with how much it looks like an instruction to a model, 0 and up."""
    sentences = split_sentences(text)
    form = plain_form(text)
    kinds: list[dict[str, float]] = [defaultdict(float) for _ in sentences]
    matches: list[list[Span]] = [[] for _ in sentences]
    for kind, weight, (start, end) in _matches(text, form):
        for place, (first, last) in enumerate(sentences):
            if first < end and last > start:
                kinds[place][kind] = max(kinds[place][kind], weight)
                if weight >= _TELLING:
                    matches[place].append((start, end))
    return [
        (span, round(sum(found.values()) * (_DISCOUNT if _is_told(text, span, places) else 1.0), 3))
        for span, found, places in zip(sentences, kinds, matches, strict=True)
    ]


def _goes_on(text: str, scores: Sequence[tuple[Span, float]], place: int) -> bool:
    """Tell whether a sentence is half of an instruction, and the next one in its line the other half."""
    if place + 1 == len(scores):
        return False
    (_, end), score = scores[place]
    (start, _), following = scores[place + 1]
    return min(score, following) >= _HALF and "\n" not in text[end:start]


def _matches(text: str, form: PlainForm) -> Iterator[tuple[str, float, Span]]:
    for rule in load_rules():
        for match in rule.pattern.finditer(form.text):
            if match.end() > match.start():
                yield rule.kind, rule.weight, form.span(*match.span())
    for pattern, decode in ((_BLOB, _from_base64), (_PERCENT, unquote)):
        for match in pattern.finditer(text):
            inside = decode(match.group())
            if inside and _is_instruction(inside):
                yield "encoded", THRESHOLD, match.span()


def _is_instruction(text: str) -> bool:
    form = plain_form(text)
    weights: dict[str, float] = defaultdict(float)
    for rule in load_rules():
        if rule.pattern.search(form.text):
            weights[rule.kind] = max(weights[rule.kind], rule.weight)
    return sum(weights.values()) >= THRESHOLD


def _from_base64(blob: str) -> str:
    try:
        padded = blob.rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _is_told(text: str, sentence: Span, matches: Sequence[Span]) -> bool:
    """Tell whether a sentence only tells of instructions: each is quoted or reported, with the words for it."""
    if not matches:
        return False
    start, end = sentence
    line = text[start:end]
    if not _TOLD.search(_QUOTED.sub(" ", line).lower()):
        return False
    quoted = [(start + match.start(), start + match.end()) for match in _QUOTED.finditer(line)]
    return all(
        any(first <= begin and stop <= last for first, last in quoted)
        or _REPORTED.search(text[max(start, begin - 12) : begin].lower()) is not None
        or _TOLD.search(text[begin:stop].lower()) is not None
        for begin, stop in matches
    )


def _paragraph_end(text: str, start: int, end: int) -> int:
    """Return where the paragraph of a span ends: its line, and the lines below that are no items and no rows."""
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    line = text[text.rfind("\n", 0, start) + 1 : line_end]
    while not _OWN_LINE.match(line) and line_end < len(text):
        following = text.find("\n", line_end + 1)
        following = len(text) if following < 0 else following
        line = text[line_end + 1 : following]
        if not line.strip() or _OWN_LINE.match(line):
            break
        line_end = following
    return line_end


def _followers(passages: Sequence[Passage]) -> Iterator[tuple[int, int]]:
    """Yield the indexes of passages that follow each other in one document."""
    order = sorted(range(len(passages)), key=lambda at: (passages[at].document_id, passages[at].start))
    for first, second in pairwise(order):
        one, other = passages[first], passages[second]
        if one.document_id == other.document_id and 0 <= other.start - one.end <= _GAP:
            yield first, second


def _blank(text: str, spans: Sequence[Span] | set[Span]) -> str:
    for start, end in spans:
        text = text[:start] + re.sub(r"[^\n]", _BLANK, text[start:end]) + text[end:]
    return text
