"""What a question asks for, told by its question word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kernel.answering.span_words import Word, words_of

KINDS = ("date", "number", "person", "place", "reason", "manner", "name", "thing")

_JA_WH = frozenset(
    """
    何 何者 誰 だれ どこ 何処 いつ 何時 なに なん どれ どの どちら どんな どう どのよう いくつ いくら なぜ 何故
    """.split()
)
_JA_UNITS_DATE = frozenset("年 月 日 時 世紀 曜日 年代 年度".split())
_JA_PERSON = frozenset("人物 人名 者 氏 誰 著者 作者 監督 社長 大統領 首相".split())
_JA_PLACE = frozenset("場所 国 県 都市 地域 地方 市 町 村 区 所在地 出身地 駅 州 島".split())
_JA_NAME = frozenset("名前 名称 呼称 通称 愛称 別名 名 呼ぶ 言う 呼び名".split())
_EN_WH = frozenset("what which who whom whose when where why how".split())
_EN_DATE = frozenset("year date month day century decade time era period".split())
_EN_NUMBER = frozenset(
    "percentage percent number amount population age rate price cost height length size area distance".split()
)
_EN_PERSON = frozenset(
    "person man woman player author president king queen leader artist scientist actor actress singer".split()
)
_EN_PLACE = frozenset(
    "city country state place location region continent river town county area colony stadium island".split()
)
_EN_AMOUNT = frozenset("many much old long far tall large big high fast often deep wide".split())
_AUXILIARY = frozenset(
    "is are was were do does did can could will would has have had should may might".split()
)


@dataclass(frozen=True, slots=True)
class Asking:
    """What a question asks for.

    Attributes:
        kind: one of `KINDS`.
        words: the question's words, the question word and what is only of the form left out.
        before: key of the last content word before the question word, or "".
        after: key of the first content word after the question phrase, or "".
        last: key of the last content word, or "".
        head: key of the word that the question word belongs to: 議席 of 何議席, year of "which year", or "".
        particle: the particle after the question word, or "".
        topical: the question is a topic alone, 「…は？」, or ends with its question word, 「…は何か」.
    """

    kind: str
    words: frozenset[str]
    before: str
    after: str
    last: str
    head: str
    particle: str
    topical: bool


def understood_question(question: str, language: str) -> Asking | None:
    """Return what a question in `ja` or `en` asks for; None for one that is answered by yes or no."""
    words = words_of(question, language)
    return _japanese(words) if language == "ja" else _english(words)


def _japanese(words: Sequence[Word]) -> Asking | None:
    at = next((place for place, word in enumerate(words) if _is_japanese_wh(word)), None)
    content = [word for word in words if word.kind in ("content", "verb")]
    if at is None:
        ending = [word.text for word in words if word.kind != "mark"][-1:]
        if ending == ["か"] and words and not any(word.text in ("は", "とは") for word in words[-3:]):
            return None
        keys = frozenset(word.key for word in content)
        tail = next((word.key for word in reversed(words) if word.kind == "content"), "")
        return Asking(_japanese_kind("", tail, keys), keys, tail, "", tail, "", "", True)
    wh = words[at]
    rest = words[at + 1 :]
    head = rest[0].key if rest and rest[0].kind == "content" and wh.text in ("何", "どの", "なん") else ""
    following = rest[1:] if head else rest
    particle = following[0].text if following and following[0].kind == "function" else ""
    behind = [word for word in following if word.kind in ("content", "verb")]
    before = next((word.key for word in reversed(words[:at]) if word.kind == "content"), "")
    keys = frozenset(word.key for word in content if word is not wh and not _is_japanese_wh(word))
    topical = not behind or particle in ("か", "です")
    kind = _japanese_kind(wh.text, head or (before if topical else ""), keys)
    final = behind[-1].key if behind else before
    return Asking(kind, keys, before, behind[0].key if behind else "", final, head, particle, topical)


def _is_japanese_wh(word: Word) -> bool:
    return word.text in _JA_WH or word.key in _JA_WH


def _japanese_kind(wh: str, head: str, keys: frozenset[str]) -> str:
    if wh in ("いつ", "何時") or head in _JA_UNITS_DATE:
        return "date"
    if wh in ("誰", "だれ", "何者") or head in _JA_PERSON:
        return "person"
    if wh in ("どこ", "何処") or head in _JA_PLACE:
        return "place"
    if wh in ("いくつ", "いくら") or (wh in ("何", "なん") and head):
        return "number"
    if wh in ("なぜ", "何故") or "理由" in keys or "原因" in keys:
        return "reason"
    if wh in ("どう", "どのよう", "どんな"):
        return "manner"
    return "name" if head in _JA_NAME or keys & _JA_NAME else "thing"


def _english(words: Sequence[Word]) -> Asking | None:
    lower = [word.text.lower() for word in words]
    at = next((place for place, word in enumerate(lower) if word in _EN_WH), None)
    if at is None:
        if lower and lower[0] in _AUXILIARY:
            return None
        keys = frozenset(word.key for word in words if word.kind == "content")
        return Asking("thing", keys, "", "", "", "", "", True)
    wh, following = lower[at], lower[at + 1 : at + 2]
    amount = wh == "how" and bool(following) and following[0] in _EN_AMOUNT
    rest = [
        word for word in words[at + 1 :] if word.kind == "content" and word.text.lower() not in _EN_AMOUNT
    ]
    verb_next = bool(following) and following[0] in _AUXILIARY
    head = rest[0].key if rest and not verb_next and wh in ("what", "which", "whose", "how") else ""
    if wh == "what" and verb_next and rest and _named(rest[0], "name type kind"):
        head = rest[0].key
    plain_head = rest[0].text.lower() if head else (rest[0].text.lower() if rest and verb_next else "")
    kind = _english_kind(wh, plain_head, amount)
    keys = frozenset(
        word.key
        for place, word in enumerate(words)
        if word.kind == "content" and place != at and lower[place] not in _EN_WH
    )
    before = next((word.key for word in reversed(words[:at]) if word.kind == "content"), "")
    behind = rest[1:] if head else rest
    last = behind[-1].key if behind else before
    return Asking(kind, keys, before, behind[0].key if behind else "", last, head, "", verb_next)


def _english_kind(wh: str, head: str, amount: bool) -> str:
    if wh == "when" or head in _EN_DATE:
        return "date"
    if amount or head in _EN_NUMBER:
        return "number"
    if wh in ("who", "whom", "whose") or head in _EN_PERSON:
        return "person"
    if wh == "where" or head in _EN_PLACE:
        return "place"
    if wh == "why":
        return "reason"
    if wh == "how":
        return "manner"
    return "name" if head in ("name", "title", "term", "nickname") else "thing"


def _named(word: Word, names: str) -> bool:
    return word.text.lower() in names.split()
