"""The part of a page that is meant to be read: menus, banners and what is hidden are taken off the tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_DROPPED = re.compile(
    "script|style|template|noscript|nav|footer|button|select|datalist|svg|iframe|object|canvas|audio|video|"
    "rt|rp|head|dialog|annotation|annotation-xml|input|textarea"
)
_DROPPED_ROLES = re.compile(
    "navigation|banner|contentinfo|search|complementary|menu|menubar|dialog|alertdialog", re.IGNORECASE
)
_START, _END = r"(?:^|[-_ ])(?:", r")(?:$|[-_ ])"
_AROUND = re.compile(
    _START
    + "nav|navbar|navbox|navigation|g?navi|gnav|lnav|breadcrumbs?|topic-?path|pankuzu|cookies?|cookie-?"
    "consent|cookiebot|onetrust|gdpr|editsection|pagination|pager|noprint|catlinks|hatnote|printfooter|"
    "page-?top|skip-?links?|skip-?to|site-?footer|global-?footer" + _END,
    re.IGNORECASE,
)
# These names are given to content too; it is a menu when most of it is links.
_PERHAPS = re.compile(
    _START + "menus?|sidebar|side-?nav|toc|skip|jump|share|sharing|social|sns|related|newsletter|footer|aside"
    + _END,
    re.IGNORECASE,
)  # fmt: skip
_NOTE = re.compile(
    _START + "notes?|tips?|warning|caution|important|admonition|callout|info" + _END, re.IGNORECASE
)
# Lists of sources fill an index with names and numbers; MediaWiki marks them.
_WIKI = (
    ".reflist, .refbegin, ol.references, sup.reference, .mw-editsection, .navbox, .navbox-styles, .side-box, "
    ".sistersitebox, .portalbox, .mw-redirectedfrom, .mw-jump-link, .metadata, #siteSub, #contentSub"
)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def main_part(soup: BeautifulSoup) -> Tag:
    """Return the element that holds the article. The tree is changed: what is left out is taken off it."""
    _take_away(soup)
    whole = len(soup.get_text(strip=True))
    for found in (soup.find_all("main"), soup.find_all(role="main"), soup.find_all("article")):
        # A page of many articles is an overview: all of it is meant.
        if len(found) == 1 and len(found[0].get_text(strip=True)) >= 0.3 * whole:
            return found[0]
    return soup.body or soup


def is_wiki(soup: BeautifulSoup) -> bool:
    """Tell whether a page comes from MediaWiki."""
    return soup.select_one(".mw-parser-output, meta[name=generator][content^=MediaWiki]") is not None


def _take_away(soup: BeautifulSoup) -> None:
    from bs4 import Comment

    for comment in soup.find_all(string=lambda text: isinstance(text, Comment)):
        comment.extract()
    gone = soup.find_all(lambda tag: _DROPPED.fullmatch(tag.name) is not None)
    if is_wiki(soup):
        gone += soup.select(_WIKI)
    for tag in gone:
        if not tag.decomposed:
            tag.decompose()
    whole = len(soup.get_text())
    waiting: list[Tag] = [soup]
    while waiting:
        for tag in waiting.pop().find_all(True, recursive=False):
            page = tag.name in ("html", "body", "main", "article")
            # A wrapper that happens to be called "menu" and holds the article is no menu.
            if not page and _is_around(tag) and 2 * len(tag.get_text()) < whole:
                tag.decompose()
            else:
                waiting.append(tag)


def _is_around(tag: Tag) -> bool:
    if tag.has_attr("hidden") or str(tag.get("aria-hidden", "")).lower() == "true":
        return True
    if _HIDDEN.search(str(tag.get("style", ""))):
        return True
    if _DROPPED_ROLES.fullmatch(str(tag.get("role", ""))) or tag.name == "form":
        return True
    label = _label(tag)
    if tag.name == "aside":
        return not _NOTE.search(label)
    if tag.name == "header":
        return tag.find_parent(["main", "article", "section"]) is None and tag.find(["h1", "p"]) is None
    return bool(_AROUND.search(label)) or (bool(_PERHAPS.search(label)) and _mostly_links(tag))


def _label(tag: Tag) -> str:
    """Return the classes and the id of an element, `siteMenu` as `site-Menu`."""
    names = tag.get("class")
    classes = " ".join(names) if isinstance(names, list) else str(names or "")
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", f"{classes} {tag.get('id') or ''}").strip()


def _mostly_links(tag: Tag) -> bool:
    text = len("".join(tag.get_text().split()))
    linked = len("".join("".join(link.get_text() for link in tag.find_all("a")).split()))
    return 2 * linked >= text
