"""The parts of a question that asks several things, found by rules in Japanese and English.

A part is a sentence that asks, a clause that asks beside another ("What is the dose, and who must sign?"), or the
question about one of several things that are named ("the stock of pens and of ink, respectively"). What is said and
not asked goes with every part, since it tells what they are about. Where it is not plain that there are several,
there are none: a search for the whole is never wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from retrieval.analysis import content_tokens
from retrieval.enumerations import each_of_several
from retrieval.queries import MAX_PARTS

_MOST_CONTEXT = 400
"""Characters of what is said before it is asked, that go with every part."""
_END_SIZE = 100

_QUOTED = re.compile(r"「[^「」]*」|『[^『』]*』|“[^“”]*”|\"[^\"\n]*\"|\([^()]*\)|（[^（）]*）")
# A line that goes on with a small letter is a line that was too long.
_END = re.compile(r"[。！？]+|[?!]+(?=\s|$|[^\x00-\x7f])|\.(?=\s+[A-Z“\"(]|\s*$)|\n(?=\s*[^a-z\s])|;\s|；")
_ABBREVIATION = re.compile(
    r"\b(?:(?i:mr|mrs|ms|dr|prof|st|nos?|fig|art|sec|vol|vs|approx|inc|ltd|co|corp|jr|sr|e\.g|i\.e|etc|cf|al)"
    r"|[A-Z][a-z]?)$"
)
_BULLET = re.compile(r"^(?:[-*•・●○]|\(?[0-9０-９]{1,2}[.)）．、](?!\d)|[①-⑳])\s*")
_JOINER = re.compile(
    r"^(?:(?:and|but|or|also|then|next|finally|in addition|additionally|furthermore|moreover)\b,?\s*"
    r"|(?:また|そして|さらに|それから|加えて|次に|最後に|あと|なお)[、,]?\s*)+",
    re.IGNORECASE,
)

_HELPER = (
    r"(?:is|are|was|were|do|does|did|can|could|should|must|may|might|will|would|shall|has|have|am)(?:n['’]t)?"
)
_OPENS = re.compile(
    rf"(?:(?:for|in|on|at|by|to|of|from|with|under|within|until|since|after|before)\s+)?"
    rf"(?:what|which|who|whom|whose|when|where|why|how)\b"
    rf"|{_HELPER}\s+\S|(?:please\s+)?(?:tell|list|give|explain|describe|name|show|compare|find|state|summari[sz]e)\b",
    re.IGNORECASE,
)
_ASKS_WITHIN = re.compile(
    rf"\b(?:what|which|who|whom|whose|why|how)\b|\b(?:when|where)\s+{_HELPER}\b", re.IGNORECASE
)
_INDIRECT = re.compile(
    r"\b(?:tell|explain|describe|know|state|show|say|understand|find out|wonder)\b", re.IGNORECASE
)
_CLAUSE = re.compile(
    rf"(?:,\s*|\s+)(?:and|but|or)\s+(?:also\s+|then\s+|if so,?\s+)?"
    rf"(?=(?-i:(?!WHO\b))(?:(?:for|in|on|at|by|to|of|from|with|under|within|until|since)\s+)?"
    rf"(?:what|which|who|whom|whose|why|how)\b"
    rf"|(?:when|where)\s+(?P<helped>{_HELPER}\b)?"
    rf"|{_HELPER}\s+\w)",
    re.IGNORECASE,
)

_JA_WORD = r"(?:何|なに|なん|いつ|どこ|誰|だれ|どなた|どの|どれ|どちら|どう|どんな|どのよう|なぜ|いくら|いくつ|いかが)"
_JA_ASKS = re.compile(
    rf"{_JA_WORD}|か$|(?:教え|示し|説明し|挙げ|述べ|答え|リストアップし|列挙し|比較し|計算し)て|(?:ください|下さい)$"
)
_JA_QUESTION = re.compile(_JA_WORD)
_JA_YES_NO = re.compile(r"(?:です|ます|ました|でした|でしょう|ません|のでしょう)か$")
_JA_OTHERWISE = re.compile(r"^(?:それとも|あるいは|または|もしくは)")
_JA_CASE = re.compile(r"(?:を|に|が|は|から|まで|へ|と|より|の|も|や)$")
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def question_parts(question: str) -> tuple[str, ...]:
    """Return the parts of a question, two to four of them; none where it asks one thing."""
    said: list[str] = []
    asked: list[str] = []
    for sentence in _sentences(question):
        if asks(sentence):
            asked += _clauses(sentence)
        else:
            said.append(sentence)
    if len(asked) == 1:
        asked = list(each_of_several(asked[0]))
    parts = [part for part in dict.fromkeys(asked) if content_tokens(part)]
    if len(parts) < 2:
        return ()
    gap = "" if _JAPANESE.search(question) else " "
    context = gap.join(said)
    before = context + gap if said and len(context) <= _MOST_CONTEXT else ""
    return tuple(before + part for part in _few(parts, gap))


def _few(parts: list[str], gap: str) -> Iterator[str]:
    """Put neighbours together where there are more parts than are searched for."""
    count = min(len(parts), MAX_PARTS)
    for place in range(count):
        yield gap.join(parts[place * len(parts) // count : (place + 1) * len(parts) // count])


def _sentences(text: str) -> Iterator[str]:
    quoted = [found.span() for found in _QUOTED.finditer(text)]
    start, place = 0, 0
    for end in _END.finditer(text):
        while place < len(quoted) and quoted[place][1] <= end.start():
            place += 1
        if place < len(quoted) and quoted[place][0] <= end.start():
            continue
        if end.group() == "." and _ABBREVIATION.search(text[max(start, end.start() - 12) : end.start()]):
            continue
        yield from _plain(text[start : end.end()])
        start = end.end()
    yield from _plain(text[start:])


def _plain(sentence: str) -> Iterator[str]:
    plain = _JOINER.sub("", _BULLET.sub("", sentence.strip()))
    if plain.strip(" ?!.,;？！。、；"):
        yield plain


def asks(sentence: str) -> bool:
    """Say whether a sentence asks something, or asks for it."""
    bare = sentence.rstrip(" ?!.,;？！。、；\n")
    if sentence.rstrip()[-1:] in ("?", "？"):
        return True
    if _JAPANESE.search(bare):
        return _JA_ASKS.search(bare) is not None
    return _OPENS.match(bare) is not None


def _clauses(sentence: str) -> list[str]:
    """Return the clauses of a sentence that each ask something; the sentence where it has but one."""
    cuts = _japanese_cuts(sentence) if _JAPANESE.search(sentence) else _english_cuts(sentence)
    pieces, start = [], 0
    for end, after in cuts:
        pieces.append(sentence[start:end].strip())
        start = after
    pieces.append(sentence[start:].strip())
    return [_JOINER.sub("", piece) for piece in pieces]


def _english_cuts(sentence: str) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _CLAUSE.finditer(sentence):
        left, right = sentence[start : found.start()], sentence[found.end() :]
        asked = _OPENS.match(left) or _ASKS_WITHIN.search(left)
        if not asked or not _says(left) or not _says(right):
            continue
        if re.match("when|where", right, re.IGNORECASE) and not found["helped"]:
            if not _INDIRECT.search(left):
                continue  # "if it rains and when it snows" asks nothing more
        elif re.match(_HELPER + r"\b", right, re.IGNORECASE) and not found.group().startswith(","):
            continue  # "what is and can be done"
        yield found.start(), found.end()
        start = found.end()


def _says(text: str) -> bool:
    """Say whether a text carries meaning of its own; its ends tell."""
    return bool(content_tokens(text[:_END_SIZE]) or content_tokens(text[-_END_SIZE:]))


def _japanese_cuts(sentence: str) -> Iterator[tuple[int, int]]:
    start = 0
    for comma in re.finditer("[、，,]", sentence):
        left, right = sentence[start : comma.start()], sentence[comma.end() :].strip()
        if _JA_OTHERWISE.match(right) or _JA_CASE.search(left):
            continue
        if not _JA_YES_NO.search(left):
            # "有効期限は何日で、": of something it is asked what it is, and the clause is at its end.
            asked = re.search(rf"(?:は|が|も)[^、]*{_JA_WORD}", left)
            if asked is None or _JA_QUESTION.search(right) is None:
                continue
        elif not _JA_ASKS.search(right.rstrip(" ?!。？！")):
            continue
        if not _says(left) or not _says(right):
            continue
        yield comma.start(), comma.end()
        start = comma.end()
