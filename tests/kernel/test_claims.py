"""Whether a text says what a sentence claims."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.claims import by_words, checked, load_pairs, shares, with_meaning
from kernel.answering.claims.check import Claim, Evidence, Reason, Verdict, judge
from kernel.answering.claims.meaning import WordMeaning
from kernel.answering.claims.names import names
from kernel.answering.claims.polarity import denies, is_denied
from kernel.answering.claims.values import Value, find_values, is_among
from retrieval.analysis import analyze, normalize
from retrieval.sentence_transformer import SentenceTransformerEmbedder


def value_of(text: str) -> Value:
    (value,) = find_values(text)
    return value


def verdict(claim: str, evidence: str, *, question: str = "", heading: str = "", around: str = "") -> Verdict:
    words, context = (frozenset(token.text for token in analyze(text)) for text in (evidence, heading))
    held = Evidence(evidence, words, context, around or evidence, heading)
    return judge(Claim(claim, question), held, {})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 g", "1,000 mg"),
        ("1 g", "1000ミリグラム"),
        ("2 hours", "120分"),
        ("二十四時間", "24 h"),
        ("two years", "24か月"),
        ("0.5 L", "５００㎖"),
        ("1.5万円", "15,000円"),
        ("¥500", "500 yen"),
        ("１２％", "12 percent"),
        ("2割", "20%"),
        ("2024年3月1日", "1 March 2024"),
        ("2024-03-01", "令和6年3月1日"),
        ("March 1st, 2024", "2024/3/1"),
        ("平成元年5月", "1989年5月"),
        ("明治37年2月", "1904年2月"),
        ("18:30", "午後6時30分"),
        ("6.30 L", "6,300 mL"),
        ("9 a.m.", "9:00"),
        ("TK-40", "TK40"),
    ],
)
def test_the_same_is_the_same_however_it_is_written(one: str, other: str) -> None:
    assert value_of(one).same(value_of(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 mg", "50 mg"),
        ("5 mg", "5 g"),
        ("5 mg", "5 mL"),
        ("3 days", "3 hours"),
        ("500円", "$500"),
        ("12件", "12人"),
        ("2024年3月1日", "2024年1月3日"),
        ("18:30", "6:30"),
        ("第12条", "第2条"),
        ("TK-40", "TK-60"),
        ("-20 °C", "20 °C"),
        ("03-1234-5678", "03-1234-5679"),
    ],
)
def test_what_differs_in_number_unit_or_kind_is_not_the_same(one: str, other: str) -> None:
    assert not value_of(one).same(value_of(other))
    assert not is_among(value_of(one), [value_of(other)])


@given(st.integers(min_value=0, max_value=10**9))
def test_marks_between_thousands_change_no_number(number: int) -> None:
    assert value_of(f"{number:,} kg").same(value_of(f"{number}kg"))


@given(st.dates(min_value=date(1926, 12, 26), max_value=date(2099, 12, 31)))
def test_a_date_is_the_same_in_every_way_of_writing(day: date) -> None:
    iso = value_of(day.isoformat())
    assert iso.key == day.isoformat()
    for written in (
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%B} {day.day}, {day.year}",
        f"{day.day} {day:%b} {day.year}",
        f"{day.year}/{day.month}/{day.day}",
    ):
        assert value_of(written).same(iso)


@given(st.text())
def test_values_of_any_text_stand_in_order_within_it_and_apart(text: str) -> None:
    found = find_values(text)
    assert all(0 <= one.start < one.end <= len(normalize(text)) for one in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_a_date_is_held_by_a_more_exact_one_and_not_the_other_way() -> None:
    assert is_among(value_of("2019年"), [value_of("3 May 2019")])
    assert not is_among(value_of("3 May 2019"), [value_of("2019年")])


def test_a_bare_number_of_a_table_supports_one_with_a_unit() -> None:
    assert is_among(value_of("12 kg"), find_values("| 12 |"))
    assert not is_among(value_of("12 kg"), find_values("12 mm"))


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("The valve must not be opened.", True),
        ("You can't open it.", True),
        ("It is not only red.", False),
        ("It is never not closed.", False),
        ("弁を開けてはならない。", True),
        ("弁を開けなければならない。", False),
        ("弁を開けなければなりません", False),
        ("使用できません", True),
        ("使用できる", False),
        ("そうかもしれない", False),
        ("喫煙は禁止です", True),
    ],
)
def test_denials_are_counted_and_idioms_are_none(text: str, denied: bool) -> None:
    assert is_denied(text) is denied


def test_a_denial_counts_in_the_clause_that_is_spoken_of_alone() -> None:
    evidence = "The door is locked at night, but the gate is not locked."
    assert not denies("The door is locked at night.", evidence, {})
    assert denies("The gate is locked.", evidence, {})
    assert denies("門は施錠される。", "扉は施錠するが、門は施錠しない。", {})


def test_names_are_capitalised_words_within_a_sentence_and_names_of_the_dictionary() -> None:
    assert names("The release is signed by Ms Yamada on Monday.") >= {"yamada"}
    assert "monday" not in names("It is signed by Ms Yamada on Monday.")
    assert not names("Spindles are cleaned.")
    assert "山田" in names("山田部長が承認する。")


@pytest.mark.parametrize(
    ("claim", "evidence", "reason"),
    [
        ("Give 50 mg twice a day.", "Give 5 mg twice a day.", Reason.FIGURE),
        ("1日2回、5gを投与する。", "1日2回、5mgを投与する。", Reason.FIGURE),
        ("TK-60 runs at 12,000 rpm.", "TK-40 runs at 12,000 rpm.", Reason.NAME),
        ("田中部長が月末に出荷を承認する。", "山田部長が月末に出荷を承認する。", Reason.NAME),
        ("Children may enter the room.", "Children may not enter the room.", Reason.DENIAL),
        ("この弁は試験中に開けられる。", "この弁は試験中に開けられない。", Reason.DENIAL),
        ("Hand in at most 20 g.", "Hand in at least 20 g.", Reason.LIMIT),
        ("室温は18℃以上に保つ。", "室温は18℃以下に保つ。", Reason.LIMIT),
        ("The canteen opens at noon.", "The filter is changed monthly.", Reason.WORDS),
    ],
)
def test_the_reason_says_in_what_a_text_differs(claim: str, evidence: str, reason: Reason) -> None:
    assert verdict(claim, evidence).reason is reason
    assert verdict(evidence, evidence).is_supported


def test_what_the_heading_names_supports_the_subject_and_no_other_one() -> None:
    assert verdict(
        "The TK-40 runs at 12,000 rpm.", "It runs at 12,000 rpm.", heading="Spindle TK-40"
    ).is_supported
    other = verdict("The TK-60 runs at 12,000 rpm.", "It runs at 12,000 rpm.", heading="Spindle TK-40")
    assert other.reason is Reason.NAME


def test_an_answer_of_a_figure_alone_adds_something_and_repeating_the_question_nothing() -> None:
    asked = "How long is a completed form valid?"
    held = "A completed form is valid for 48 hours."
    assert verdict("A completed form is valid for 48 hours.", held, question=asked).is_supported
    assert verdict("48 hours.", held, question=asked).is_supported
    assert not verdict("A completed form is valid.", held, question=asked).is_supported


@pytest.mark.parametrize("language", ["en", "ja"])
def test_one_changed_thing_is_noticed_where_common_words_notice_little(language: str) -> None:
    pairs = [pair for pair in load_pairs("test") if pair.language == language]
    found, baseline = shares(pairs, checked), shares(pairs, by_words)
    changed = "one thing changed, noticed"
    assert found[changed].value >= 0.9
    assert found["precision"].value >= 0.9
    assert found["recall"].value >= 0.75
    assert baseline["precision"].value < found["precision"].value


def test_other_words_may_say_the_same_and_words_that_nothing_stands_for_may_not(
    embedder: SentenceTransformerEmbedder,
) -> None:
    says = with_meaning(embedder)
    pairs = load_pairs("test")
    found, plain = shares(pairs, says), shares(pairs, checked)
    assert found["recall"].hits > plain["recall"].hits
    assert found["precision"].value >= 0.9
    assert all(not says(pair) for pair in pairs if pair.kind == "addition")


def test_a_word_is_said_by_another_that_means_the_same(embedder: SentenceTransformerEmbedder) -> None:
    claim, texts = "The vaccine is discarded.", ["The vaccine is thrown away.", "The vaccine is red."]
    start = claim.index("discarded")
    spans = [(start, start + len("discarded"))]
    same, other = WordMeaning(embedder)(claim, [(text, spans) for text in texts])
    assert same > other + 0.1
    assert WordMeaning(embedder)(claim, [("", spans), ("The vaccine.", [])]) == [-1.0, 1.0]
