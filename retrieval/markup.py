"""Text without the tags of HTML that stand in it, as what is searched by: a table's cells, not `<td>`.

Documents of HTML are read as what they show. But HTML stands in other documents too, above all as tables in Markdown,
plain text and the fields of records, where tags can be most of the text: they say nothing of what it is about, and
take the room of what does.
"""

from __future__ import annotations

import html
import re

_NAMES = (
    "a|abbr|article|aside|b|big|blockquote|body|br|caption|center|cite|code|col|colgroup|dd|del|details|div|dl|dt|em|"
    "figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|img|ins|kbd|label|li|link|main|mark|meta|nav|"
    "ol|p|pre|q|s|section|small|span|strike|strong|style|sub|summary|sup|table|tbody|td|tfoot|th|thead|time|title|tr|"
    "tt|u|ul|var"
)
# What stands in backquotes is written about, not with.
_TAG = re.compile(
    rf"(?<!`)<(?:/?(?:{_NAMES})(?:\s[^<>]*)?/?|!doctype[^<>]*|!--.{{0,2000}}?--)>(?!`)", re.I | re.S
)
_UNSEEN = re.compile(r"<(style|script)\b[^<>]*>[^<]*</\1\s*>", re.I)
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*")


def without_markup(text: str) -> str:
    """Return a text without tags, style sheets and scripts; one that has none is returned as it is."""
    if "<" not in text:
        return text
    bare = _TAG.sub(" ", _UNSEEN.sub(" ", text))
    if bare == text:
        return text
    return _LINES.sub("\n", _SPACE.sub(" ", html.unescape(bare))).strip()
