"""The words of a question, each with what it could be: a number, a part of a date or of a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from retrieval.analysis import STOP_WORDS, stem, tagged_words

_ENGLISH = re.compile(r"(?P<word>[^\W_]+(?:[.,:/'’\-–][^\W_]+)*%?|[$€£¥])|(?P<mark>\S)")
_FUNCTION = STOP_WORDS | frozenset(
    """
    am being such both either neither nor but yet between among during before after since until against through
    via per upon onto over under within without while although though because whether as just only very
    too also however therefore thus hence he his him she her they them who whom which whose
    """.split()
)
_NUMBERS = frozenset(
    """
    one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion dozen
    hundreds thousands millions billions once twice half third quarter first second
    """.split()
)
_DATES = frozenset(
    """
    january february march april may june july august september october november december jan feb mar apr jun jul aug
    sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday century centuries bc ad bce ce
    spring summer autumn winter decade
    """.split()
)
_YEAR = re.compile(r"1[0-9]{3}s?|20[0-9]{2}s?|[0-9]{4}[–-][0-9]{2,4}")
_JA_DATE = frozenset(
    "年 月 日 世紀 年代 年度 時代 頃 時 分 曜日 昭和 平成 令和 大正 明治 紀元前 初頭 前半 後半 末".split()
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a mark of a text.

    Attributes:
        text: as it stands there, `start` to `end`.
        key: by which it is found again: the stem, or Sudachi's normalised form.
        kind: `content`, `function`, `verb` (Japanese verbs, adjectives and what follows them) or `mark`.
        number: it is or holds a number.
        date: it is a month, a year or a word of dates.
        name: it looks like a part of a name.
        person: it is a person's name (Japanese alone).
        place: it is a place's name (Japanese alone).
    """

    text: str
    start: int
    end: int
    key: str
    kind: str
    number: bool = False
    date: bool = False
    name: bool = False
    person: bool = False
    place: bool = False


def words_of(text: str, language: str) -> list[Word]:
    """Return the words and marks of a text in `ja` or `en`, in order, white space left out."""
    return list(_japanese(text) if language == "ja" else _english(text))


def _english(text: str) -> Iterator[Word]:
    begins = True
    for found in _ENGLISH.finditer(text):
        surface, place = found.group(), (found.start(), found.end())
        if found.lastgroup != "word":
            yield Word(surface, *place, surface, "mark")
            continue
        lower = unicodedata.normalize("NFKC", surface).lower().replace("’", "'")
        bare = lower.removesuffix("'s")
        capital = surface[:1].isupper()
        function = bare in _FUNCTION and not (capital and len(surface) > 1 and surface.isupper())
        number = any(map(str.isdigit, surface)) or bare in _NUMBERS
        yield Word(
            surface,
            *place,
            stem(bare),
            "function" if function else "content",
            number=number,
            date=bool(_YEAR.fullmatch(bare)) or (bare in _DATES and (bare != "may" or capital)),
            name=capital and not function and not (begins and bare in _FUNCTION),
        )
        begins = False


def _japanese(text: str) -> Iterator[Word]:
    for word in tagged_words(text):
        if word.surface.isspace():
            continue
        first, second, third = word.tags[0], word.tags[1], word.tags[2]
        place = (word.start, word.end)
        alphanumeric = any(map(str.isalnum, word.surface))
        if first in ("補助記号", "記号", "空白") and not alphanumeric:
            yield Word(word.surface, *place, word.surface, "mark")
            continue
        if first in ("助詞", "助動詞", "接続詞", "感動詞"):
            kind = "function"
        elif first in ("動詞", "形容詞", "副詞") or (second == "非自立可能" and first != "名詞"):
            kind = "verb"
        else:
            kind = "content"
        yield Word(
            word.surface,
            *place,
            word.normal,
            kind,
            number=second == "数詞" or any(map(str.isdigit, word.surface)),
            date=word.surface in _JA_DATE,
            name=second == "固有名詞" or _is_katakana(word.surface),
            person=third == "人名",
            place=third == "地名",
        )


def _is_katakana(text: str) -> bool:
    return len(text) > 1 and all("ァ" <= character <= "ヿ" for character in text)
