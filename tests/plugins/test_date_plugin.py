"""Dates: as people write them, reckoned with, and in the eras of Japan."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.calendar_dates import FIRST_ERA_DAY, find_dates, in_era, parse_date
from plugins.date_plugin import DatePlugin
from retrieval.errors import UsageError

TODAY = date(2026, 11, 28)
DATES = DatePlugin(lambda: TODAY)


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2026-05-01", "2026-05-01"),
        ("2026/5/1", "2026-05-01"),
        ("20260501", "2026-05-01"),
        ("２０２６年５月１日", "2026-05-01"),
        ("令和8年5月1日", "2026-05-01"),
        ("令和8年5月1日（金）", "2026-05-01"),
        ("R8.5.1", "2026-05-01"),
        ("令和元年5月1日", "2019-05-01"),
        ("平成31年4月30日", "2019-04-30"),
        ("平成32年3月31日", "2020-03-31"),
        ("昭和六十四年一月七日", "1989-01-07"),
        ("大正15年12月24日", "1926-12-24"),
        ("1 May 2026", "2026-05-01"),
        ("1st of May 2026", "2026-05-01"),
        ("May 1, 2026", "2026-05-01"),
        ("today", "2026-11-28"),
        ("明日", "2026-11-29"),
    ],
)
def test_a_date_is_read_as_people_write_it(written: str, day: str) -> None:
    assert parse_date(written, lambda: TODAY).isoformat() == day


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2023-02-29", "not in the calendar"),
        ("令和8年13月1日", "not in the calendar"),
        ("令和元年4月1日", "2019-04-01 is 平成31年4月1日"),
        ("05/01/2026", "is no date"),
        ("next week", "is no date"),
        ("", "is no date"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_told(written: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_date(written, lambda: TODAY)


def test_days_months_and_working_days_are_added() -> None:
    assert DATES.add("2024-01-31", months=1) == "2024-02-29 (Thursday, 木曜日)"
    assert DATES.add("2024-02-29", years=1) == "2025-02-28 (Friday, 金曜日)"
    assert DATES.add("2024-12-31", days=-366) == "2023-12-31 (Sunday, 日曜日)"
    assert DATES.add("2026-05-01", working_days=1) == "2026-05-04 (Monday, 月曜日)"
    assert DATES.add("2026-05-04", working_days=-1) == "2026-05-01 (Friday, 金曜日)"
    assert DATES.add("9999-12-30", days=1).startswith("9999-12-31")


def test_public_holidays_are_no_working_days_where_a_country_is_named() -> None:
    # Golden week: 29 April, 3 to 6 May 2026 are holidays of Japan.
    assert DATES.add("2026-04-28", working_days=3, holidays_of="jp") == (
        "2026-05-07 (Thursday, 木曜日) (without the public holidays of JP)"
    )
    assert "; 5 working days (without the public holidays of JP)" in DATES.difference(
        "2026-04-28", "2026-05-11", "JP"
    )


def test_the_time_between_two_dates_is_told_in_days_and_in_working_days() -> None:
    told = DATES.difference("2024-05-01", "令和6年5月31日")
    assert told == "2024-05-01 to 2024-05-31: 30 days; 0 years, 0 months and 30 days; 22 working days"
    assert DATES.difference("2024-05-31", "2024-05-01").startswith("2024-05-31 to 2024-05-01: -30 days")


def test_eras_and_weekdays_are_told() -> None:
    assert DATES.convert("2019-05-01") == "2019-05-01 (令和元年5月1日)"
    assert DATES.convert("令和8年") == "2026"
    assert DATES.weekday("R8.5.1") == "2026-05-01 (Friday, 金曜日)"
    assert DATES.today() == "2026-11-28 (Saturday, 土曜日)"


@pytest.mark.parametrize(
    "call",
    [
        lambda: DATES.add("9999-12-31", days=1),
        lambda: DATES.add("0001-01-01", months=-1),
        lambda: DATES.add("2026-01-01", days=10**9),
        lambda: DATES.add("2026-01-01", years=10**9),
        lambda: DATES.add("2026-01-01", working_days=10**6),
        lambda: DATES.add("2026-01-01", working_days=1, holidays_of="XX"),
    ],
)
def test_what_leads_out_of_the_calendar_or_is_unknown_is_one_clear_error(call: object) -> None:
    with pytest.raises(UsageError):
        call()  # type: ignore[operator]


def test_dates_are_found_within_a_text() -> None:
    text = "Signed on 1 May 2026, due 2026-06-15; 契約は令和7年4月1日から。Version 1.2.3 of 99/99/9999."
    assert find_dates(text) == {date(2026, 5, 1), date(2026, 6, 15), date(2025, 4, 1)}


@given(st.dates(min_value=FIRST_ERA_DAY))
def test_a_date_in_its_era_is_read_back_as_the_same_day(day: date) -> None:
    if day.year < 2100:
        assert parse_date(in_era(day), lambda: TODAY) == day
    assert parse_date(day.isoformat(), lambda: TODAY) == day


@given(st.dates(date(1990, 1, 1), date(2090, 1, 1)), st.integers(-400, 400))
def test_adding_working_days_and_counting_them_agree(day: date, count: int) -> None:
    found = date.fromisoformat(DATES.add(day.isoformat(), working_days=count)[:10])
    assert (found - day).days * count >= 0
    if count > 0:
        told = DATES.difference(day.isoformat(), found.isoformat())
        assert told.endswith(f"; {count} working days")
        assert found - day >= timedelta(days=count)
