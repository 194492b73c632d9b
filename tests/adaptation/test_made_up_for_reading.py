"""Questions that are made up for a reading model: of which texts, and in which languages."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.span_reader.examples import make_examples
from adaptation.span_reader.made_up import MadeUpQuestions, _stretch_of

ENGLISH = [
    f"The press in hall {number} was delivered in March {1950 + number} by Kondo. Its pump moves {number + 3} litres a "
    f"minute through valve V{number}. The seals were last changed by Mr. Tanaka in {1990 + number}."
    for number in range(30)
]
JAPANESE = [
    f"第{number}工場のプレス機は{1950 + number}年に近藤製作所から納入された。"
    f"ポンプの流量は毎分{number + 3}リットルである。"
    f"シールは{1990 + number}年に田中技師が交換した。"
    for number in range(6)
]


def test_of_each_language_as_many_are_made_though_one_has_fewer_texts() -> None:
    found = MadeUpQuestions([*ENGLISH, *JAPANESE]).draw(24, seed=0)
    assert len(found) == 24
    assert sum(each.language == "ja" for each in found) == 12
    assert len({(each.question, each.text) for each in found}) == 24


def test_a_language_that_does_not_give_enough_leaves_its_share_to_the_others() -> None:
    found = MadeUpQuestions([*JAPANESE[:1], *ENGLISH]).draw(40, seed=0)
    assert 1 <= sum(each.language == "ja" for each in found) <= 12
    assert len(found) == 40


def test_another_seed_asks_otherwise_and_the_same_one_the_same() -> None:
    made = MadeUpQuestions(ENGLISH)
    assert made.draw(20, seed=1) == made.draw(20, seed=1)
    assert made.draw(20, seed=1) != made.draw(20, seed=2)


def test_what_is_asked_for_stands_in_the_text_and_not_in_the_question() -> None:
    found = MadeUpQuestions([*ENGLISH, *JAPANESE]).draw(40, seed=3)
    examples = [each for each in make_examples(found, seed=3) if each.kind == "right"]
    assert len(examples) == len(found)
    for each in examples:
        assert all(each.text[start:end] in each.answers for start, end in each.spans)
        assert not any(answer in each.question for answer in each.answers)


def test_texts_without_anything_to_ask_about_give_no_questions() -> None:
    assert MadeUpQuestions([]).draw(5, seed=0) == []
    assert MadeUpQuestions(["", "so it is", "はい。"]).draw(5, seed=0) == []


@settings(deadline=None)
@given(
    st.text(alphabet="ab.。 \n漢", max_size=4000),
    st.sampled_from(["en", "ja"]),
    st.randoms(use_true_random=False),
)
def test_a_stretch_is_a_part_of_its_text_and_not_much_longer_than_asked(
    text: str, language: str, drawn: random.Random
) -> None:
    found = _stretch_of(text, language, drawn)
    assert found in text
    assert len(found) <= {"en": 1800, "ja": 800}[language]
