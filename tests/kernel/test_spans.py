"""The short answer within a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.answering.span_features import spans_of
from kernel.answering.span_questions import understood_question
from kernel.answering.span_words import words_of
from kernel.answering.spans import choose_span, load_weights, short_answer, span_scores


@pytest.mark.parametrize(
    ("question", "language", "kind"),
    [
        ("When was the mill built?", "en", "date"),
        ("What year did it close?", "en", "date"),
        ("How many looms were there?", "en", "number"),
        ("Who founded the mill?", "en", "person"),
        ("In which city is it?", "en", "place"),
        ("Why did it close?", "en", "reason"),
        ("How was the cloth dyed?", "en", "manner"),
        ("What was woven there?", "en", "thing"),
        ("工場はいつ建てられましたか", "ja", "date"),
        ("何年に閉鎖されたか", "ja", "date"),
        ("織機は何台ありましたか", "ja", "number"),
        ("創業者は誰ですか", "ja", "person"),
        ("工場はどこにあるか", "ja", "place"),
        ("なぜ閉鎖されたのか", "ja", "reason"),
        ("この布の愛称は？", "ja", "name"),
    ],
)
def test_what_is_asked_for_is_told_by_the_question_word(question: str, language: str, kind: str) -> None:
    asking = understood_question(question, language)
    assert asking is not None
    assert asking.kind == kind


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Was the mill built of brick?", "The mill was built of brick."),
        ("工場は煉瓦で建てられましたか", "工場は煉瓦で建てられた。"),
        ("When was the mill built?", "工場は1884年に建てられた。"),
        ("When was the mill built?", "…"),
        ("When?", "x " * 2000),
    ],
)
def test_there_is_none_where_rules_cannot_tell(question: str, sentence: str) -> None:
    assert short_answer(question, sentence) is None


@pytest.mark.parametrize(
    ("question", "sentence", "expected"),
    [
        (
            "When was the Harrow mill opened?",
            "The Harrow mill was opened in 1884 by the Bell family.",
            "1884",
        ),
        (
            "How many looms stood in the Harrow mill?",
            "In the Harrow mill stood 240 looms, more than in any other.",
            "240",
        ),
        ("ハロー工場は何年に開業しましたか", "ハロー工場はベル家によって1884年に開業した。", "1884年"),
        ("ハロー工場の創業者は誰ですか", "ハロー工場の創業者は田中太郎である。", "田中太郎"),
        ("布を赤く染める植物を何という？", "布を赤く染める植物を茜という。", "茜"),
    ],
)
def test_plain_questions_get_the_words_that_answer(question: str, sentence: str, expected: str) -> None:
    found = short_answer(question, sentence)
    assert found is not None
    assert sentence[slice(*found)] == expected


@given(st.text(max_size=50), st.text(max_size=80))
def test_any_text_gives_a_span_within_the_sentence_or_none(question: str, sentence: str) -> None:
    found = short_answer(question, sentence)
    if found is not None:
        start, end = found
        assert 0 <= start < end <= len(sentence)
        assert sentence[start:end] == sentence[start:end].strip()


@given(st.text(max_size=80), st.sampled_from(["en", "ja"]))
def test_words_lie_in_order_and_are_what_stands_there(text: str, language: str) -> None:
    before = 0
    for word in words_of(text, language):
        assert before <= word.start < word.end <= len(text)
        assert text[word.start : word.end] == word.text
        before = word.end


def test_brackets_come_in_pairs() -> None:
    text = "The mill (built in 1884) closed."
    asking = understood_question("When was the mill built?", "en")
    assert asking is not None
    words = words_of(text, "en")
    spans = spans_of(words, asking, "en")
    for start, end in zip(spans.starts, spans.ends, strict=True):
        shown = text[words[start].start : words[end - 1].end]
        assert shown.count("(") == shown.count(")")
    chosen = choose_span(spans, span_scores(spans, load_weights()["en"]))
    assert 0 <= chosen < len(spans)
