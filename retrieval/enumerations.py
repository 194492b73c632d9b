"""A question about each of several things that it names, as a question about each of them."""

from __future__ import annotations

import re

_EACH = re.compile(r",?\s*\brespectively\b", re.IGNORECASE)
_EACH_JA = re.compile("(?:それぞれ|各々|おのおの)(?!の)")
_COMPARED = re.compile(
    r"どちら|どれ|のうち|違い|比較|比べ|\b(?:which|whether|differen\w+|compar\w+|versus|vs)\b", re.IGNORECASE
)
_EDGE = r"(?:of|for|in|on|between|among|the|a|an|are|is|to|with|\w+['’]s)"
_EN_LIST = re.compile(
    rf"(?<=\s){_EDGE}\s+(?P<items>[^,?.;]{{2,40}}?(?:,\s+[^,?.;]{{2,40}}?)*,?\s+and\s+[^,?.;]{{2,40}}?)"
    r"(?=,?\s+respectively\b)",
    re.IGNORECASE,
)
_EN_BETWEEN = re.compile(r",\s+(?:and\s+)?|\s+and\s+", re.IGNORECASE)

_ITEM = r"(?:[ァ-ヺー一-龥々A-Za-z0-9０-９&.・-]{1,30})"
_JA_JOINT = "(?:と|や|、|及び|および|並びに)"
_JA_LIST = re.compile(rf"{_ITEM}(?:{_JA_JOINT}{_ITEM})+と?(?=の|は|が|を|に|、)")

_QUOTE = r"(?:「[^「」]{1,60}」|『[^『』]{1,60}』|“[^“”]{1,60}”|\"[^\"\n]{1,60}\")"
_QUOTES = re.compile(rf"{_QUOTE}(?:(?:,\s*|\s+|、|,?\s+and\s+|,?\s+or\s+|と|や|及び|および){_QUOTE})+")
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)
_MOST = 4


def each_of_several(question: str) -> tuple[str, ...]:
    """Return the question about each thing alone; the question itself where it names no such list.

    The things are quoted one after another and compared, or it is said that each is asked about (respectively,
    それぞれ).
    """
    quoted = _QUOTES.search(question)
    if quoted is not None and (_COMPARED.search(question) or _EACH_JA.search(question)):
        return _each(question, quoted.start(), quoted.end(), re.findall(_QUOTE, quoted.group()))
    if _EACH_JA.search(question):
        listed = _JA_LIST.search(question)
        if listed is not None:
            items = [item for item in re.split(_JA_JOINT, listed.group()) if item]
            return _each(question, listed.start(), listed.end(), items)
    elif _EACH.search(question):
        found = _EN_LIST.search(question)
        if found is not None:
            start, end = found.span("items")
            # What the first thing begins with may itself be such an edge: "counts for Smith's pens".
            first = _EN_BETWEEN.search(question, start, end)
            assert first is not None
            edges = re.finditer(rf"(?<!\S){_EDGE}\s+", question[start : first.start()])
            start += max((edge.end() for edge in edges), default=0)
            return _each(question, start, end, _EN_BETWEEN.split(question[start:end]))
    return (question,)


def _each(question: str, start: int, end: int, items: list[str]) -> tuple[str, ...]:
    if not 2 <= len(items) <= _MOST:
        return (question,)
    parts = (f"{question[:start]}{_ARTICLE.sub('', item.strip())}{question[end:]}" for item in items)
    return tuple(_EACH_JA.sub("", _EACH.sub("", part)) for part in parts)
