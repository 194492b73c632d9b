from hypothesis import given
from hypothesis import strategies as st

from retrieval.numerals import kanji_number

DIGITS = "〇一二三四五六七八九"


def written(number: int) -> str:
    """Return a number below 10^8 as it is spoken, written from the top down."""
    if number >= 10**4:
        rest = number % 10**4
        return written(number // 10**4) + "万" + (written(rest) if rest else "")
    text = ""
    for power, name in ((1000, "千"), (100, "百"), (10, "十")):
        digit, number = divmod(number, power)
        text += ("" if digit == 1 else DIGITS[digit] if digit else "") + (name if digit else "")
    return text + (DIGITS[number] if number else "")


@given(st.integers(1, 10**8 - 1))
def test_a_number_in_spoken_form_is_read(number: int) -> None:
    assert kanji_number(written(number)) == number


@given(st.integers(0, 10**8 - 1))
def test_a_number_written_digit_by_digit_is_read(number: int) -> None:
    assert kanji_number("".join(DIGITS[int(digit)] for digit in str(number))) == number


def test_both_zeros_are_read() -> None:
    assert kanji_number("二零") == kanji_number("二〇") == 20
    assert kanji_number("万") == 10_000
