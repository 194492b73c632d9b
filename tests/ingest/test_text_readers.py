"""Plain text, Markdown and HTML."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.blocks import Block, BlockKind, Outcome, ReadError
from ingest.readers import html, markdown, text
from ingest.readers.meta import iso_date, key_words, language_code


def kinds(blocks: list[Block]) -> list[tuple[str, str]]:
    return [(block.kind.value, block.text) for block in blocks]


def test_text_is_cut_at_blank_lines_and_wrapped_lines_are_joined() -> None:
    source = (
        "The title\n\n"
        "This paragraph was wrapped by an editor at a fixed width, so that its lines are all about as\n"
        "long as each other and belong together.\n\n"
        "12 High Street\nOxford\n"
    )
    assert kinds(text.read(source.encode()).blocks) == [
        ("heading", "The title"),
        (
            "paragraph",
            "This paragraph was wrapped by an editor at a fixed width, so that its lines are all about as "
            "long as each other and belong together.",
        ),
        ("paragraph", "12 High Street\nOxford"),
    ]


def test_wrapped_japanese_text_gets_no_spaces() -> None:
    line = "梅雨は、北海道と小笠原諸島を除く日本で五月から七月にかけて"
    blocks = text.read(f"{line}\n{line}\n続く。\n".encode()).blocks
    assert kinds(blocks) == [("paragraph", f"{line}{line}続く。")]


def test_text_headings_lists_and_tables_are_kept_apart() -> None:
    source = (
        "Safety\n======\n\n1.2 Scope\n\nUse it with care.\n\n- one\n- two goes\n  on\n\n"
        "第1章 総則\n本文です。\n\nName    Dose    Route\nA       5 mg    oral\n"
    )
    result = text.read(source.encode())
    assert kinds(result.blocks) == [
        ("heading", "Safety"),
        ("heading", "1.2 Scope"),
        ("paragraph", "Use it with care."),
        ("list_item", "- one"),
        ("list_item", "- two goes on"),
        ("heading", "第1章 総則"),
        ("paragraph", "本文です。"),
        ("table", "Name    Dose    Route\nA       5 mg    oral"),
    ]
    assert result.title == "Safety"


def test_a_text_file_of_white_space_is_empty_and_a_binary_one_is_unsupported() -> None:
    with pytest.raises(ReadError) as empty:
        text.read(b" \n\t\n")
    assert empty.value.outcome is Outcome.EMPTY
    with pytest.raises(ReadError) as binary:
        text.read(bytes(range(1, 32)) * 10)
    assert binary.value.outcome is Outcome.UNSUPPORTED


def test_markdown_keeps_its_structure_and_the_words_of_its_source() -> None:
    source = """# Main *title*

