"""Which questions lean on the turns before them, and what is made of those; by rules, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.conversation.history import MOST_ANSWER, MOST_TURNS, PastTurn, check_history
from kernel.conversation.nearest import nearest_by
from kernel.conversation.standalone import is_follow_up, stand_alone
from retrieval.analysis import analyze, content_tokens
from retrieval.errors import UsageError
from retrieval.sentence_transformer import SentenceTransformerEmbedder

DOSE = PastTurn("What is the dose of colistin for adults?", "It is 9 million units [1].")
FORM = PastTurn("Where do I get the MRI screening form?", "At the reception [1].")
NIGHT = PastTurn("二交代で夜勤を一回すると、手当はいくらつきますか。", "13,200円です [1]。")
BOTTLE = PastTurn("アルコール手指消毒剤のボトルは、開けてからどのくらいで替えますか。", "6か月です [1]。")


@pytest.mark.parametrize(
    ("turn", "question", "made"),
    [
        (DOSE, "And for children?", "What is the dose of colistin for children?"),
        (DOSE, "What about meropenem for children?", None),
        (
            PastTurn("What dose is given at 20 mL/min?"),
            "And at 60 mL/min?",
            "What dose is given at 60 mL/min?",
        ),
        (
            PastTurn("How much grease does the SP-4012 take?"),
            "What about the SP-4018?",
            "How much grease does the SP-4018 take?",
        ),
        (FORM, "How long does it stay valid?", "About MRI screening form: How long does it stay valid?"),
        (
            PastTurn("From what potassium level does the lab call?"),
            "And from what sodium level?",
            "From what sodium level does the lab call?",
        ),
        (FORM, "Why?", "About MRI screening form: Why?"),
        (
            PastTurn("How much is parking?"),
            "And on Sundays?",
            "How much is parking on Sundays?",
        ),
        (
            BOTTLE,
            "それはどこに捨てますか。",
            "アルコール手指消毒剤のボトルについて、それはどこに捨てますか。",
        ),
        (BOTTLE, "なぜですか。", "アルコール手指消毒剤のボトルについて、なぜですか。"),
        (BOTTLE, "期限は？", "アルコール手指消毒剤のボトルについて、期限は？"),
        (NIGHT, "では、医師の当直は？", "医師の当直の場合、" + NIGHT.question),
        (
            PastTurn("第1工場のクレーンは何トンまで吊れますか。"),
            "第2工場は？",
            "第2工場のクレーンは何トンまで吊れますか。",
        ),
    ],
)
def test_a_question_that_leans_is_made_to_stand_alone(
    turn: PastTurn, question: str, made: str | None
) -> None:
    def nearest(text: str, among: Sequence[str]) -> int | None:  # what a real embedder finds, see below
        return next((place for place, each in enumerate(among) if each.split()[-1] == text.split()[-1]), None)

    found = stand_alone(question, [turn], nearest=nearest)
    assert found != question
    if made is not None:
        assert found == made


@pytest.mark.parametrize(
    "question",
    [
        "Which surgeon performs kidney transplants?",
        "How much of this year's annual leave can I move to next year if I don't use it?",
        "A family asks when they can come in the evening. What do I tell them?",
        "My brother is getting married. How many days do I get for that?",
        "Is it possible to park in front of the entrance?",
        "How long does it take to sterilise the endoscope?",
        "There is smoke on the ward. Which number do I dial?",
        "Which pump that alarms must be replaced?",
        "And how long is an approval for colistin valid?",
        "And where is the spare key?",
        "In which year was the scanner installed?",
        "When did Setanta Sports say it would launch as a service?",
        "colistin dose",
        "torque M8 spindle flange?",
        "駐車場の料金は？",
        "マーラーの好物の黒ビールの銘柄は？",
        "麻薬金庫の鍵は誰が持ちますか。",
        "また、夜勤の手当はいくらですか。",
        "コリスチンとは何ですか。",
        "間違いはあったけれど患者さんに影響がなかった場合、いつまでに報告すればいいですか。",
    ],
)
def test_a_question_that_stands_alone_is_left_as_it_is(question: str) -> None:
    for turn in (DOSE, NIGHT):
        assert stand_alone(question, [turn]) == question


def test_without_turns_nothing_is_changed() -> None:
    assert stand_alone("And for children?", []) == "And for children?"


def test_a_chain_of_questions_is_followed_back_to_one_that_stands_alone() -> None:
    turns = [DOSE, PastTurn("And for children?", "2 million units [1].")]
    assert stand_alone("And for newborns?", turns) == "What is the dose of colistin for newborns?"
    known = [PastTurn("And for children?", "", asked="What is the dose of ampicillin for children?")]
    assert stand_alone("And for newborns?", known) == "What is the dose of ampicillin for newborns?"


def test_what_was_said_to_be_remembered_is_not_what_a_question_leans_on() -> None:
    turns = [FORM, PastTurn("Remember that the key is in drawer 4.", "I will.")]
    assert "MRI screening form" in stand_alone("How long does it stay valid?", turns)


def test_what_is_nearest_in_meaning_is_what_something_is_named_in_place_of() -> None:
    made = stand_alone(
        "What about children?",
        [PastTurn("What is the dose for adults?")],
        nearest=lambda text, among: among.index("adults") if "adults" in among else None,
    )
    assert made == "What is the dose for children?"


_FRAME = {"場合", "つく"}
"""What the Japanese frames of a question add: 「…の場合、」, 「…について、」."""
WORDS = (
    "dose adults children colistin 20 mL/min SP-4012 it them what how why and for about the is of valid form "
    "それ では 子ども は いつ 手当 夜勤 の ？ 。 第2工場 5mg"
).split()


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=10).map(" ".join), max_size=4),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=10).map(" ".join),
)
def test_what_is_made_keeps_every_word_of_the_question_and_adds_only_words_of_the_conversation(
    turns: list[str], question: str
) -> None:
    history = [PastTurn(turn) for turn in turns if turn.strip()]
    made = stand_alone(question, history)
    own, said = set(content_tokens(question)), {word for turn in turns for word in content_tokens(turn)}
    assert own <= set(content_tokens(made))
    assert set(content_tokens(made)) <= own | said | _FRAME
    figures = {token.text for token in analyze(question) if token.has_digit}
    assert figures <= {token.text for token in analyze(made)}


def test_a_thousand_turns_are_no_more_work_than_the_last_ones() -> None:
    history = [PastTurn(f"And number {n}?", "a") for n in range(1000)]
    assert is_follow_up("And for children?", history)
    assert stand_alone("And for children?", history)


@pytest.mark.parametrize(
    "turns",
    [
        [("q", "a")] * (MOST_TURNS + 1),
        [("q" * 8001, "a")],
        [("q", "a" * (MOST_ANSWER + 1))],
        [("q", "a" * MOST_ANSWER)] * 101,
    ],
)
def test_an_endless_history_is_refused_in_one_line(turns: list[tuple[str, str]]) -> None:
    with pytest.raises(UsageError) as raised:
        check_history(turns)
    assert "\n" not in str(raised.value)


def test_a_history_may_hold_a_thousand_turns_and_empty_ones_are_left_out() -> None:
    assert len(check_history([("q", "a")] * 1000)) == 1000
    assert check_history([("  ", "a"), ("q\ud800", "")]) == (PastTurn("q\ufffd", ""),)


@pytest.mark.parametrize(
    ("turn", "question", "made"),
    [
        (PastTurn("What is the dose for adults?"), "What about children?", "What is the dose for children?"),
        (
            PastTurn("How long is the warranty of the control unit and drives?"),
            "And of spare parts?",
            "How long is the warranty of the spare parts?",
        ),
        (PastTurn("日曜日の受付は何時からですか。"), "では、土曜日は？", "土曜日の受付は何時からですか。"),
        (
            PastTurn("防犯カメラの映像はどれくらい保管しますか。"),
            "入退室記録は？",
            "入退室記録の場合、防犯カメラの映像はどれくらい保管しますか。",  # nothing in it stands out as alike
        ),
    ],
)
def test_the_embedder_tells_in_place_of_what_something_is_named(
    embedder: SentenceTransformerEmbedder, turn: PastTurn, question: str, made: str
) -> None:
    assert stand_alone(question, [turn], nearest=nearest_by(embedder)) == made
