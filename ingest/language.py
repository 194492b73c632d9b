"""The language of a text, told by its script."""

from __future__ import annotations

_SAMPLE = 20_000


def text_language(text: str) -> str:
    """Return "ja" for a text with kana, or of which more than a tenth is Chinese characters, else "en".

    A few kana in a long text of another script, a quoted name, do not count.
    """
    kana = han = letters = 0
    for char in text[:_SAMPLE]:
        code = ord(char)
        if 0x3041 <= code <= 0x30FF or 0xFF66 <= code <= 0xFF9D:
            kana += 1
        elif 0x4E00 <= code <= 0x9FFF:
            han += 1
        letters += char.isalpha()
    return "ja" if letters and (kana > 0.02 * letters or han > 0.1 * letters) else "en"
