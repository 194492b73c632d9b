"""Plain text, Markdown and HTML."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from ingest.blocks import Block, BlockKind, Outcome, ReadError
from ingest.readers import html, markdown, text


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
