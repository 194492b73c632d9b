from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode_text, is_binary
from ingest.plausible import likelihood

JAPANESE = "梅雨の時期が始まることを梅雨入りといい、①㈱髙～の表記もある。ﾊﾝｶｸもABCも混ざる。\n次の行です。"


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "utf-16-le", "utf-16-be"])
def test_japanese_is_read_in_each_encoding_without_a_mark(encoding: str) -> None:
    decoded = decode_text(JAPANESE.encode(encoding))
    assert decoded.text == JAPANESE
    assert decoded.encoding == encoding


def test_euc_jp_and_iso_2022_jp_are_told_apart_from_cp932() -> None:
    plain = "質問応答システムの研究に有効な例を示す。\nカタカナも、ひらがなも。"
    for encoding in ("euc_jp", "iso2022_jp", "cp932"):
        assert decode_text(plain.encode(encoding)) == decode_text(plain.encode(encoding))
        assert decode_text(plain.encode(encoding)).text == plain
        assert decode_text(plain.encode(encoding)).encoding == encoding


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_stripped_once(encoding: str) -> None:
    assert decode_text(JAPANESE.encode(encoding)).text == JAPANESE
    assert decode_text(b"\xef\xbb\xbf\xef\xbb\xbftwice").text == "\ufefftwice"


def test_a_character_cut_at_the_very_end_does_not_change_the_encoding() -> None:
    decoded = decode_text("文字が途中で切れた。".encode()[:-1])
    assert decoded.encoding == "utf-8"
    assert decoded.text == "文字が途中で切れた"


def test_an_ascii_head_does_not_hide_the_encoding_of_the_rest() -> None:
    text = "id,name\n" * 2000 + "1,髙橋\n2,佐藤太郎です\n"
    assert decode_text(text.encode("cp932")).text == text


def test_western_accents_are_not_taken_for_half_width_kana() -> None:
    for text in ("Die schöne Frau trinkt Kaffee, 15,50 €.", "café", "naïve “quotes” – résumé"):
        decoded = decode_text(text.encode("cp1252"))
        assert (decoded.text, decoded.encoding) == (text, "cp1252")


def test_half_width_kana_of_bank_files_are_read() -> None:
    text = "ｶ)ﾔﾏﾀﾞ ｻﾌﾞﾛｳ\nﾃｽﾄ ﾃﾞｰﾀ\n"
    assert decode_text(text.encode("cp932")).text == text


def test_a_declared_charset_is_asked_only_when_the_bytes_are_not_utf_8() -> None:
    assert decode_text("日本語".encode(), "shift_jis").encoding == "utf-8"
    assert decode_text("привет".encode("cp1251"), "windows-1251").text == "привет"
    assert decode_text(JAPANESE.encode("cp932"), "no-such-charset").text == JAPANESE


def test_line_ends_are_unified_and_nul_is_removed() -> None:
    assert decode_text(b"a\r\nb\rc\x00\n").text == "a\nb\nc\n"


def test_control_characters_make_a_binary_file() -> None:
    assert is_binary(decode_text(bytes(range(1, 32)) * 20).text)
    assert not is_binary("plain\ttext\nwith\flines")
    assert not is_binary("")


def test_a_few_damaged_bytes_are_shown_and_do_not_change_the_encoding() -> None:
    text = "これは壊れたファイルの試験です。" * 10
    for encoding in ("utf-8", "cp932"):
        data = bytearray(text.encode(encoding))
        data[100] = 0xFF
        decoded = decode_text(bytes(data))
        assert decoded.encoding == encoding
        assert decoded.text.endswith("試験です。")
        assert "damaged" in decoded.warnings[0]
    assert decode_text(text.encode()).warnings == []


@given(st.binary(max_size=400))
def test_any_bytes_become_a_text(data: bytes) -> None:
    text = decode_text(data).text
    assert "\x00" not in text
    assert "\r" not in text


@given(st.text(st.characters(exclude_characters="\x00\r\ufeff\x1b", exclude_categories=["Cs"]), max_size=200))
def test_utf_8_is_never_read_as_anything_else(text: str) -> None:
    decoded = decode_text(text.encode())
    assert decoded.text == text
    assert decoded.encoding == "utf-8"


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("derived_ja_cp932.txt", "cp932"),
        ("derived_ja_nfd_halfwidth.txt", "utf-8"),
        ("derived_ja_utf16be_nobom.txt", "utf-16-be"),
        ("derived_ja_utf16le_bom.txt", "utf-16-le"),
        ("derived_ja_utf8_bom.txt", "utf-8"),
    ],
)
def test_one_article_is_the_same_in_every_encoding(documents: Path, name: str, encoding: str) -> None:
    decoded = decode_text((documents / name).read_bytes())
    right = [
        unicodedata.normalize("NFKC", (documents / "expected" / expected).read_text(encoding="utf-8"))
        for expected in ("derived_ja.utf8.txt", "derived_ja_full.utf8.txt")
    ]
    assert unicodedata.normalize("NFKC", decoded.text) in right
    assert decoded.encoding == encoding


