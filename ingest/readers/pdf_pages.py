"""One page of a PDF: by pypdf, and where its text is bad or missing by PDFium; the better text wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.readers.pdf_drawings import has_pictures, unfolds_without_end
from ingest.readers.pdf_hidden import InkWatch, opacities, page_box
from ingest.readers.pdf_lines import Collector, Fragment, Line
from ingest.readers.pdf_open import one_line
from ingest.readers.pdf_quality import GOOD, quality
from ingest.readers.pdf_rows import page_lines

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

    from ingest.readers.pdf_second import SecondEngine

FIRST, SECOND, OCR = "pypdf", "pypdfium2", "tesseract"
# Above this share of odd characters a page is reported; above the second it is left out, because what
# came out is not the text of the page.
_DOUBTFUL, _UNREADABLE = 0.1, 0.5
_STAMP = 20
# Above this share of characters whose place pypdf does not know, the order of its lines is not believed.
_MISPLACED = 0.05
_MISPLACED_WORTH = 0.7
_WHOLE = 0.95


@dataclass(slots=True)
class PageText:
    """What was read on a page: its lines, the engine, and a warning or "".

    `pictures`: the page shows pictures and no text but for, perhaps, a stamp on them. `hopeless`: to draw
    it would take all there is of time or memory. `hidden` counts characters that no reader sees, `undrawn`
    those that are kept although they are not drawn, where no picture shows them.
    """

    lines: list[Line] = field(default_factory=list)
    engine: str = ""
    warning: str = ""
    pictures: bool = False
    hopeless: bool = False
    hidden: int = 0
    undrawn: int = 0


@dataclass(slots=True)
class _Attempt:
    engine: str
    lines: list[Line]
    raw: str = ""
    score: float = 0.0
    odd: float = 0.0
    error: str = ""
    hopeless: bool = False
    misplaced: bool = False
    hidden: int = 0
    undrawn: int = 0
    mixed: bool = False

    @property
    def length(self) -> int:
        return sum(len(line.text) for line in self.lines)


def read_page(reader: PdfReader | None, second: SecondEngine, number: int) -> PageText:
    """Read a page (1-based). Never raises for what is in the file; `reader` may be missing."""
    page: PageObject | None = None
    best = _Attempt(FIRST, [], error="the file is damaged")
    if reader is not None:
        try:
            page = reader.pages[number - 1]
            best = _by_first(page, number, second)
        except MemoryError:
            raise
        except Exception as error:  # a broken entry of the page tree
            best.error = one_line(error)
    if best.error or not best.lines or best.score < GOOD or best.mixed:
        best.hopeless = best.hopeless or unfolds_without_end(page)
        other = _Attempt(SECOND, []) if best.hopeless else _by_second(second, number)
        # Of two inks in one piece only PDFium tells which is which.
        if _is_better(other, best) or (best.mixed and other.hidden and other.length):
            best = other
        elif reader is None and other.error:
            best.error = other.error
    text = _judged(best, page, number)
    text.hopeless = best.hopeless
    text.hidden, text.undrawn = best.hidden, best.undrawn
    return text


def _is_better(other: _Attempt, best: _Attempt) -> bool:
    """Tell whether another reading is worth more: its score, less what it lacks of the longer one."""
    longest = max(other.length, best.length)
    if not other.length:
        return False
    if best.misplaced and not best.error and best.score >= GOOD * _MISPLACED_WORTH and _lost(other, best):
        return False

    def worth(attempt: _Attempt) -> float:
        # The root: a doubled text is longer, and no better for it.
        return float(attempt.score * (attempt.length / longest) ** 0.5)

    return worth(other) > worth(best) or (bool(best.error) and worth(other) >= worth(best))


def _lost(other: _Attempt, best: _Attempt) -> bool:
    """Tell whether another reading has a part of the same characters only.

    PDFium leaves out what it takes for drawn twice, which it cannot tell where the font is not embedded and no
    installed one has the glyphs.
    """
    held, read = (Counter("".join(each.raw.split())) for each in (best, other))
    return not read - held and read.total() < _WHOLE * held.total()


def _by_first(page: PageObject, number: int, second: SecondEngine) -> _Attempt:
    from pypdf.errors import LimitReachedError

    box = page_box(page)
    collector = Collector(InkWatch(opacities(page)), box)
    error, hopeless = "", False
    try:
        page.extract_text(
            visitor_text=collector,
            visitor_operand_before=collector.before,
            visitor_operand_after=collector.after,
        )
    except MemoryError:
        raise
    except Exception as caught:  # what broken contents and fonts raise
        error, hopeless = one_line(caught), isinstance(caught, LimitReachedError)
    hidden, undrawn = {id(piece) for piece in collector.unseen}, 0
    if collector.suspects and not hopeless:
        seen = second.shows(number, [suspect.box for suspect in collector.suspects])
        unseen = [suspect for suspect, shown in zip(collector.suspects, seen, strict=True) if not shown]
        hidden |= {id(suspect.piece) for suspect in unseen if not suspect.undrawn}
        undrawn = _length(suspect.piece for suspect in unseen if suspect.undrawn)
    kept = [piece for piece in collector.fragments if id(piece) not in hidden]
    attempt = _attempt(FIRST, kept, number, error)
    attempt.hidden = _length(piece for piece in collector.fragments if id(piece) in hidden)
    attempt.undrawn = undrawn
    attempt.mixed = collector.mixed
    attempt.hopeless = hopeless
    if collector.misplaced > _MISPLACED * len(attempt.raw):
        # PDFium knows the places, so its reading of the same characters is the better one.
        attempt.misplaced = True
        attempt.score *= _MISPLACED_WORTH
    return attempt


def _length(pieces: Iterable[Fragment]) -> int:
    return sum(len("".join(piece.text.split())) for piece in pieces)


def _by_second(second: SecondEngine, number: int) -> _Attempt:
    try:
        attempt = _attempt(SECOND, second.fragments(number), number, "")
        attempt.hidden = second.hidden
        return attempt
    except MemoryError:
        raise
    except Exception as error:  # pypdfium2's error, or a library that cannot be loaded
        return _Attempt(SECOND, [], error=one_line(error))


def _attempt(engine: str, fragments: Sequence[Fragment], number: int, error: str) -> _Attempt:
    try:
        lines = page_lines(fragments, number)
    except MemoryError:
        raise
    except Exception as caught:  # places that are no numbers
        return _Attempt(engine, [], error=error or one_line(caught))
    raw = "\n".join(fragment.text for fragment in fragments)
    measured = quality(raw, "\n".join(line.text for line in lines))
    return _Attempt(engine, lines, raw, measured.score if lines else 0.0, measured.odd, error)


def _judged(best: _Attempt, page: PageObject | None, number: int) -> PageText:
    if not best.lines:
        if best.error:
            return PageText(warning=f"page {number} cannot be read: {best.error}")
        return PageText(pictures=has_pictures(page))
    share = best.odd
    if share > _UNREADABLE:
        warning = f"page {number} cannot be read: its font has no known encoding"
        return PageText(warning=warning)
    text = PageText(best.lines, best.engine)
    if best.error:
        text.warning = f"page {number} cannot be read to its end: {best.error}"
    elif share > _DOUBTFUL:
        text.warning = f"page {number}: {share:.0%} of the characters have no known reading"
    else:
        # A date or a page number stamped on a scan is not its text.
        text.pictures = best.length < _STAMP and has_pictures(page)
    return text
