"""Follow-up questions in English: what makes one, and what the question before it was about."""

from __future__ import annotations

import re
from collections.abc import Sequence

from retrieval.analysis import STOP_WORDS, content_tokens, normalize, stem

_WORD = re.compile(r"[^\W_]+(?:[-./:'’][^\W_]+)*")
_LEAD = re.compile(r"^(?:(?:and|or|but|so|ok(?:ay)?|well|then|also|now)\b,?\s+)+", re.IGNORECASE)
_ABOUT = re.compile(
    r"^(?:(?:what|how) about|what if it(?:'s| is)|(?:the )?same (?=for|with|on|in|at))\s*", re.IGNORECASE
)
_HELPER = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|could|should|must|may|might|will|would|shall|has|have|had|am)(?:n['’]t)?\b",
    re.IGNORECASE,
)
_IMPERATIVE = re.compile(
    r"^(?:please\s+)?(?:tell|list|give|explain|describe|name|show|compare|find|state|summari[sz]e|translate)\b",
    re.IGNORECASE,
)
_WHO = re.compile(r"^(?:who|whom|whose|what|which|where|when|why)\s+\w", re.IGNORECASE)
_ASKS = re.compile(r"\b(?:who|whom|whose|what|which|where|when|why|how)\b", re.IGNORECASE)
_HOW = re.compile(r"how\s", re.IGNORECASE)
PREPOSITIONS = (
    "for on in at with without during after before under over by from to of via until since within per between "
    "above below outside inside against through"
).split()
_PREPOSITION = re.compile(rf"^(?:{'|'.join(PREPOSITIONS)})\s+\S", re.IGNORECASE)
_CLAUSE_END = re.compile(
    r"[,;:.!?]|\b(?:if|when|while|because|that|which|who|before|after|until|unless|although|and|or|but|once)\b",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|such|(?:what|who|"
    r"which|anything|anyone|where|how) else|(?:which|that|this|another|the (?:other|first|second|next|last|same))"
    r"\s+ones?)\b",
    re.IGNORECASE,
)
_POSSESSIVE = frozenset("its their his her".split())
_EXPLETIVE = re.compile(
    r"^\s*(?:takes?\s+(?:to|for|until|before)\b|(?:be\s+|is\s+|was\s+)?(?:possible|necessary|allowed|ok|okay|true|"
    r"permitted|required|safe|better|enough|important|normal|legal|right|wrong|common|usual|typical|hard|difficult|easy)\s+(?:to|that|for|if)\b|rains?\b|snows?\b)",
    re.IGNORECASE,
)
_THERE_IS = re.compile(
    r"\bthere\s+(?:is|are|was|were|has|have|will|should|must|can|be)\b|\b(?:is|are|was|were|be|will|has|have)\s+there\b",
    re.IGNORECASE,
)
_BEFORE_DEMONSTRATIVE = frozenset(
    "is are was were do does did can could should must may might will would for of to in on at with about under by "
    "from after before than as and or but".split()
)
_TIMES = frozenset("year month week morning afternoon evening night day time weekend summer winter".split())
RELATIONS = frozenset(
    stem(word)
    for word in (
        "deadline limit reason dose fee cost price number phone contact procedure exception interval duration amount "
        "maximum minimum address date rule responsible person frequency temperature alternative consequence penalty"
    ).split()
)
_NAME = re.compile(r"(?<=\s)[A-Z][\w&-]*\b(?<!\bI)")
_FEW = 2
"""Content words before a pronoun: more of them may name what it means."""


def fragment(question: str) -> str | None:
    """Return what a question that is no sentence names in place of something before: "for children", else None."""
    text = question.strip().rstrip("?!. ")
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    about = _ABOUT.match(rest)
    if about:
        return rest[about.end() :].strip() or None
    if _is_clause(rest):
        return None
    content = content_tokens(rest)
    if lead or not content or (_PREPOSITION.match(rest) and not _ASKS.search(rest)):
        return rest
    return rest if _HOW.match(rest) and len(content) <= _FEW else None


def leans(question: str, before: Sequence[str]) -> bool:
    """Say whether a question that is a sentence names something that only the turns before it tell.

    Args:
        question: as it was asked.
        before: the last question and its answer.
    """
    text = question.strip()
    lead = _LEAD.match(text)
    rest = text[lead.end() :] if lead else text
    content = content_tokens(rest)
    if not content or (lead and len(content) == 1):
        return True  # "And who signs?"; "And where is the spare key?" stands alone
    if len(content) == 1 and content[0] in RELATIONS:
        return True
    said = {token for part in before for token in content_tokens(part[:2000])}
    return any(_points_back(rest, found, said) for found in _PRONOUN.finditer(rest))


def _is_clause(text: str) -> bool:
    return bool(_HELPER.search(text) or _IMPERATIVE.match(text) or _WHO.match(text))


def _points_back(text: str, found: re.Match[str], said: set[str]) -> bool:
    """Say whether a pronoun means something that stands nowhere in the question itself.

    A pronoun means nothing of its own clause (Chomsky's principle B), so in the first clause it points out of the
    question; in a later one it may mean what an earlier one names.
    """
    word, before, after = found.group().lower(), text[: found.start()], text[found.end() :]
    ends = [end.end() for end in _CLAUSE_END.finditer(before)]
    if any(content_tokens(before[:end]) for end in ends):
        return False
    own = content_tokens(before)
    if len(own) > _FEW or _NAME.search(before):
        return False  # "When did Setanta Sports say it would launch": long enough to name what it means
    if " " in word:  # "what else", "which one"
        return not re.match(r"\s+of\b", after) and len(content_tokens(text)) <= _FEW + 1
    if word in _POSSESSIVE and own:
        return False
    if word == "it":
        return not _EXPLETIVE.match(after)
    if word == "there":
        return not _THERE_IS.search(text)
    if word in ("that", "this", "these", "those", "such"):
        return _demonstrates(word, before, after, said)
    return True


def _demonstrates(word: str, before: str, after: str, said: set[str]) -> bool:
    last = _WORD.findall(before.lower())[-1:]
    if last and last[0] not in _BEFORE_DEMONSTRATIVE:
        return False  # "the pump that alarms", "says that"
    noun = re.match(r"\s+([^\W\d_]+)", after)
    if noun is None or _HELPER.match(noun.group(1)) or noun.group(1).lower() in PREPOSITIONS:
        return word != "such"
    named = noun.group(1).lower()
    if named in _TIMES:
        return False
    # "this hospital" is where one is; "this permit", where a permit was spoken of, is that one.
    return word in ("that", "those", "such") or stem(named) in said or named in STOP_WORDS


_JOINING = re.compile(r"^\s*(?:(?:of|for|in|on|with|at)\s+)?(?:(?:the|an?)\s+)?$", re.IGNORECASE)
_SPACE = re.compile(r"^\s*$")
_GENERIC = frozenset(
    "ahead far one ones new last lasts thing things way ways kind sort case people person family tell ask use used "
    "want".split()
)


def phrases(question: str, *, joined: bool = True) -> list[str]:
    """Return the phrases of a question that carry meaning: runs of such words.

    Joined they go over "of the" and the like: "approval for colistin", else "approval", "colistin".
    """
    between = _JOINING if joined else _SPACE
    runs: list[tuple[int, int]] = []
    for found in _WORD.finditer(question):
        word = normalize(found.group())
        bare = word.replace("’", "'").removesuffix("'s")
        if (
            bare in STOP_WORDS
            or bare in _GENERIC
            or bare in PREPOSITIONS
            or _HELPER.fullmatch(bare)
            or (len(bare) == 1 and not bare.isdigit())
        ):
            continue
        if runs and between.match(question[runs[-1][1] : found.start()]):
            runs[-1] = (runs[-1][0], found.end())
        else:
            runs.append((found.start(), found.end()))
    return [question[start:end] for start, end in runs]