def test_the_awkward_public_files_are_read(documents: Path) -> None:
    euc = decode_text((documents / "RustPython__euc_jp.txt").read_bytes())
    assert euc.text == (documents / "expected" / "euc_jp-utf8.txt").read_text(encoding="utf-8")
    csv = decode_text((documents / "markitdown__test_mskanji.csv").read_bytes())
    assert "髙橋淳,35,名古屋" in csv.text
    assert (
        "Doylestown, PA 18901"
        in decode_text((documents / "unstructured__fake-text-utf-16-le.txt").read_bytes()).text
    )
    assert "IntelliStation POWER" in decode_text((documents / "tika__english.cp500.txt").read_bytes()).text


SENTENCES = (
    "梅雨の時期が始まることを梅雨入りという。",
    "この規則は、従業員の休暇について必要な事項を定める。",
    "ポンプの点検は、月に一度おこなうこと。",
    "①安全を確かめ、②電源を切る。",
    "部品番号はAB-123です。",
)
WESTERN = (
    "Die schöne Frau trinkt Kaffee für 15,50.",
    "L'été était très chaud cette année.",
    "El niño comió paella, ¡qué rico!",
    "It’s “quoted” – and fine…",
)


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=3, max_size=30),
    st.sampled_from(
        ["utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
    ),
)
def test_japanese_of_some_length_comes_back_from_every_encoding(lines: list[str], encoding: str) -> None:
    text = "\n".join(lines)
    assert decode_text(text.encode(encoding)).text == text


@given(
    st.lists(st.sampled_from(SENTENCES[:3]), min_size=3, max_size=30),
    st.sampled_from(["euc_jp", "iso2022_jp"]),
)
def test_japanese_of_unix_and_mail_comes_back(lines: list[str], encoding: str) -> None:
    text = "\n".join(lines)
    assert decode_text(text.encode(encoding)).text == text


@given(
    st.lists(st.sampled_from(WESTERN), min_size=2, max_size=30),
    st.sampled_from(["utf-8", "cp1252", "utf-16-le"]),
)
def test_western_text_comes_back_from_every_encoding(lines: list[str], encoding: str) -> None:
    text = "\n".join(lines)
    assert decode_text(text.encode(encoding)).text == text


@given(
    st.binary(max_size=600),
    st.sampled_from([None, "utf-8", "shift_jis", "rot13", "idna", "raw_unicode_escape"]),
)
def test_no_bytes_give_half_a_pair_or_an_error(data: bytes, declared: str | None) -> None:
    decode_text(data, declared).text.encode()


@given(st.binary(min_size=1, max_size=300).filter(lambda data: not data.isascii()))
def test_single_byte_text_loses_no_character(data: bytes) -> None:
    decoded = decode_text(data)
    if decoded.encoding in ("cp1252", "cp500", "cp037"):
        kept = data.replace(b"\r\n", b"\n").replace(b"\x00", b"")
        assert len(decoded.text) in (len(kept), len(data) - data.count(b"\x00") - data.count(b"\r\x25"))


def test_the_pages_of_mainframes_are_told_apart_by_their_signs() -> None:
    text = "Warning! Do not open [the lid].\n" * 10
    assert decode_text(text.encode("cp500")).text == text
    american = decode_text(text.encode("cp037"))
    assert (american.text, american.encoding) == (text, "cp037")


def test_quotation_marks_of_western_text_are_no_chinese_characters() -> None:
    text = "It’s fine, don’t “worry” about the user’s files. "
    assert decode_text(text.encode("cp1252")).text == text


def test_names_without_kana_far_behind_ascii_are_read() -> None:
    text = "id,name\n" * 9000 + "1,佐藤太郎,東京\n2,髙橋淳,名古屋\n"
    decoded = decode_text(text.encode("cp932"))
    assert (decoded.text, decoded.encoding) == (text, "cp932")


def test_utf_16_of_other_scripts_is_known_without_a_mark() -> None:
    text = "Привет, мир. Как дела?"
    assert decode_text(text.encode("utf-16-le")).text == text


def test_widths_and_forms_are_kept_as_they_are_written() -> None:
    text = "ﾊﾝｶｸ ＡＢＣ ①㈱ が é"
    assert decode_text(text.encode()).text == text


def test_the_judge_looks_at_all_of_a_long_text() -> None:
    assert likelihood("a" * 100_000 + "\ue000" * 100_000) < 0.5
    assert likelihood("a" * 100_000 + "\ue000" * 50, foreign_only=True) == -1.0
