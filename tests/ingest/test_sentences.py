from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sentences import split_sentences


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今日は晴れ。明日は雨！本当？はい；次", ["今日は晴れ。", "明日は雨！", "本当？", "はい；", "次"]),
        ("彼は「行く。」と言った。次の文。", ["彼は「行く。」と言った。", "次の文。"]),
        ("「本当ですか？」彼女は聞いた。", ["「本当ですか？」", "彼女は聞いた。"]),
        ("薬（例えば、これ。）を飲む。次。", ["薬（例えば、これ。）を飲む。", "次。"]),
        ("用量は０．５mgです。", ["用量は０．５mgです。"]),
        ("１．はじめに", ["１．はじめに"]),
        ("本研究では，評価した．次に示す．", ["本研究では，評価した．", "次に示す．"]),
        ("行の終わり\n次の行", ["行の終わり", "次の行"]),
        ("すごい！！本当。", ["すごい！！", "本当。"]),
    ],
)
def test_japanese_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith took 3.5 mg. He slept.", ["Dr. Smith took 3.5 mg.", "He slept."]),
        ("See Fig. 2 and No. 5 for details.", ["See Fig. 2 and No. 5 for details."]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("Drugs, e.g. Aspirin, i.e. ASA. Next.", ["Drugs, e.g. Aspirin, i.e. ASA.", "Next."]),
        ("Smith et al. Found it. J. Doe agreed.", ["Smith et al. Found it.", "J. Doe agreed."]),
        ('"Is it?" asked Bob. "Yes."', ['"Is it?" asked Bob.', '"Yes."']),
        ("It ends (see above.) Next one.", ["It ends (see above.)", "Next one."]),
        ("1. First item. Second sentence.", ["1. First item.", "Second sentence."]),
        ("Version 2.0. Done.", ["Version 2.0.", "Done."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("Visit www.example.com today.", ["Visit www.example.com today."]),
    ],
)
def test_english_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_both_languages_in_one_paragraph() -> None:
    text = "Pythonを使う。It is simple. 便利だ!終わり"
    assert sentences(text) == ["Pythonを使う。", "It is simple.", "便利だ!", "終わり"]


def test_a_lost_bracket_does_not_swallow_the_rest() -> None:
    text = "「開いたまま。" + "次の文です。" * 40
    assert len(sentences(text)) == 41


@given(st.text(st.sampled_from("aB1 .!?。！？；．」「（）()\"'\n 　、e.g.Dr.漢字かな"), max_size=200))
def test_spans_are_in_order_and_cover_all_but_white_space(text: str) -> None:
    at = 0
    for start, end in split_sentences(text):
        assert at <= start < end
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()
