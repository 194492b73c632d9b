"""The page's pieces as HTML, for `st.html`.

Whatever a document, a model or a person wrote is escaped as a whole and never read as Markdown: Streamlit's
Markdown would turn it into links, images, formulas and icons. The only tags are the ones written here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from kernel.answer import Answer, AnswerPassage, Citation
from kernel.techniques import Technique
from ui.answer_text import function_line, money, samples_line, source_line
from ui.locales import label
from ui.plaintext import one_line, plain
from ui.views import Cited, cited_passage, seconds_of, stored_note

LISTED_DOCUMENTS = 300
"""A page with thousands of rows is slow, and is sent again at every click."""

_EXCERPT = 160
"""Characters of a passage that the card of a refusal shows."""

_MARKER = re.compile(r"\[(\d{1,3})\]")
Span = tuple[int, int]


def text_html(text: str, kind: str = "text") -> str:
    """Return plain text as a block; `kind` is its style."""
    return f'<div class="tk-{kind}">{escape(plain(text))}</div>'


def cell(text: str) -> str:
    """Return somebody's text as it stands in a cell of a table."""
    return escape(one_line(text))


def wide_html(table: str, name: str) -> str:
    """Return a table that is moved sideways where there is no room for it, by keys too.

    Args:
        table: as HTML.
        name: what it is called for those who do not see it.
    """
    said = escape(one_line(name), quote=True)
    return f'<div class="tk-wide" role="region" tabindex="0" aria-label="{said}">{table}</div>'


def answer_html(
    answer: Answer, language: str = "en", *, place: int | None = None, differs: Sequence[Span] | None = None
) -> str:
    """Return the answer's text: markers as badges, unsupported sentences underlined, the words that answer in bold.

    Args:
        answer: is shown.
        language: of the page.
        place: of the turn in the conversation; with it a marker is a button that opens its source.
        differs: what of the text, without surrounding space, is marked as other than in other answers, in place of all
            other marks.
    """
    text = answer.answer.strip()
    spans = [span for sentence in answer.unsupported if (span := _find(text, sentence)) is not None]
    short = _find(text, answer.short_answer.text) if answer.short_answer else None
    # A quotation, in which words are pointed out, has no unsupported sentence.
    if differs is not None:
        body = marked_html(text, differs, "tk-differs")
    elif short is None:
        body = marked_html(text, spans, "tk-unsupported")
    else:
        body = marked_html(text, [short], "tk-short")
    cited = {citation.marker: citation for citation in reversed(answer.citations)}

    def badge(match: re.Match[str]) -> str:
        citation = cited.get(int(match[1]))
        if citation is None:
            return match[0]
        if place is None:
            return f'<span class="tk-badge">{match[1]}</span>'
        where = source_name(citation.document, citation.page, language)
        said = escape(label("open_source", language, number=match[1], source=where), quote=True)
        return (
            f'<button type="button" class="tk-badge tk-open" data-source="{place}:{int(match[1])}" '
            f'aria-label="{said}" title="{said}">{match[1]}</button>'
        )

    body = _MARKER.sub(badge, body)
    return f'<div class="tk-answer" lang="{_code(answer.language)}">{body}</div>'


def source_name(document: str, page: int | None, language: str) -> str:
    """Return a document's name with the page, on one line."""
    name = one_line(document)
    return name if page is None else f"{name}, {label('page', language, page=page)}"


def unsupported_html(answer: Answer, language: str) -> str:
    """Return the sentences that no passage supports, as a list; nothing when there are none."""
    if not answer.unsupported:
        return ""
    against = {claim.text: claim.against for claim in answer.claims if claim.against is not None}
    items = "".join(
        f"<li>{escape(plain(sentence))}{_against_html(against.get(sentence), language)}</li>"
        for sentence in answer.unsupported
    )
    title = escape(label("unsupported", language))
    return f'<div class="tk-notice tk-warn"><b>{title}</b><ul>{items}</ul></div>'


def _against_html(citation: Citation | None, language: str) -> str:
    """Return what contradicts a sentence, where something does."""
    if citation is None:
        return ""
    return text_html(f"{label('against', language)} {source_line(citation, language)}", "meta")


def notices_html(answer: Answer, language: str) -> str:
    """Return what the reader should know: the facade's notices, and an answer that did not end by itself."""
    notices = list(answer.notices)
    if answer.finish_reason.value == "cancelled":  # a cut at the limit is among the notices already
        notices.append(label("finish_cancelled", language))
    return "".join(notice_html(notice) for notice in notices)


def notice_html(text: str, kind: str = "info") -> str:
    """Return a boxed line; `kind` is info, warn or error."""
    return f'<div class="tk-notice tk-{kind}">{escape(plain(text))}</div>'


def sources_html(answer: Cited, language: str, *, place: int | None = None) -> str:
    """Return a card for each source: number, document, page and quotes; unfolded, the passage around them.

    With the `place` of a turn a card is a button that opens the source beside the answer.
    """
    by_marker: dict[int, list[Citation]] = {}
    for citation in answer.citations:
        by_marker.setdefault(citation.marker, []).append(citation)
    cards = [_source_card(answer, by_marker[marker], language, place) for marker in sorted(by_marker)]
    return _section(label("sources", language), cards)


