"""Follow-up questions in Japanese: what makes one, and what the question before it was about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.analysis import STOP_WORDS, TaggedWord, content_tokens, tagged_words

_LEAD = re.compile(
    r"^(?:(?:それでは|それなら|それじゃあ?|では|じゃあ|じゃ|ならば|なら|だったら|でも|そしたら|とすると)[、,\s]*|で[、,]\s*)"
)
_WEAK_LEAD = re.compile(r"^(?:また|あと|ちなみに|そして|それと|それから|さらに|なお)[、,\s]*")
_ENDS_OPEN = re.compile(r"(?:の(?:場合|とき|時|際)?)?(?:なら|だったら|について|に関して)?(?:は|って|とは)?$")
_OPEN = re.compile(r"(?:は|って|なら|だったら|の(?:場合|とき|時|際))$")
_POINTING = re.compile(
    r"(?:それ|これ|あれ)(?!とも|ぞれ|なり|から[、,]|と[、,]|で[、,])(?:ら)?|(?:その|あの)(?!まま|他|ほか|うち|つど|都度|場で)"
    r"|そこ(?!で[、,])|そちら|そっち|前者|後者|同じ(?:く)?(?=です|でしょう|か)|(?:ほか|他)に(?=は|も|[^よ])"
)
_THIS = re.compile(r"この(?P<noun>[^\s、。]{1,12})")
_THIS_ANY = re.compile(
    r"^(?:場合|時|とき|際|期間|人|方|薬|書類|手順|番号|部屋|検査|処置|ルール|規定|条件|手続き)"
)
_ASKING = re.compile(r"何|なん|いつ|どこ|誰|だれ|どなた|どれ|どの|どう|どちら|なぜ|いくら|いくつ|どんな")
RELATION = re.compile(
    r"(?:時間|時刻|料金|温度|番号|期限|期間|量|額|数|率|方法|場所|手順|条件|費用|理由|対象|名前|担当|担当者|責任者|連絡先"
    r"|基準|回数|頻度|間隔|手当|手数料|値|濃度|内線|例外|上限|下限|範囲|単位|単価|日数|目的|原因|症状|副作用|有効期限|宛先)$"
)
_NOUNS = ("名詞", "接頭辞", "接尾辞", "形状詞")
_EMPTY = ("こと", "もの", "場合", "とき", "際")


def fragment(question: str) -> str | None:
    """Return what a question that breaks off names in place of something before: 「子ども」 of 「では子どもは？」."""
    text = question.strip().rstrip("?？。. ")
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else _WEAK_LEAD.sub("", text)
    if not _OPEN.search(rest) or _ASKING.search(rest):
        return None
    named = _ENDS_OPEN.sub("", rest).strip()
    if not content_tokens(named):
        return None
    if not lead and min(len(words(named)), len(content_tokens(named))) > 1:
        return None  # 「駐車場の料金は？」 stands alone
    if RELATION.search(named) and len(words(named)) == 1:
        return None  # 「料金は？」 leans on what was spoken of
    return named


def leans(question: str, before: Sequence[str]) -> bool:
    """Say whether a question names something, or leaves it out, that only the turns before it tell.

    Args:
        question: as it was asked.
        before: the last question and its answer.
    """
    text = question.strip()
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else _WEAK_LEAD.sub("", text)
    content = content_tokens(rest)
    if not content or (lead and len(content) <= 1):
        return True
    for found in _POINTING.finditer(rest):
        if not content_tokens(rest[: found.start()]):
            return True
    this = _THIS.search(rest)
    if this and not content_tokens(rest[: this.start()]):
        said = {token for part in before for token in content_tokens(part[:2000])}
        named = content_tokens(this["noun"])
        if _THIS_ANY.match(this["noun"]) or (named and named[0] in said):
            return True
    return len(content) == 1 and _leaves_out(rest)


def _leaves_out(text: str) -> bool:
    """Say whether the one word of a question is what is done, or a relation to something, with nothing that has it."""
    bare = text.rstrip("?？。. ")
    words = tagged_words(bare)
    for place, word in enumerate(words):
        if word.tags[0] not in ("名詞", "動詞", "形容詞", "形状詞") or word.normal in STOP_WORDS:
            continue
        following = words[place + 1] if place + 1 < len(words) else None
        if word.tags[0] == "名詞":
            verbal = (
                word.tags[2] == "サ変可能"
                and following is not None
                and following.normal in ("為る", "出来る")
            )
            marked = following is None or following.surface in ("は", "が", "って")
            return verbal or bool(RELATION.search(word.surface) and marked)
        return _ASKING.search(text) is not None or bare.endswith("か")
    return False


def phrases(question: str) -> list[str]:
    """Return the noun phrases of a question, with 「の」 between their words, without what is asked for."""
    found: list[str] = []
    run: list[TaggedWord] = []
    for word in [*tagged_words(question), None]:
        if word is not None and (_is_noun(word) or (run and _joins(word))):
            run.append(word)
            continue
        while run and _joins(run[-1]):
            run.pop()
        text = "".join(item.surface for item in run)
        if text and content_tokens(text) and not _ASKING.search(text):
            found.append(text)
        run = []
    return found


def words(question: str) -> list[str]:
    """Return the nouns of a question, compounds whole, in order."""
    return [part for phrase in phrases(question) for part in phrase.split("の") if content_tokens(part)]


def topic(question: str) -> str | None:
    """Return the noun phrase with which a question begins and which 「は」 marks; None where there is none."""
    run: list[TaggedWord] = []
    for word in tagged_words(question.strip()):
        if word.tags[0] == "助詞" and word.surface == "は" and run:
            text = "".join(item.surface for item in run)
            return text if content_tokens(text) and not _ASKING.search(text) else None
        if not _is_noun(word) and not (run and _joins(word)):
            return None
        run.append(word)
    return None


def _joins(word: TaggedWord) -> bool:
    """Say whether a word stands within noun phrases: 「の」, and the hyphen of a part number."""
    return (word.surface == "の" and word.tags[0] == "助詞") or word.surface in ("-", "－", "/", "・", ".")


def _is_noun(word: TaggedWord) -> bool:
    if word.tags[0] == "名詞" and (word.tags[1] == "代名詞" or word.surface in _EMPTY):
        return False
    return word.tags[0] in _NOUNS
