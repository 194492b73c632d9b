"""E-mail addresses and telephone numbers in texts."""

from __future__ import annotations

import re

# Nothing here looks at a text again from each of its places: some texts come from who is not even let in.
EMAIL = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)++")
PHONE = re.compile(r"(?<![\d.])[+＋]?\d{1,4}(?:[\s().－‐−–ー-]{1,2}\d{1,4}){2,5}(?!\d)")
"""A run of digits with what people put between them; full-width digits too, which \\d takes."""

_ADDRESS = re.compile(EMAIL.pattern, re.ASCII)  # no Japanese before it, which no space parts from it
_FEWEST, _MOST = 9, 15
"""Digits of a telephone number with its area; ITU-T E.164 allows fifteen."""


def without_contacts(text: str) -> tuple[str, int]:
    """Return a text without e-mail addresses and telephone numbers, and how many there were.

    Only numbers that begin as telephone numbers do go, with 0 or +, so that dates and measured values stay.
    """
    text, addresses = _ADDRESS.subn("[e-mail]", text)
    numbers = 0

    def hide(found: re.Match[str]) -> str:
        nonlocal numbers
        number = found.group()
        digits = sum(map(str.isdigit, number))
        if number[0] not in "+＋0０" or not _FEWEST <= digits <= _MOST:
            return number
        numbers += 1
        return "[phone]"

    return PHONE.sub(hide, text), addresses + numbers
