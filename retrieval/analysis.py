"""Text to search tokens, the same for what is searched and what is searched for.

Latin words are case folded and English words stemmed; Japanese is cut into dictionary words by Sudachi, in
their normalised form, without particles and auxiliaries; a compound such as ISO-9001:2015 stays one token.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_JAPANESE = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUNS = re.compile(rf"(?P<ja>[{_JAPANESE}]+)|(?P<word>[^\W_{_JAPANESE}]+(?:[-./:'’][^\W_{_JAPANESE}]+)*)")
_JAPANESE_RUN = re.compile(f"[{_JAPANESE}]")
_KANA = re.compile("[\u3040-\u30ff]")
_DROPPED_POS = frozenset({"助詞", "助動詞", "補助記号", "記号", "空白"})
_SUDACHI_PIECE = 8000  # characters; the library takes 49,149 bytes at most

STOP_WORDS = frozenset(
    """
    a an and are as at be been by can could did do does for from had has have how i if in into is it its
    may many me much must my of on or our out shall should so than that the their them then there these
    they this to us was we were what when where which while who whom whose why will with would you your
    not no any also about long often soon far happen happens mean means need needs get gets
    為る 居る 有る 成る 無い 何 何時 何処 誰 何れ どう どの 此れ 其れ 此の 其の 此処 良い
    下さる 教える 事 物 為 場合 時 方 様 等 どこ いつ なに だれ 幾 つ 誰 幾ら よる 及び
    又は 御座る 出来る 如何 幾ら 幾つ 言う 何の どんな 何故 因る 就く 於く 対する 必要 行う
    """.split()
)

_dictionary: Any = None  # the Sudachi dictionary, memory-mapped once for all threads
_dictionary_lock = threading.Lock()
_local = threading.local()


@dataclass(frozen=True, slots=True)
class Token:
    """A search token. `start` and `end` are offsets into the normalised text, see `normalize`."""

    text: str
    start: int
    end: int

    @property
    def is_content(self) -> bool:
        """Say whether the token carries meaning of its own."""
        return self.text not in STOP_WORDS

    @property
    def has_digit(self) -> bool:
        """Say whether the token holds a digit: a number, a part number, an article number."""
        return any(character.isdigit() for character in self.text)


def normalize(text: str) -> str:
    """Fold what looks the same: NFKC and lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def detect_language(text: str) -> str:
    """Name the language by its script: `ja` with kana or Chinese characters, `en` with Latin letters, else `und`."""
    text = unicodedata.normalize("NFKC", text)
    if _KANA.search(text) or _JAPANESE_RUN.search(text):
        return "ja"
    letters = [character for character in text if character.isalpha()]
    latin = sum(character < "\u0250" for character in letters)
    return "en" if not letters or latin * 2 > len(letters) else "und"


def analyze(text: str) -> list[Token]:
    """Return the search tokens of a text in order."""
    return list(_tokens(normalize(text)))


def search_tokens(text: str) -> list[str]:
    """Return the tokens as plain strings, for the keyword index."""
    return [token.text for token in analyze(text)]


def content_tokens(text: str) -> list[str]:
    """Return the tokens that carry meaning, without stop words and doubles, in order of first appearance."""
    return list(dict.fromkeys(token.text for token in analyze(text) if token.is_content))


def _tokens(text: str) -> Iterator[Token]:
    for run in _RUNS.finditer(text):
        if run.lastgroup == "ja":
            yield from _japanese(run.group(), run.start())
        else:
            word = run.group().replace("’", "'").removesuffix("'s")
            yield Token(stem(word), run.start(), run.end())


def _japanese(text: str, offset: int) -> Iterator[Token]:
    for word in japanese_words(text):
        yield Token(word.normal, offset + word.start, offset + word.start + len(word.surface))


def japanese_runs(normalised: str) -> list[str]:
    """Return the Japanese runs of a normalised text."""
    return [run.group() for run in _RUNS.finditer(normalised) if run.lastgroup == "ja"]


@dataclass(frozen=True, slots=True)
class JapaneseWord:
    """A word of a Japanese run; `start` is its offset there, `parts` how many short words it is made of."""

    surface: str
    normal: str
    reading: str
    start: int
    parts: int
    unknown: bool


@lru_cache(maxsize=256)
def japanese_words(run: str, *, compounds: bool = False) -> tuple[JapaneseWord, ...]:
    """Cut a Japanese run into short words, or into words as long as the dictionary has; particles are left out.

    Keeps the last runs, since a query is cut for several purposes.
    """
    tokenizer = _sudachi(compounds)
    words: list[JapaneseWord] = []
    for piece in range(0, len(run), _SUDACHI_PIECE):
        for word in tokenizer.tokenize(run[piece : piece + _SUDACHI_PIECE]):
            if word.part_of_speech()[0] not in _DROPPED_POS:
                words.append(
                    JapaneseWord(
                        surface=word.surface(),
                        normal=word.normalized_form().lower(),
                        reading=word.reading_form(),
                        start=piece + word.begin(),
                        parts=len(word.split(_short())) if compounds else 1,
                        unknown=word.is_oov(),
                    )
                )
    return tuple(words)


@dataclass(frozen=True, slots=True)
class TaggedWord:
    """A word, particle or mark with its part of speech, four levels of Sudachi's; offsets are into the text."""

    surface: str
    normal: str
    tags: tuple[str, ...]
    start: int
    end: int


def tagged_words(text: str) -> list[TaggedWord]:
    """Cut a text into short words, particles and marks included; their surfaces together are the text."""
    tokenizer = _sudachi(False)
    found = []
    for piece in range(0, len(text), _SUDACHI_PIECE):
        for word in tokenizer.tokenize(text[piece : piece + _SUDACHI_PIECE]):
            found.append(
                TaggedWord(
                    word.surface(),
                    word.normalized_form().lower(),
                    tuple(word.part_of_speech()[:4]),
                    piece + word.begin(),
                    piece + word.end(),
                )
            )
    return found


def proper_names(text: str) -> list[str]:
    """Return the Japanese words of a text that are proper names by the dictionary, in their normalised form."""
    return [
        word.normal
        for run in japanese_runs(normalize(text))
        for word in tagged_words(run)
        if word.tags[1] == "固有名詞"
    ]


def _short() -> Any:
    from sudachipy import SplitMode

    return SplitMode.A


def _sudachi(compounds: bool) -> Any:
    global _dictionary
    name = "compound_tokenizer" if compounds else "tokenizer"
    tokenizer = getattr(_local, name, None)
    if tokenizer is None:
        from sudachipy import Dictionary, SplitMode

        with _dictionary_lock:
            if _dictionary is None:
                _dictionary = Dictionary()
        # A tokenizer is not safe to share between threads; the dictionary is.
        tokenizer = _dictionary.tokenizer(SplitMode.C if compounds else SplitMode.A)
        setattr(_local, name, tokenizer)
    return tokenizer


def stem(word: str) -> str:
    """Return the stem of a normalised English word; another word as it is."""
    return _stem(word) if word.isascii() and word.isalpha() and word not in STOP_WORDS else word


@lru_cache(maxsize=1 << 16)
def _stem(word: str) -> str:
    """Stem a word; keeps those of the last words, since the stemmer is slow and a corpus has few words."""
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:
        import snowballstemmer

        stemmer = _local.stemmer = snowballstemmer.stemmer("english")
    return str(stemmer.stemWord(word))
