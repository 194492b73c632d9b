"""What a page says of itself in its head: language, dates, authors, key words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ingest.readers.html_blocks import squeeze
from ingest.readers.meta import iso_date, key_words, language_code

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_CREATED = ("article:published_time", "datepublished", "date.created", "dcterms.created", "dc.date.created",
            "citation_publication_date", "dcterms.issued", "dc.date", "dcterms.date", "date", "pubdate")  # fmt: skip
_MODIFIED = ("article:modified_time", "datemodified", "dcterms.modified", "og:updated_time", "last-modified",
             "revised")  # fmt: skip
_AUTHORS = ("author", "citation_author", "dc.creator", "dcterms.creator")
_WORDS = ("keywords", "news_keywords", "article:tag", "dc.subject", "dcterms.subject")


@dataclass(slots=True)
class PageMeta:
    """See `ReadResult` for what the fields mean."""

    title: str | None = None
    language: str | None = None
    created: str | None = None
    modified: str | None = None
    authors: tuple[str, ...] = ()
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)


def page_meta(soup: BeautifulSoup) -> PageMeta:
    """Gather what the head says; of the dates the first that is one."""
    said: dict[str, list[str]] = {}
    for tag in soup.find_all("meta"):
        name = str(
            tag.get("name") or tag.get("property") or tag.get("itemprop") or tag.get("http-equiv") or ""
        )
        content = squeeze(str(tag.get("content") or ""))
        if name and content:
            said.setdefault(name.lower(), []).append(content)
    for name, value in _linked_data(soup):
        said.setdefault(name, []).append(value)

    def of(names: tuple[str, ...]) -> Iterator[str]:
        return (value for name in names for value in said.get(name, []))

    html = soup.find("html")
    language = (html.get("lang") or html.get("xml:lang")) if html else None
    words = tuple(dict.fromkeys(word for value in of(_WORDS) for word in key_words(value)))
    return PageMeta(
        title=(squeeze(soup.title.get_text()) if soup.title else "") or next(of(("og:title",)), None),
        language=language_code(language)
        or next(
            (code for each in of(("content-language", "og:locale")) if (code := language_code(each))), None
        ),
        created=next((date for value in of(_CREATED) if (date := iso_date(value))), None),
        modified=next((date for value in of(_MODIFIED) if (date := iso_date(value))), None),
        authors=tuple(dict.fromkeys(value for value in of(_AUTHORS) if not value.startswith("http"))),
        tags={"keywords": words} if words else {},
    )


def _linked_data(soup: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Yield dates and authors from the JSON-LD of a page (schema.org)."""
    for tag in soup.find_all("script", type="application/ld+json"):
        try:
            found: Any = json.loads(tag.get_text())
        except (ValueError, RecursionError):
            continue
        for item in found if isinstance(found, list) else [found]:
            if not isinstance(item, dict):
                continue
            for key in ("datePublished", "dateModified"):
                if isinstance(item.get(key), str):
                    yield key.lower(), item[key]
            author = item.get("author")
            for each in author if isinstance(author, list) else [author]:
                name = each.get("name") if isinstance(each, dict) else None
                if isinstance(name, str) and name.strip():
                    yield "author", squeeze(name)
