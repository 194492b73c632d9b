from __future__ import annotations

import time

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
        ("本当？！と聞いた。次。", ["本当？！と聞いた。", "次。"]),
        ("なに？って言った。行くか？など。", ["なに？って言った。", "行くか？など。"]),
        (
            "よいですか？とても良い。本当？ところで。",
            ["よいですか？", "とても良い。", "本当？", "ところで。"],
        ),
        ("「A。」「B。」と続けた。", ["「A。」", "「B。」と続けた。"]),
        ("「はい。」でも違う。「何？」「はい。」", ["「はい。」", "でも違う。", "「何？」", "「はい。」"]),
        ("薬（例（甲）を含む。）を飲む。次。", ["薬（例（甲）を含む。）を飲む。", "次。"]),
        ("（注を見よ。）次の文。", ["（注を見よ。）", "次の文。"]),
        ("そう……だから。まあ…。次。", ["そう……だから。", "まあ…。", "次。"]),
        ("・一つ。\n・二つ。三つ。\n① 四つ", ["・一つ。", "・二つ。", "三つ。", "① 四つ"]),
        ("値は3.14である。1.5mgを飲む。", ["値は3.14である。", "1.5mgを飲む。"]),
        ("出典がある。[12]次の文。", ["出典がある。[12]", "次の文。"]),
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
        ("It rose vs. Japan. The U.S. Navy left.", ["It rose vs. Japan.", "The U.S. Navy left."]),
        ("See Vol. 3, No. 5, pp. 10-12. Eq. (4) holds.", ["See Vol. 3, No. 5, pp. 10-12.", "Eq. (4) holds."]),
        (
            "Come at 5 p.m. sharp. He left at 6 p.m. She stayed.",
            ["Come at 5 p.m. sharp.", "He left at 6 p.m.", "She stayed."],
        ),
        ("It is known.[3][14] Next one.", ["It is known.[3][14]", "Next one."]),
        ("- First point. More.\n- Second", ["- First point.", "More.", "- Second"]),
        ("I love it!\ufe0f Yes.", ["I love it!\ufe0f", "Yes."]),
        ("Really?! Yes. The dose is 0.5 mg. Done.", ["Really?!", "Yes.", "The dose is 0.5 mg.", "Done."]),
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


@pytest.mark.parametrize(
    "text", ["." * 100_000 + "a", "a" + " " * 100_000 + "b", "e.g. " * 50_000, "「。" * 50_000]
)
def test_no_text_takes_more_than_its_length(text: str) -> None:
    began = time.process_time()
    split_sentences(text)
    assert time.process_time() - began < 3  # a tenth of a second; minutes if it grew with the square


@given(st.text(st.sampled_from("aB1 .!?。！？；．」「（）()\"'\n 　、e.g.Dr.漢字かな"), max_size=200))
def test_spans_are_in_order_and_cover_all_but_white_space(text: str) -> None:
    at = 0
    for start, end in split_sentences(text):
        assert at <= start < end
        assert not text[at:start].strip()
        assert text[start:end] == text[start:end].strip()
        at = end
    assert not text[at:].strip()
