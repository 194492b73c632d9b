"""Where sentences begin and end in Japanese and English text.

Written here because the kept libraries want to be told the language of a text first, and our documents
mix both in one paragraph; it also has to be fast enough to run over every document.
"""

from __future__ import annotations

import re
from bisect import bisect_right

_CLOSING = "」』）)】〉》〕］］”’\"'"
# What belongs to the mark before it: brackets, marks on a letter or an emoji, the number of a reference.
_TAIL = rf"(?:[{_CLOSING}\u0300-\u036f\u3099\u309a\ufe0e\ufe0f]|\[[0-9]{{1,3}}\])*+"
# No run of marks is looked at twice, so that a page of dots takes no longer than a page of text.
_BOUNDARY = re.compile(
    rf"(?P<ja>[。｡！？；]++{_TAIL})"
    rf"|(?P<full>(?<!．)．++{_TAIL}(?![0-9０-９]))"
    rf"|(?P<en>(?<![.!?])[.!?]++{_TAIL}(?=\s|$|[^\x00-\x7f]))"
    r"|(?P<line>\n)"
)
# A quotation or an aside within a sentence; the length keeps one lost bracket from swallowing a page.
_ASIDES = (
    re.compile(r"「[^「」\n]{0,150}」"),
    re.compile(r"『[^『』\n]{0,150}』"),
    re.compile(r"（[^（）\n]{0,150}）"),
    re.compile(r"\([^()\n]{0,200}\)"),
)
# After a closing bracket these carry the sentence on: 「…。」と言った. Words that only begin like them do not.
_GOES_ON = re.compile(
    r"(?!でも|もし|もちろん|もっと|ところ|とても|なぜ|なお|やがて|やはり|かつて|はじめ|はい)[とっなのをがはにでもやへか、，]"
)
# A question or a cry without brackets that is told or thought: 本当？と聞いた. Only here the verb must follow,
# because ？ is as often followed by とても or ところで.
_TOLD = re.compile(
    r"(?:と|って)(?:言|い[いうえっわ]|云|聞|き[いか]|訊|尋|たず|思|おも|答|こた|考|かんが|述|叫|呼|書|感|問|話|語|迷|疑|"
    r"驚|喜|怒|笑|心配|不安|主張|説明|記|表示|返|声|、|，|の(?!ち))|など"
)
_SPACE = re.compile(r"\s*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ABBREVIATIONS = _words(
    "mr mrs ms dr prof st sr jr vs eg ie cf al approx dept est fig figs eq eqs sec ch vol no nos pp p ed eds "
    "rev gen col lt sgt capt hon art ver inc ltd co corp jan feb mar apr jun jul aug sep sept oct nov dec mt "
    "ft resp viz ref refs tab min max"
)
# These are abbreviations only before a figure: "No. 5" and "Fig. 2", but "I said no."
_ONLY_BEFORE_FIGURE = _words("no nos p pp fig figs eq eqs sec ch vol art ver ref refs tab min max")
# These often end a sentence too, so a capital after them starts a new one.
_MAY_END = _words("inc ltd co corp jr sr est ed eds")
_LAST_WORD = re.compile(r"(\S+)$")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence in order, without the white space around it.

    The spans cover everything but white space. A line end always ends a sentence: where lines were only
    wrapped, the readers have joined them already.
    """
    asides = _aside_spans(text)
    starts = [start for start, _ in asides]
    spans: list[tuple[int, int]] = []
    begin = _after_space(text, 0)
    for match in _BOUNDARY.finditer(text):
        if match.lastgroup != "line" and not _ends_sentence(text, match, begin, asides, starts):
            continue
        _add(spans, text, begin, match.end())
        begin = _after_space(text, max(begin, match.end()))
    _add(spans, text, begin, len(text))
    return spans


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    if end > start:
        spans.append((start, start + len(text[start:end].rstrip())))


def _aside_spans(text: str) -> list[tuple[int, int]]:
    found = sorted(match.span() for pattern in _ASIDES for match in pattern.finditer(text))
    outer: list[tuple[int, int]] = []
    for start, end in found:
        if not outer or start >= outer[-1][1]:
            outer.append((start, end))
    return outer


def _ends_sentence(
    text: str, match: re.Match[str], begin: int, asides: list[tuple[int, int]], starts: list[int]
) -> bool:
    end = match.end()
    at = bisect_right(starts, match.start()) - 1
    if at >= 0 and asides[at][0] < match.start() < asides[at][1]:
        if end < asides[at][1]:
            return False
        # The aside is a sentence of its own only when it began as one and nothing carries on behind it.
        following = text[end : end + 2]
        if following[:1].isspace() and following[1:].islower():
            return False
        if begin < asides[at][0] and following and not following[0].isspace():
            return False
    if text[end - 1] in "」』）" and _GOES_ON.match(text, end):
        return False
    if match.lastgroup == "ja":
        return match.group()[0] not in "！？" or not _TOLD.match(text, end)
    if match.lastgroup == "full":
        # "１．はじめに" is a number, not a sentence.
        return match.start() - begin > 8 or not text[begin : match.start()].strip().isdigit()
    return _english_ends(text, match, begin)


def _english_ends(text: str, match: re.Match[str], begin: int) -> bool:
    mark = match.group()
    following = text[match.end() : match.end() + 24]
    after = following.lstrip()
    if not after:
        return True
    if following and not following[0].isspace():
        # Japanese written with a half-width full stop; "Ver.２" and "3.5" are no ends.
        return mark[0] in "!?" or (match.start() > 0 and ord(text[match.start() - 1]) > 0x2E7F)
    if after[0].islower():
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    word_match = _LAST_WORD.search(text[max(begin, match.start() - 24) : match.start()])
    if word_match is None:
        return True
    word = word_match.group(1).lstrip("([{\"'“‘")
    first = match.start() - len(word) <= begin
    if first and (word.isdigit() or (len(word) == 1 and word.isalpha())):
        return False  # the number of a list item: "1. First"
    bare = word.replace(".", "").lower()
    if bare in ("am", "pm"):
        return after[0].isupper()
    if len(word) == 1 and word.isupper() and word != "I":
        return False  # an initial: "J. Smith"
    if "." in word and bare.isalpha() and all(len(part) <= 1 for part in word.split(".")):
        return False  # "e.g. Tokyo", "U.S. Navy"
    if bare in _ONLY_BEFORE_FIGURE:
        return not after.lstrip("([")[:1].isdigit()
    if bare in _MAY_END:
        return after[0].isupper()
    return bare not in _ABBREVIATIONS
