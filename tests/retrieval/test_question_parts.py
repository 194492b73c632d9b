"""Questions of several parts, split by rules; whatever is not plainly several stays whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.queries import MAX_PARTS
from retrieval.question_parts import question_parts


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What is the dose, and who must sign?", ("What is the dose", "who must sign?")),
        ("有効期限は何日で、誰が承認しますか。", ("有効期限は何日で", "誰が承認しますか。")),
        (
            "会費はいくらですか。また、いつまでに払いますか。",
            ("会費はいくらですか。", "いつまでに払いますか。"),
        ),
        ("申請は必要ですか、費用はいくらですか。", ("申請は必要ですか", "費用はいくらですか。")),
        ("費用はいくらですか?期限はいつですか?", ("費用はいくらですか?", "期限はいつですか?")),
        (
            "How do I reset the pump and where is the manual?",
            ("How do I reset the pump", "where is the manual?"),
        ),
        (
            "Is it safe for children, and can it be taken at night?",
            ("Is it safe for children", "can it be taken at night?"),
        ),
        ("Tell me what it costs and when it expires.", ("Tell me what it costs", "when it expires.")),
        (
            "Who signs the form?\nAlso, how long is it kept?",
            ("Who signs the form?", "how long is it kept?"),
        ),
        (
            "1. Who signs the form?\n2. How long is it kept?",
            ("Who signs the form?", "How long is it kept?"),
        ),
        (
            "What is the stock of the laptop, oven, and coffee, respectively?",
            ("What is the stock of the laptop?", "What is the stock of the oven?", "What is the stock of the coffee?"),
        ),
        (
            "店のペンとインクの在庫数をそれぞれ教えてください。",
            ("店のペンの在庫数を教えてください。", "店のインクの在庫数を教えてください。"),
        ),
        (
            "Which of “Alpha Pro” and “Beta Max” came first?",
            ("Which of “Alpha Pro” came first?", "Which of “Beta Max” came first?"),
        ),
        (
            "「ポンプ」と「ファン」の違いは何ですか。",
            ("「ポンプ」の違いは何ですか。", "「ファン」の違いは何ですか。"),
        ),
    ],
)  # fmt: skip
def test_parts_are_found(question: str, parts: tuple[str, ...]) -> None:
    assert question_parts(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "What is the warranty?",
        "保証期間は何年ですか。",
        "warranty pump",
        "salt and pepper",
        "What should I do if it rains and when it snows?",
        "増加しましたか、それとも減少しましたか。",
        "どの部署で、誰が承認しますか。",
        "What did the ECDC and WHO office ask the countries?",
        "How many were there as of Feb. 10, 2020?",
        "Which vaccine has been approved for\nhuman use by Dr. Mori of Smith Inc. Tokyo?",
        "Vitamin D lowers the risk, and what follows is not known.",
        "「A案」や「B案」を求めたのは誰ですか。",
        "地域の過疎化や世代交代によって、それぞれの勢力はどうなりましたか。",
        "The pump was sold. It was blue. Who bought it?",
        "何の薬を、いつ飲みますか。",
        "彼は「誰が来ますか。何時ですか。」と書いた。",
        "",
        "?!.,;:",
        "？" * 100,
        "?" * 100,
    ],
)
def test_a_question_of_one_part_has_none(question: str) -> None:
    assert question_parts(question) == ()


def test_what_is_said_before_goes_with_every_part() -> None:
    parts = question_parts("Mr. Mori (75) lives in Naha. What does he pay? When is the bath open?")
    assert parts == (
        "Mr. Mori (75) lives in Naha. What does he pay?",
        "Mr. Mori (75) lives in Naha. When is the bath open?",
    )


def test_more_parts_than_are_searched_for_are_put_together_and_none_is_lost() -> None:
    parts = question_parts(" ".join(f"What is the price of item {n}?" for n in range(10)))
    assert len(parts) == MAX_PARTS
    assert all(any(f"item {n}?" in part for part in parts) for n in range(10))


@pytest.mark.parametrize(
    "text",
    [
        "who and what " * 600,
        "何が、" * 2600,
        "ペンと" * 2600 + "それぞれ",
        "a, " * 2600 + "and b respectively",
        "the of " * 1100 + "respectively",
        "「" * 8000,
        "“a”, " * 1600,
        "." * 8000,
        "What is x? " * 720,
        "\n- " * 2600,
        "a" * 8000,
    ],
)
def test_the_longest_question_is_split_in_no_time(text: str) -> None:
    question_parts("ペン")  # loads the dictionary
    began = time.perf_counter()
    assert len(question_parts(text[:8000])) <= MAX_PARTS
    assert time.perf_counter() - began < 10


@given(st.text(alphabet=" aWwhat?？。、,.andか何誰「」“”\n-1", max_size=60))
def test_any_text_has_no_parts_or_two_to_four_none_of_them_empty(text: str) -> None:
    parts = question_parts(text)
    assert len(parts) == 0 or 2 <= len(parts) <= MAX_PARTS
    assert all(part.strip() for part in parts)
