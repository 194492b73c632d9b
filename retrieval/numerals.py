"""Numbers in Chinese characters."""

_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0}
_POWERS = {"十": 10, "百": 100, "千": 1000}
_MYRIAD = 10**4


def kanji_number(text: str) -> int:
    """Return the number that Chinese numerals write: 二十四 is 24, 二〇二四 is 2024, 三万五千 is 35000.

    Raises:
        KeyError: a character is none of 〇零一二三四五六七八九十百千万.
    """
    if not any(character in _POWERS or character == "万" for character in text):
        return int("".join(str(_DIGITS[character]) for character in text))
    total = part = digit = 0
    for character in text:
        if character == "万":
            total, part, digit = (total + part + digit or 1) * _MYRIAD, 0, 0
        elif character in _POWERS:
            part += (digit or 1) * _POWERS[character]
            digit = 0
        else:
            digit = _DIGITS[character]
    return total + part + digit
