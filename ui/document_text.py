"""Summaries, comparisons and extractions as text for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ui.answer_text import source_line
from ui.console import console, print_text
from ui.locales import label
from ui.plaintext import one_line, plain

if TYPE_CHECKING:
    from kernel.answer import Citation
    from kernel.documents.results import Comparison, Extraction, Summary


def print_summary(summary: Summary) -> None:
    """Print a summary with its sources."""
    print_text(plain(summary.summary))
    _sources(summary.citations, summary.language)
    _doubts(summary.unsupported, summary.notices, summary.language)


def print_comparison(comparison: Comparison) -> None:
    """Print what differs first, then what one document says alone, and how much is the same."""
    language = comparison.language
    if comparison.text:
        print_text(plain(comparison.text) + "\n")
    if comparison.changed:
        print_text(label("changed", language))
        for change in comparison.changed:
            kinds = ", ".join(label(f"differs_{kind}", language) for kind in change.differs_in)
            print_text(f"- {kinds}{_figures(change.first_figures, change.second_figures)}")
            print_text(f"    {source_line(change.first, language)}")
            print_text(f"    {source_line(change.second, language)}")
    for name, only in (
        (comparison.first, comparison.only_first),
        (comparison.second, comparison.only_second),
    ):
        if only:
            print_text(label("only_in", language, document=one_line(name)))
            for citation in only:
                print_text(f"    {source_line(citation, language)}")
    print_text(label("same_count", language, count=len(comparison.same)))
    _doubts(comparison.unsupported, comparison.notices, language)


def print_extraction(extraction: Extraction) -> None:
    """Print where each value stands; the data are printed before."""
    language = extraction.language
    for item in extraction.values:
        if item.citation is not None:
            print_text(f"{item.path}  {source_line(item.citation, language)}")
    doubts = [f"{item.path}: {one_line(str(item.value))}" for item in extraction.rejected]
    _doubts(doubts, extraction.notices, language)


def _figures(first: Sequence[str], second: Sequence[str]) -> str:
    if not first and not second:
        return ""
    return f": {', '.join(first) or '-'} / {', '.join(second) or '-'}"


def _sources(citations: Sequence[Citation], language: str) -> None:
    if citations:
        console().print("\n" + label("sources", language), style="bold")
        for line in dict.fromkeys(source_line(citation, language) for citation in citations):
            print_text(line)


def _doubts(unsupported: Sequence[str], notices: Sequence[str], language: str) -> None:
    """Print what a person should know beside the text, on standard error as messages are."""
    for title, lines in (("unsupported", unsupported), ("notices", notices)):
        if lines:
            console(stderr=True).print("\n" + label(title, language), style="bold")
            for line in lines:
                console(stderr=True).print(f"- {one_line(line)}")
