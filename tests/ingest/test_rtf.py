from __future__ import annotations

from pathlib import Path

import pytest

from ingest.blocks import BlockKind, Outcome, ReadError
from ingest.readers.rtf import read


def rtf(body: str, head: str = r"\ansi\ansicpg1252\uc1") -> bytes:
    return ("{\\rtf1" + head + "\n" + body + "}").encode("cp1252")


def texts(data: bytes) -> list[str]:
    return [block.text for block in read(data).blocks]


def escaped(text: str, encoding: str = "cp932") -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode(encoding))


def test_paragraphs_end_where_the_file_ends_them() -> None:
    assert texts(rtf("\\pard One\nline\\par Two\\line lines\\par")) == ["Oneline", "Two\nlines"]


def test_escaped_bytes_are_japanese_in_the_code_page_of_the_file() -> None:
    result = read(rtf(escaped("表示ソフト"), r"\ansi\ansicpg932"))
    assert (result.blocks[0].text, result.encoding) == ("表示ソフト", "cp932")


def test_second_bytes_that_are_written_as_letters_or_marks_belong_to_their_character() -> None:
    # ア is 83 41, which is "A"; ソ is 83 5C, a backslash; } as second byte needs its own escape.
    assert texts(rtf(r"\'83A\'83\\", r"\ansi\ansicpg932")) == ["アソ"]


def test_the_code_page_of_a_font_goes_before_that_of_the_file() -> None:
    fonts = r"{\fonttbl{\f0 Arial;}{\f1\fcharset128 MS Gothic;}{\f2\fcharset204 Arial;}}"
    body = fonts + r"\f0 caf\'e9 {\f1 " + escaped("日本") + r"} {\f2 \'cc\'e8\'f0}"
    assert texts(rtf(body)) == ["café 日本 Мир"]


def test_unicode_escapes_replace_what_stands_for_them() -> None:
    assert texts(rtf(r"\u26085?\u26412\'3f!")) == ["日本!"]
    assert texts(rtf(r"\uc2\u26085\'93\'fax {\uc0\u26412}y")) == ["日x 本y"]
    assert texts(rtf(r"\u-10179?\u-8704?")) == ["😀"]


def test_pictures_and_binary_data_leak_nothing() -> None:
    body = "a{\\pict\\pngblip 89504e47}b{\\pict\\bin6 }{\\par}c{\\*\\shppict{\\pict 0102}}{\\*\\unknown zzz}d"
    assert texts(rtf(body)) == ["abcd"]


def test_headings_come_from_styles_and_outline_levels() -> None:
    styles = r"{\stylesheet{\s0 Normal;}{\s1\b heading 1;}{\s2 " + escaped("見出し 2") + ";}}"
    body = styles + r"\pard\s1 One\par\pard\s2 Two\par\pard\outlinelevel2 Three\par\pard text\par"
    blocks = read(rtf(body, r"\ansi\ansicpg932")).blocks
    assert [(block.kind, block.level, block.text) for block in blocks] == [
        (BlockKind.HEADING, 1, "One"),
        (BlockKind.HEADING, 2, "Two"),
        (BlockKind.HEADING, 3, "Three"),
        (BlockKind.PARAGRAPH, 0, "text"),
    ]


def test_tables_are_rows() -> None:
    row = r"\trowd\cellx100\cellx200\pard\intbl {}\cell {}\cell\row "
    body = "before\\par " + row.format("a", "b") + row.format(r"1\par 2", "x|y") + r"\pard after\par"
    blocks = read(rtf(body)).blocks
    assert [block.text for block in blocks] == ["before", "| a | b |\n| --- | --- |\n| 1 2 | x¦y |", "after"]
    assert blocks[1].kind is BlockKind.TABLE


def test_items_of_lists_are_marked() -> None:
    blocks = read(rtf(r"\pard{\pntext\f2\'b7\tab}one\par{\listtext 2.\tab}two\par\pard three\par")).blocks
    assert [(block.kind, block.text) for block in blocks] == [
        (BlockKind.LIST_ITEM, "- one"),
        (BlockKind.LIST_ITEM, "- two"),
        (BlockKind.PARAGRAPH, "three"),
    ]


def test_footnotes_stand_after_the_text() -> None:
    assert texts(rtf(r"Words{\footnote The note.} go on.\par Next.\par")) == [
        "Words go on.",
        "Next.",
        "The note.",
    ]


def test_of_links_the_words_are_read_and_hidden_text_is_not() -> None:
    assert texts(rtf(r'{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt link}} {\v hidden}end')) == [
        "link end"
    ]


def test_running_heads_are_left_out() -> None:
    assert texts(rtf(r"{\header Company}{\footerr page}text")) == ["text"]


def test_what_the_file_says_of_itself() -> None:
    info = r"{\info{\title My {\i doc}}{\author A; B}{\keywords x, y}{\creatim\yr2024\mo4\dy1\hr9}}"
    result = read(rtf(info + "text"))
    assert (result.title, result.authors, result.created) == ("My doc", ("A", "B"), "2024-04-01")
    assert result.tags == {"keywords": ("x", "y")}


def test_a_file_without_text_is_named_empty() -> None:
    with pytest.raises(ReadError) as error:
        read(rtf(r"{\fonttbl{\f0 Arial;}}\pard\par"))
    assert error.value.outcome is Outcome.EMPTY


def test_public_japanese_rtf(documents: Path) -> None:
    result = read((documents / "tika__testRTF-ms932.rtf").read_bytes())
    assert [block.text for block in result.blocks] == ["Hello", "こんにちは", "Test", "テスト"]
    assert result.title == "タイトル"
