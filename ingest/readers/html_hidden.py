"""What a page hides from its readers by styles: taken off the tree, and counted.

The styles of an element itself are followed, and the style sheets within the page. What a sheet does not display, or
what is faded or folded away, is hidden only where nothing on the page could show it: no script, and no rule that
waits for a click. White letters are hidden only where nothing tells of another ground.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_GONE = re.compile(r"(?<![\w-])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_FLAT = r"(?:max-)?(?:height|width)\s*:\s*[01](?:px|pt|em)?\s*(?:;|$|!)"
_FOLDED = re.compile(
    r"(?<![\w-])(?:opacity\s*:\s*0?(?:\.0\d*)?(?![\d.])|transform\s*:[^;]*scale\(\s*0(?:\.0\d*)?\s*[,)]"
    rf"|{_FLAT}(?=.*overflow\s*:\s*hidden)|overflow\s*:\s*hidden\b(?=.*{_FLAT}))",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"(?<![\w-])(?:(?:left|right|top|bottom|margin-left|margin-top)\s*:\s*-\d{3,}(?:\.\d+)?(?:px|pt|em|rem|vw|vh|%)"
    r"|clip\s*:\s*rect\(\s*(?:0|1px)|clip-path\s*:\s*inset\(\s*(?:50|100)%"
    r"|text-indent\s*:\s*-\d{3,}(?:\.\d+)?(?:px|pt|em|rem|%)(?!.*url\()|(?<=[;\s])color\s*:\s*transparent)"
    r"|^\s*color\s*:\s*transparent",
    re.IGNORECASE,
)
_TINY = re.compile(
    r"(?<![\w-])font(?:-size\s*:\s*|\s*:[^;]*?(?<![\d.]))(?:0(?![\d.])|0*\.\d+(?:px|pt|em|rem|%)?|[01](?:\.\d+)?(?:px|pt)\b)",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"(?:^|;)\s*color\s*:\s*([^;!]+)", re.IGNORECASE)
_GROUND = re.compile(r"(?:^|;)\s*background(?:-color|-image)?\s*:\s*([^;!]+)", re.IGNORECASE)
_WHITE = re.compile(
    r"#(?:fff|f[a-f0-9]f[a-f0-9]f[a-f0-9])$|(?:white|whitesmoke|snow|ivory)$"
    r"|rgba?\(\s*(?:25[0-5]|24\d)\s*,\s*(?:25[0-5]|24\d)\s*,\s*(?:25[0-5]|24\d)\b|rgba\([^)]*,\s*0(?:\.0\d*)?\s*\)$",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"(?P<selector>[^{}@;]+)\{(?P<body>[^{}]*)\}")
_AT_BLOCK = re.compile(r"@[^{};]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_WAITS = re.compile(r":(?:target|checked|hover|focus|active|has|open)", re.IGNORECASE)
# Furniture of a page, which is left out as such, and what is no text for anybody.
_FURNITURE = ["script", "style", "template", "noscript", "nav", "footer", "head", "dialog", "svg", "select", "form",
              "button", "menu"]  # fmt: skip
_MOST_RULES = 2_000


@dataclass(frozen=True, slots=True)
class _Sheets:
    """The rules of a page's own style sheets. `alive`: something could show what they hide."""

    rules: tuple[tuple[str, str], ...]
    alive: bool

    @property
    def coloured(self) -> bool:
        """Whether a rule gives a ground on which white letters can be read."""
        return any(_is_ground(body) for _, body in self.rules)


def take_hidden(soup: BeautifulSoup) -> int:
    """Take what is hidden off the tree; return how many characters of text, without white space, it held."""
    sheets = _sheets(soup)
    hidden = [tag for tag in soup.find_all(style=True) if _is_hidden(tag, sheets)]
    hidden += soup.find_all(lambda tag: tag.has_attr("hidden") and tag.get("hidden") != "until-found")
    hidden += _selected(soup, _hiding(sheets))
    characters = sum(_take(tag) for tag in hidden)
    tiny = [tag for tag in soup.find_all(style=True) if _TINY.search(str(tag.get("style")))]
    tiny += _selected(soup, (selector for selector, body in sheets.rules if _TINY.search(body)))
    return characters + sum(_take_tiny(tag) for tag in tiny)


