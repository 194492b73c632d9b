"""Dates as kernel functions: today, the time between two days, a day some time later, weekdays, eras of Japan."""

from collections.abc import Callable, Container
from datetime import date, datetime, timedelta
from typing import Annotated

from semantic_kernel.functions.kernel_function_decorator import kernel_function

from plugins.calendar_dates import WEEKDAYS, era_year, in_era, parse_date
from retrieval.errors import UsageError

PLUGIN_NAME = "dates"
MAX_DAYS = 400_000
MAX_WORKING_DAYS = 10_000
_COUNTED_DAYS = 100_000
_WORKING_WEEK = 5

Day = Annotated[str, "a date: 2026-05-01, 1 May 2026, 令和8年5月1日, or today"]
Country = Annotated[
    str, "country code such as JP or US whose public holidays are no working days; empty for none"
]


def this_day() -> date:
    """Return today by the clock of this machine."""
    return datetime.now().astimezone().date()


class DatePlugin:
    """Reckons with days. All dates come out as ISO 8601."""

    def __init__(self, today: Callable[[], date] = this_day) -> None:
        self._today = today

    @kernel_function(name="today", description="Tell today's date and weekday.")
    def today(self) -> str:
        """Return today, as `weekday` does."""
        return self._told(self._today())

    @kernel_function(name="weekday", description="Tell the weekday of a date.")
    def weekday(self, day: Day) -> str:
        """Return a date with its weekday.

        Raises:
            UsageError: it is no date.
        """
        return self._told(parse_date(day, self._today))

    @kernel_function(
        name="convert",
        description="Write a date as ISO 8601 and in the era of Japan, or give the year of an era.",
    )
    def convert(
        self, day: Annotated[str, "a date such as 令和8年5月1日, or a year of an era such as 令和8年"]
    ) -> str:
        """Return a date in both ways.

        Raises:
            UsageError: it is no date.
        """
        year = era_year(day)
        if year is not None:
            return str(year)
        found = parse_date(day, self._today)
        return f"{found.isoformat()} ({in_era(found)})"

    @kernel_function(name="difference", description="Count the days and working days between two dates.")
    def difference(self, start: Day, end: Day, holidays_of: Country = "") -> str:
        """Return the days from one date to another, negative where it lies before.

        Working days are those after the first date up to the last.

        Raises:
            UsageError: one is no date, or the country is unknown.
        """
        first, last = parse_date(start, self._today), parse_date(end, self._today)
        days = (last - first).days
        years, months, rest = _apart(*sorted((first, last)))
        shown = [f"{days} days", f"{years} years, {months} months and {rest} days"]
        if abs(days) <= _COUNTED_DAYS:
            early, late = sorted((first, last))
            off = _holidays(holidays_of, early.year, late.year)
            working = sum(_works(early + timedelta(days=n), off) for n in range(1, abs(days) + 1))
            shown.append(f"{working if days >= 0 else -working} working days{_said(holidays_of)}")
        return f"{first.isoformat()} to {last.isoformat()}: " + "; ".join(shown)

    @kernel_function(name="add", description="Give the date that lies some time after a date, or before it.")
    def add(
        self,
        start: Day,
        days: Annotated[int, "days to add; below 0 to go back"] = 0,
        working_days: Annotated[int, "working days (Monday to Friday) to add"] = 0,
        months: Annotated[int, "months to add; the day is kept, or is the last of the month"] = 0,
        years: Annotated[int, "years to add"] = 0,
        holidays_of: Country = "",
    ) -> str:
        """Return a date later by years and months, then days, then working days.

        Raises:
            UsageError: the first is no date, the country is unknown, or it leads out of the calendar.
        """
        if abs(days) > MAX_DAYS or abs(working_days) > MAX_WORKING_DAYS:
            raise UsageError(f"at most {MAX_DAYS:,} days or {MAX_WORKING_DAYS:,} working days can be added")
        try:
            day = _months_later(parse_date(start, self._today), months + 12 * years) + timedelta(days=days)
            day = _working_days_later(day, working_days, holidays_of)
        except (OverflowError, ValueError):
            raise UsageError("that leads out of the calendar, which has the years 1 to 9999") from None
        return self._told(day) + (_said(holidays_of) if working_days else "")

    def _told(self, day: date) -> str:
        english, japanese = WEEKDAYS[day.weekday()]
        return f"{day.isoformat()} ({english}, {japanese})"


def _apart(first: date, last: date) -> tuple[int, int, int]:
    """Return whole years, months and days between two days."""
    months = 12 * (last.year - first.year) + last.month - first.month
    if _months_later(first, months) > last:
        months -= 1
    return months // 12, months % 12, (last - _months_later(first, months)).days


def _months_later(day: date, months: int) -> date:
    whole = day.year * 12 + day.month - 1 + months
    year, month = whole // 12, whole % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1) if (year, month) != (9999, 12) else date.max
    last = (following - timedelta(days=1)).day if following != date.max else 31
    return date(year, month, min(day.day, last))


def _working_days_later(day: date, count: int, country: str) -> date:
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    off = _holidays(country, day.year, day.year) if left else ()
    year = day.year
    while left:
        day += step
        if day.year != year:
            year = day.year
            off = _holidays(country, year, year)
        left -= _works(day, off)
    return day


def _works(day: date, off: Container[date]) -> bool:
    return day.weekday() < _WORKING_WEEK and day not in off


def _holidays(country: str, first: int, last: int) -> Container[date]:
    country = country.strip().upper()
    if not country:
        return ()
    import holidays

    if country not in holidays.list_supported_countries():
        raise UsageError(f"the public holidays of '{country[:20]}' are unknown; give a code such as JP or US")
    return frozenset(holidays.country_holidays(country, years=range(first, last + 1)))


def _said(country: str) -> str:
    return f" (without the public holidays of {country.strip().upper()})" if country.strip() else ""