def nearest_html(answer: Answer, language: str, *, place: int | None = None) -> str:
    """Return the passages that came nearest to a question that was refused, see `sources_html`."""
    cards = []
    for number, passage in enumerate(answer.passages, 1):
        head = _card_head(number, passage.document, passage.title, passage.page, language)
        if place is None:
            cards.append(_card(head, _passage(passage, [], language)))
        else:
            begin = one_line(passage.text)
            short = begin if len(begin) <= _EXCERPT else begin[:_EXCERPT] + "…"
            cards.append(_button_card(head + _quoted([short]), place, number))
    return _section(label("nearest", language), cards)


def functions_html(answer: Answer, language: str) -> str:
    """Return the functions that were called, with what with and what came back; nothing where none was."""
    lines = [text_html(function_line(call), "meta") for call in answer.functions]
    return _section(label("functions", language), lines)


def meta_html(answer: Answer, language: str, *, blind: bool = False) -> str:
    """Return the small line under an answer: time, tokens, who answered and how; `blind` leaves out who."""
    parts = [label("seconds", language, seconds=seconds_of(answer))]
    usage = answer.usage
    if usage.completion_tokens:
        parts.append(
            label("tokens", language, prompt=usage.prompt_tokens, completion=usage.completion_tokens)
        )
    if usage.cost is not None and not blind:  # it would tell who
        parts.append(label("answer_cost", language, cost=money(usage.cost)))
    parts += [*([] if blind else [answer.variant]), technique_name(answer.technique, language)]
    if answer.samples is not None:
        parts.append(samples_line(answer.samples, language))
    parts += [note] if (note := stored_note(answer, language)) else []
    return text_html(" · ".join(parts), "meta")


def technique_name(technique: str, language: str) -> str:
    """Return the name of a technique; a folder of the reader's own is called by its own name."""
    return label(technique, language) if technique in list(Technique) else one_line(technique)


def _source_card(answer: Cited, citations: Sequence[Citation], language: str, place: int | None) -> str:
    first = citations[0]
    quotes = list(dict.fromkeys(citation.quote for citation in citations))
    head = _card_head(first.marker, first.document, first.title, first.page, language) + _quoted(quotes)
    if place is not None:
        return _button_card(head, place, first.marker)
    passage = cited_passage(answer, first)
    if passage is None:
        return _card(head, "")
    return _card(head, _passage(passage, [quote_span(passage, citation) for citation in citations], language))


def _card_head(number: int, document: str, title: str, page: int | None, language: str) -> str:
    where = f'<span class="tk-name">{escape(one_line(document))}</span>'
    if title and one_line(title) != one_line(document):
        where = f'<b>{escape(one_line(title))}</b> <span class="tk-meta">{where}</span>'
    if page is not None:
        where += f' <span class="tk-page">{escape(label("page", language, page=page))}</span>'
    return f'<span class="tk-badge">{number}</span> {where}'


def _quoted(quotes: Iterable[str]) -> str:
    return "".join(f'<span class="tk-quote">{escape(plain(quote).strip())}</span>' for quote in quotes)


def _card(head: str, body: str) -> str:
    return f'<details class="tk-source"><summary>{head}</summary>{body}</details>'


def _button_card(head: str, place: int, number: int) -> str:
    return f'<button type="button" class="tk-source tk-open" data-source="{place}:{number}">{head}</button>'


def _passage(passage: AnswerPassage, spans: Iterable[Span | None], language: str) -> str:
    trail = " › ".join(one_line(heading) for heading in passage.headings)
    headings = f'<div class="tk-meta">{escape(trail)}</div>' if trail else ""
    text = marked_html(passage.text, [span for span in spans if span is not None], "tk-highlight")
    others = one_line(", ".join(passage.also_in))
    also = text_html(label("also_in", language, documents=others), "meta") if others else ""
    return f'<div class="tk-passage">{headings}{text}{also}</div>'


def quote_span(passage: AnswerPassage, citation: Citation) -> Span | None:
    """Return where a quote stands in the text of its passage; spans count from the document's start."""
    start, end = citation.start - passage.start, citation.end - passage.start
    if start >= 0 and passage.text[start:end] == citation.quote:
        return start, end
    return _find(passage.text, citation.quote)


def _find(text: str, part: str) -> Span | None:
    part = part.strip()
    start = text.find(part) if part else -1
    return (start, start + len(part)) if start >= 0 else None


def marked_html(text: str, spans: Sequence[Span], style: str) -> str:
    """Escape a text and mark some of its spans; spans that overlap are joined."""
    pieces: list[str] = []
    done = 0
    for start, end in sorted(spans):
        begin = max(start, done)
        if end <= begin:
            continue
        pieces.append(escape(plain(text[done:begin])))
        pieces.append(f'<mark class="{style}">{escape(plain(text[begin:end]))}</mark>')
        done = end
    pieces.append(escape(plain(text[done:])))
    return "".join(pieces)


def _section(title: str, cards: Sequence[str]) -> str:
    return f'<div class="tk-heading">{escape(title)}</div>{"".join(cards)}' if cards else ""


def _code(language: str) -> str:
    return "ja" if language == "ja" else "en"
