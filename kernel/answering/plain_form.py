"""A text in the form in which instructions are looked for in it, with the way back to where each character stood.

An instruction that is written with letters of other scripts, with gaps between its letters or with characters
without width reads the same to a person and to a model; it should to a rule too.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

# Letters of other scripts that look like Latin ones, in lower case (Unicode Technical Standard 39, in extract).
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһвкмнтᴀᴄᴅᴇɢɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢαοερνικτυхɡıⅼο",
    "aeopcyxijsdhbkmhtacdegijklmnoprtuvwyzaoepviktuxgilo",
)
_UNSEEN = ("Cf", "Mn", "Cc", "Co", "Cn")


@dataclass(frozen=True, slots=True)
class PlainForm:
    """`text` is folded; `origins[i]` is where its character i stood in the source."""

    text: str
    origins: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the folded text stood in the source."""
        return self.origins[start], self.origins[end - 1] + 1


def plain_form(text: str) -> PlainForm:
    """Fold a text: NFKC, lower case, look-alikes as Latin, nothing unseen, spaced-out words closed up."""
    characters: list[str] = []
    origins: list[int] = []
    for place, char in enumerate(text):
        if "\x20" <= char < "\x7f" or char in "\n\t":
            characters.append(char.lower())
            origins.append(place)
            continue
        if unicodedata.category(char) in _UNSEEN:
            continue
        for folded in unicodedata.normalize("NFKC", char).lower().translate(_LOOKALIKES):
            characters.append(folded)
            origins.append(place)
    return _closed_up(characters, origins)


def _closed_up(characters: list[str], origins: list[int]) -> PlainForm:
    """Close up words that are written with a gap behind each letter: "i g n o r e"; two gaps part words."""
    kept: list[str] = []
    places: list[int] = []
    at, length = 0, len(characters)
    while at < length:
        end = at
        if characters[at].isalpha() and (at == 0 or not characters[at - 1].isalnum()):
            while end + 2 < length and characters[end + 1] in " .-_" and characters[end + 2].isalpha():
                end += 2
        if end - at >= 4 and (
            end + 1 == length or not characters[end + 1].isalnum()
        ):  # three letters at least
            kept += characters[at : end + 1 : 2]
            places += origins[at : end + 1 : 2]
            at = end + 1
            continue
        kept.append(characters[at])
        places.append(origins[at])
        at += 1
    return PlainForm("".join(kept), places)
