"""Filters are data: what people write becomes conditions with bound values, and means the same in SQL and Python."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UsageError
from retrieval.filter_text import among, parse_filter, parse_filters
from retrieval.filters import All, AnyOf, Filter, HasTag, Matches, Not, OneOf, Tagged, Where

_COLUMNS = {name: f"json_extract(data, '$.{name}')" for name in ("document", "page", "modified", "tags")}


def in_sql(condition: Filter, record: dict[str, Any]) -> bool:
    connection = sqlite3.connect(":memory:")
    text, values = condition.sql(_COLUMNS)
    query = f"SELECT EXISTS (SELECT 1 FROM (SELECT ? AS data) WHERE {text})"
    return bool(connection.execute(query, [json.dumps(record), *values]).fetchone()[0])


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_RECORDS = st.fixed_dictionaries(
    {
        "document": _TEXTS | st.none(),
        "page": st.integers(1, 4) | st.none(),
        "modified": st.sampled_from(["2023-04-01", "2024-01-01T00:00:00Z"]) | st.none(),
        "tags": st.dictionaries(
            st.sampled_from(["ward", "a.b", '"']), st.lists(_TEXTS, max_size=2), max_size=2
        ),
    }
)
_LEAVES: st.SearchStrategy[Filter] = st.one_of(
    st.builds(Where, st.just("page"), st.sampled_from(["==", "!=", "<", ">="]), st.integers(1, 4)),
    st.builds(Where, st.just("modified"), st.sampled_from(["<", ">="]), st.just("2024")),
    st.builds(Matches, st.just("document"), st.text("ab*?[]日", max_size=5)),
    st.builds(Tagged, st.just("tags"), st.sampled_from(["ward", "a.b", '"']), _TEXTS),
    st.builds(HasTag, st.just("tags"), st.sampled_from(["ward", "a.b", '"'])),
    st.builds(OneOf, st.just("document"), st.lists(_TEXTS, min_size=1, max_size=2).map(tuple)),
)
_FILTERS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(All, st.lists(inner, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


@given(_FILTERS, _RECORDS)
def test_a_filter_means_the_same_in_sql_and_in_python(condition: Filter, record: dict[str, Any]) -> None:
    assert in_sql(condition, record) == bool(condition(record))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("language=ja", Where("language", "==", "ja")),
        ("language == ja", Where("language", "==", "ja")),
        ("modified >= 2024-01-01", Where("modified", ">=", "2024-01-01")),
        ("page<3", Where("page", "<", 3)),
        ("document~hr/*", Matches("document", "hr/*")),
        ("document!~hr/*", Not(Matches("document", "hr/*"))),
        ("title=a = b", Where("title", "==", "a = b")),
        ("tag.ward=icu", Tagged("tags", "ward", "icu")),
        ("tag.病棟!=集中治療", Not(Tagged("tags", "病棟", "集中治療"))),
        ("author=Aoki", Tagged("tags", "author", "Aoki")),
        ('language in ["ja", "en"]', OneOf("language", ("ja", "en"))),
        ("page in[1,3]", OneOf("page", (1, 3))),
        (
            'tag.collection in ["a", null]',
            AnyOf((Tagged("tags", "collection", "a"), Not(HasTag("tags", "collection")))),
        ),
        (
            'tag.collection in ["手順; a|b", "=\\"x\\""]',
            AnyOf((Tagged("tags", "collection", "手順; a|b"), Tagged("tags", "collection", '="x"'))),
        ),
    ],
)
def test_what_people_write_becomes_a_filter(text: str, expected: Filter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no filter"),
        ("language", "no filter"),
        ("language=", "no filter"),
        ("=ja", "no filter"),
        ("colour=red", "no field 'colour'"),
        ("page=two", "'page' is a number"),
        ("page~2*", "has no pattern"),
        ("tag.ward>icu", "a tag is compared"),
        ("tag.=x", "no field"),
        ("text=x; DROP TABLE documents", "no field 'text'"),
        ("title=" + "x" * 2000, "no filter"),
        ("tag.ward in []", "a list of 1 to 100 texts"),
        ("tag.ward in [icu]", "a list of 1 to 100 texts"),
        ('tag.ward in ["icu", 3]', "a list of 1 to 100 texts"),
        ("language in [[[", "no filter"),
        ("title in [" + "[" * 900 + "]", "a list of 1 to 100 texts"),
        (f"page in {list(range(101))}", "a list of 1 to 100 numbers"),
        ("language in [null]", "a list of 1 to 100 texts"),
        ("page in [true]", "a list of 1 to 100 numbers"),
        ('colour in ["red"]', "no field 'colour'"),
    ],
)
def test_what_is_no_filter_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_filter(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@given(st.lists(_TEXTS, min_size=1, max_size=5))
def test_a_filter_of_several_values_reads_back_as_they_were(values: list[str]) -> None:
    assert parse_filter(among("title", values)) == OneOf("title", tuple(values))


def test_several_filters_must_all_hold() -> None:
    assert parse_filters([]) is None
    assert parse_filters(["page=1", "language=ja"]) == All(
        (Where("page", "==", 1), Where("language", "==", "ja"))
    )