A paragraph that is
wrapped with `code` and a [link](https://example.com).

日本語の
段落です。

## Lists

- a
  - b
1. one
2. two

| Name | Dose |
|------|------|
| A | 5 mg |

```python
# no heading
print("x")
```

hard\\
break
"""
    assert kinds(markdown.read(source.encode()).blocks) == [
        ("heading", "Main title"),
        ("paragraph", "A paragraph that is wrapped with `code` and a link."),
        ("paragraph", "日本語の段落です。"),
        ("heading", "Lists"),
        ("list_item", "- a"),
        ("list_item", "  - b"),
        ("list_item", "1. one"),
        ("list_item", "2. two"),
        ("table", "| Name | Dose |\n| --- | --- |\n| A | 5 mg |"),
        ("code", '```python\n# no heading\nprint("x")\n```'),
        ("paragraph", "hard\nbreak"),
    ]


def test_front_matter_gives_title_and_language_even_behind_a_byte_order_mark() -> None:
    result = markdown.read("\ufeff---\ntitle: 安全手順\nlang: ja-JP\n---\n# 見出し\n\n本文。\n".encode())
    assert (result.title, result.language) == ("安全手順", "ja")
    assert kinds(result.blocks) == [("heading", "見出し"), ("paragraph", "本文。")]


def test_front_matter_that_is_no_yaml_is_read_as_text_and_reported() -> None:
    result = markdown.read(b"---\n- [unclosed\n---\n\nBody\n")
    assert result.title is None
    assert result.warnings
    assert "Body" in [block.text for block in result.blocks]


def test_front_matter_with_a_colon_in_its_title_is_still_front_matter() -> None:
    result = markdown.read(b"---\ntitle: Power failure: what to do\nlanguage: en\n---\nBody\n")
    assert (result.title, result.language, len(result.blocks)) == ("Power failure: what to do", "en", 1)


def test_headings_written_without_a_space_count_but_not_inside_fences() -> None:
    result = markdown.read("##1. はじめに\n\n本文 #タグ\n\n```\n##not\n```\n".encode())
    assert kinds(result.blocks) == [
        ("heading", "1. はじめに"),
        ("paragraph", "本文 #タグ"),
        ("code", "```\n##not\n```"),
    ]


def test_html_gives_the_article_without_what_is_around_it() -> None:
    source = """<!doctype html><html lang="en-GB"><head><title>The page</title><style>p{}</style></head><body>
    <header><div>Site name</div><nav>Home About</nav></header>
    <div class="cookie-banner">We use cookies</div>
    <main><h1>Heading</h1><p>First <b>bold</b>
    text.</p><p>日本語の
    改行</p><ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul><ol><li>step</li></ol>
    <table><tr><th>Name</th><th>Dose</th></tr><tr><td>A</td><td>5 | 6</td></tr></table>
    <pre>code  line
  two</pre><script>var x;</script><p hidden>secret</p>loose<br>text</main>
    <footer>Copyright</footer></body></html>"""
    result = html.read(source.encode())
    assert (result.title, result.language) == ("The page", "en")
    assert kinds(result.blocks) == [
        ("heading", "Heading"),
        ("paragraph", "First bold text."),
        ("paragraph", "日本語の改行"),
        ("list_item", "- one"),
        ("list_item", "  - inner"),
        ("list_item", "- two"),
        ("list_item", "1. step"),
        ("table", "| Name | Dose |\n| --- | --- |\n| A | 5 ¦ 6 |"),
        ("code", "```\ncode  line\n  two\n```"),
        ("paragraph", "loose\ntext"),
    ]


def test_html_in_cp932_is_read_whatever_its_meta_says() -> None:
    page = "<html><head><meta charset='utf-8'></head><body><p>髙橋さんのページです。</p></body></html>"
    result = html.read(page.encode("cp932"))
    assert result.encoding == "cp932"
    assert result.blocks[0].text == "髙橋さんのページです。"


def test_a_wrapper_named_like_a_menu_that_holds_the_article_is_kept() -> None:
    page = "<html><body><div class='menu'><p>" + "The article itself. " * 20 + "</p></div></body></html>"
    assert html.read(page.encode()).blocks[0].text.startswith("The article itself.")


def test_a_page_nested_without_end_is_read_or_fails_with_one_line() -> None:
    assert html.read(b"<div>" * 200 + b"text").blocks[0].text == "text"
    with contextlib.suppress(ReadError):
        html.read(b"<div>" * 5000 + b"text")


def test_a_page_without_text_is_empty() -> None:
    with pytest.raises(ReadError) as error:
        html.read(b"<html><body><script>1</script></body></html>")
    assert error.value.outcome is Outcome.EMPTY


def test_a_saved_wikipedia_page_is_its_article(documents: Path) -> None:
    result = html.read((documents / "docling__wiki_duck.html").read_bytes())
    whole = "\n".join(block.text for block in result.blocks)
    assert "Duck is the common name for numerous species of waterfowl" in whole
    assert "Privacy policy" not in whole
    assert "Main page" not in whole
    assert [b.text for b in result.blocks if b.kind is BlockKind.HEADING][:3] == [
        "Duck",
        "Etymology",
        "Taxonomy",
    ]


def test_a_misleading_charset_and_a_utf_16_page_are_read(documents: Path) -> None:
    arabic = html.read((documents / "tika__testArabicMisleadingCharset.html").read_bytes())
    assert arabic.blocks[0].text.startswith("في قرية من القرى كان هناك رجل حكيم")
    wide = html.read((documents / "tika__testHTML_charset_utf16le.html").read_bytes())
    assert wide.blocks[0].text == "This is a sample text"
    western = html.read((documents / "unstructured__fake-html-cp1252.html").read_bytes())
    assert any("15,50 €" in block.text for block in western.blocks)


def test_a_long_japanese_manual_keeps_its_headings(documents: Path) -> None:
    path = documents / "niilc-qa__NIILC-ECQA2015_AnnotationDefinition.md"
    result = markdown.read(path.read_bytes())
    headings = [block.text for block in result.blocks if block.kind is BlockKind.HEADING]
    assert headings[1] == "1. はじめに"
    assert not any(block.text.startswith("#") for block in result.blocks if block.kind is not BlockKind.CODE)


def test_front_matter_tells_dates_authors_and_every_other_plain_key() -> None:
    source = """---
title: 手順書
lang: Japanese
date: 2024-03-05
updated: 2024/4/1
authors: [佐藤, {name: Ann Lee, mail: a@example.com}]
tags: 休暇, leave
department: 品質保証
levels: [1, 2]
draft: true
---
本文
"""
    result = markdown.read(source.encode())
    assert (result.title, result.language) == ("手順書", "ja")
    assert (result.created, result.modified) == ("2024-03-05", "2024-04-01")
    assert result.authors == ("佐藤", "Ann Lee")
    assert result.tags == {
        "tags": ("休暇", "leave"),
        "department": ("品質保証",),
        "levels": ("1", "2"),
        "draft": ("true",),
    }


def test_front_matter_in_toml_is_read_and_a_broken_one_stays_text() -> None:
    result = markdown.read(b"+++\ntitle = 'T'\ndate = 2024-01-02\ncategories = ['x', 'y']\n+++\nBody\n")
    assert (result.title, result.created, result.tags) == ("T", "2024-01-02", {"categories": ("x", "y")})
    broken = markdown.read(b"+++\ntitle = \n+++\nBody\n")
    assert broken.warnings == ["the front matter is no TOML and was read as text"]
    assert "title" in broken.blocks[0].text


def test_a_date_that_is_none_is_kept_as_it_was_written() -> None:
    result = markdown.read("---\ndate: 来春\n---\nBody\n".encode())
    assert (result.created, result.tags) == (None, {"date": ("来春",)})


def test_text_between_two_rules_is_no_front_matter() -> None:
    assert kinds(markdown.read(b"---\n\nJust text\n\n---\n\nmore\n").blocks) == [
        ("paragraph", "Just text"),
        ("paragraph", "more"),
    ]


def test_a_picture_kept_inside_the_markdown_does_not_become_text() -> None:
    result = markdown.read(b"Before ![a pump](data:image/*;base64," + b"A" * 5000 + b") after\n")
    assert kinds(result.blocks) == [("paragraph", "Before a pump after")]


def test_markdown_keeps_footnotes_html_tables_and_the_base_of_furigana() -> None:
    source = """東京<ruby>都<rt>と</rt></ruby>[^1]

[^1]: 首都

<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>

<!-- not this -->
Setext
------

~~~~
```
inner
```
~~~~
"""
    assert kinds(markdown.read(source.encode()).blocks) == [
        ("paragraph", "東京都[^1]"),
        ("paragraph", "[^1]: 首都"),
        ("table", "| a | b |\n| --- | --- |\n| c | d |"),
        ("heading", "Setext"),
        ("code", "~~~~\n```\ninner\n```\n~~~~"),
    ]


def test_cells_beyond_the_head_of_a_markdown_table_are_not_dropped() -> None:
    assert markdown.read(b"| a |\n|---|\n| b | c |\n").blocks[0].text == "| a |  |\n| --- | --- |\n| b | c |"


def test_fences_inside_of_lists_are_left_as_they_are() -> None:
    result = markdown.read(b"- item\n\n  ```sh\n  ##no heading\n  ```\n")
    assert result.blocks[1] == Block("```sh\n##no heading\n```", BlockKind.CODE)


def test_a_page_tells_its_language_dates_authors_and_key_words() -> None:
    page = """<html lang="ja-JP"><head><title>頁</title>
    <meta name="author" content="佐藤"><meta name="keywords" content="休暇、規程, leave">
    <meta property="article:published_time" content="2024-03-05T09:00:00+09:00">
    <meta name="last-modified" content="no date">
    <script type="application/ld+json">{"dateModified": "2024-04-01", "author": [{"name": "Lee"}]}</script>
    </head><body><p>本文</p></body></html>"""
    result = html.read(page.encode())
    assert (result.language, result.created, result.modified) == (
        "ja",
        "2024-03-05T09:00:00+09:00",
        "2024-04-01",
    )
    assert result.authors == ("佐藤", "Lee")
    assert result.tags == {"keywords": ("休暇", "規程", "leave")}


def test_cells_hold_lists_and_tables_in_order_and_words_stay_whole() -> None:
    page = (
        "<table><tr><th>n</th><th>v</th></tr><tr><td rowspan=2>H<sub>2</sub>O, <b>pure</b></td>"
        "<td><ul><li>x</li><li>y</li></ul></td></tr><tr><td><table><tr><td>1</td><td>2</td></tr>"
        "<tr><td>3</td><td>4</td></tr></table></td></tr></table>"
    )
    assert html.read(page.encode()).blocks[0].text.split("\n") == [
        "| n | v |",
        "| --- | --- |",
        "| H2O, pure | - x - y |",
        "| H2O, pure | 1 2 3 4 |",
    ]


def test_a_page_inside_of_one_form_is_read_and_notes_beside_the_text_are_kept() -> None:
    page = """<html><body><div id="gNavi"><a href="/">ホーム</a></div><form><h1>手順</h1>
    <p>ポンプの点検は<ruby>月次<rp>(</rp><rt>げつじ</rt><rp>)</rp></ruby>で行うこと。</p>
    <aside class="warning"><p>高温に注意。</p></aside><aside>広告</aside></form>
    <div id="cookieConsent">クッキー</div></body></html>"""
    assert kinds(html.read(page.encode()).blocks) == [
        ("heading", "手順"),
        ("paragraph", "ポンプの点検は月次で行うこと。"),
        ("paragraph", "高温に注意。"),
    ]


def test_a_menu_of_dishes_is_content_and_a_menu_of_links_is_not() -> None:
    dishes = "<div class='menu'><p>Soup 5.00</p></div>"
    links = "<div class='menu'><a href='1'>Home</a> <a href='2'>About</a></div>"
    page = f"<html><body>{links}<p>{'The article. ' * 20}</p>{dishes}</body></html>"
    read = [block.text for block in html.read(page.encode()).blocks]
    assert "Soup 5.00" in read
    assert not any("About" in block for block in read)


def test_text_is_shown_as_it_was_written() -> None:
    written = "ﾊﾝｶｸのＡＢＣと①㈱は そのまま。"
    for reader in (text, markdown):
        assert reader.read(written.encode()).blocks[0].text == written
    assert html.read(f"<p>{written}</p>".encode()).blocks[0].text == written


@pytest.mark.parametrize(
    ("said", "date"),
    [
        ("2024-03-05", "2024-03-05"),
        ("2024-03-05T01:02:03Z", "2024-03-05T01:02:03+00:00"),
        ("2024/3/5", "2024-03-05"),
        ("2024年3月5日", "2024-03-05"),
        ("Tue, 05 Mar 2024 01:02:03 GMT", "2024-03-05T01:02:03+00:00"),
        ("2024-13-05", None),
        ("soon", None),
        (None, None),
    ],
)
def test_dates_are_brought_into_one_form(said: str | None, date: str | None) -> None:
    assert iso_date(said) == date


def test_key_words_and_languages_are_brought_into_one_form() -> None:
    assert key_words("a, b;甲、乙,a,") == ("a", "b", "甲", "乙")
    assert [language_code(said) for said in ("ja_JP", "日本語", "en-GB", "x", None)] == [
        "ja",
        "ja",
        "en",
        None,
        None,
    ]


@given(st.binary(max_size=300), st.sampled_from([html.read, markdown.read, text.read]))
@settings(deadline=None)
def test_any_bytes_raise_nothing_but_a_read_error(data: bytes, read: Callable[[bytes], object]) -> None:
    with contextlib.suppress(ReadError):
        read(data)


MARKUP = st.lists(
    st.sampled_from(["<table>", "<tr>", "<td rowspan=3>", "</td>", "<li>", "<ol start=x>", "|a|", "|-|", "---\n",
                     "\n", "# ", "```", "- ", "x", "日本", "<rt>", "</div>", "[^1]:", "title: [", "+++\n"]),
    max_size=40,
).map("".join)  # fmt: skip


@given(MARKUP, st.sampled_from([html.read, markdown.read, text.read]))
@settings(deadline=None)
def test_broken_markup_raises_nothing_but_a_read_error(source: str, read: Callable[[bytes], object]) -> None:
    with contextlib.suppress(ReadError):
        read(source.encode())