def hides(style: str) -> bool:
    """Tell whether the declarations of an element by themselves hide it."""
    return any(pattern.search(style) for pattern in (_GONE, _FOLDED, _AWAY, _TINY))


def _take(tag: Tag) -> int:
    if tag.decomposed or tag.name in ("html", "body", "main", "article"):
        return 0
    counted = tag.name not in _FURNITURE and tag.find_parent(_FURNITURE) is None
    characters = len("".join(tag.get_text().split())) if counted else 0
    tag.decompose()
    return characters


def _take_tiny(tag: Tag) -> int:
    """Take the text of an element whose letters are too small to see; what has a size of its own within it stays."""
    from bs4.element import NavigableString

    if tag.decomposed:
        return 0
    if tag.find(lambda inner: inner.has_attr("style") or inner.has_attr("class")) is None:
        return _take(tag)
    own = [child for child in tag.children if type(child) is NavigableString]
    for text in own:
        text.extract()
    return len("".join("".join(own).split()))


def _is_hidden(tag: Tag, sheets: _Sheets) -> bool:
    style = str(tag.get("style") or "")
    if _GONE.search(style) or _AWAY.search(style) or (_FOLDED.search(style) and not sheets.alive):
        return True
    return _is_white(style) and not _stands_on_ground(tag, sheets)


def _is_white(style: str) -> bool:
    colour = _COLOUR.search(style)
    return colour is not None and _WHITE.match(colour.group(1).strip()) is not None


def _is_ground(style: str) -> bool:
    ground = _GROUND.search(style)
    return ground is not None and not _WHITE.match(ground.group(1).strip())


def _stands_on_ground(tag: Tag, sheets: _Sheets) -> bool:
    """Tell whether an element may stand on another ground than white."""
    element: Tag | None = tag
    while element is not None:
        style = str(element.get("style") or "")
        if _GROUND.search(style):
            return _is_ground(style)
        # A class may bring a ground, from this page's sheets or from one that is not here.
        named = element.get("class") or element.get("id")
        if (
            element.get("bgcolor")
            or element.get("background")
            or (named and (sheets.coloured or not sheets.rules))
        ):
            return True
        element = element.parent
    return sheets.coloured


def _hiding(sheets: _Sheets) -> Iterator[str]:
    for selector, body in sheets.rules:
        folded = _GONE.search(body) or _FOLDED.search(body)
        white = _is_white(body) and not _GROUND.search(body) and not sheets.coloured
        if _AWAY.search(body) or white or (folded and not sheets.alive):
            yield selector


def _selected(soup: BeautifulSoup, selectors: Iterator[str]) -> list[Tag]:
    found: list[Tag] = []
    for selector in selectors:
        for part in selector.split(","):
            if _WAITS.search(part) or "::" in part:
                continue
            try:
                found += soup.select(part)
            except Exception:  # noqa: S112 - a selector that the library does not know
                continue
    return found


def _sheets(soup: BeautifulSoup) -> _Sheets:
    texts = [tag.get_text() for tag in soup.find_all("style") if _is_for_screens(tag)]
    source = _AT_BLOCK.sub(" ", _COMMENT.sub(" ", "\n".join(texts)))
    rules = tuple((match["selector"].strip(), match["body"]) for match in _RULE.finditer(source))[
        :_MOST_RULES
    ]
    scripts = soup.find("script", type=lambda kind: kind != "application/ld+json") is not None
    return _Sheets(rules, scripts or any(_WAITS.search(selector) for selector, _ in rules))


def _is_for_screens(tag: Tag) -> bool:
    media = str(tag.get("media") or "all").lower()
    return "all" in media or "screen" in media
