import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.analysis import analyze, content_tokens, detect_language, normalize, search_tokens


def test_english_words_are_folded_and_stemmed() -> None:
    assert search_tokens("Checking the PUMPS' valves") == ["check", "the", "pump", "valv"]


def test_japanese_is_cut_into_words_without_particles() -> None:
    assert content_tokens("面会時間は午後2時から8時までです。") == ["面会", "時間", "午後", "2", "8"]


def test_inflected_and_half_width_forms_become_one_token() -> None:
    assert content_tokens("コンピューターを使った") == content_tokens("ｺﾝﾋﾟｭｰﾀｰを使う")


@pytest.mark.parametrize("code", ["iso-9001:2015", "mr-07", "sp-4012"])
def test_an_identifier_stays_one_token(code: str) -> None:
    assert code in search_tokens(f"See {code.upper()} for details")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is it?", "en"),
        ("面会時間", "ja"),
        ("カルテ No. 5", "ja"),
        ("Что это?", "und"),
        ("123", "en"),
        ("", "en"),
    ],
)
def test_the_language_is_told_by_its_script(text: str, language: str) -> None:
    assert detect_language(text) == language


@given(st.text())
def test_every_token_lies_where_it_says_in_the_normalised_text(text: str) -> None:
    normalised = normalize(text)
    last = 0
    for token in analyze(text):
        assert last <= token.start < token.end <= len(normalised)
        last = token.end
        assert token.text


@given(st.text())
def test_folding_twice_changes_nothing_more(text: str) -> None:
    once = normalize(text)
    assert search_tokens(once) == search_tokens(text)
