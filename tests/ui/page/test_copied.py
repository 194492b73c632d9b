"""What is copied of an answer."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import unquote

from tests.ui.conftest import make_answer
from ui.page.copied import attribute, copied_text


def test_an_answer_is_copied_with_its_markers_and_each_source_once() -> None:
    answer = make_answer()
    (first,) = answer.citations
    later = first.model_copy(update={"marker": 2, "page": None, "document": "b.md"})
    answer = answer.model_copy(update={"citations": [later, first, first]})
    text = "The warranty lasts 24 months [1]. It is gold."
    assert copied_text(answer, "en") == f"{text}\n\nSources\n[1] manual.pdf, p. 3\n[2] b.md"
    assert copied_text(answer, "ja").endswith("\n\n出典\n[1] manual.pdf, 3ページ\n[2] b.md")


def test_a_refusal_is_copied_alone() -> None:
    assert copied_text(make_answer(text="I don't know. ", refused=True), "en") == "I don't know."


def test_a_text_comes_out_of_its_attribute_as_it_went_in() -> None:
    held: list[tuple[str, str | None]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            held.extend(attrs)

    text = """a --> ]> </style> 100 % %41 "q" 'q' &amp;\n適応 [1]"""
    made = attribute(text)
    assert not set(made) & set("<>\"'")
    Parser().feed(f'<b data-copy="{made}">')
    assert unquote(str(dict(held)["data-copy"])) == text
