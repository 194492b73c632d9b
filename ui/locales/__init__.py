"""What the ways in say, in English and Japanese: gettext catalogues, one folder for each language.

A catalogue is read from its `.po` file when a text in its language is first asked for, so that there is nothing to
compile after an edit.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語"}
_DOMAIN = "tekio"


def catalogue_file(language: str) -> Path:
    """Return the `.po` file of a language."""
    return Path(__file__).parent / language / "LC_MESSAGES" / f"{_DOMAIN}.po"


def label(key: str, language: str, **values: object) -> str:
    """Return a text in a language ("ja", or English for any other), with its values filled in.

    Raises:
        KeyError: there is no such text.
    """
    text = _catalogue("ja" if language == "ja" else "en").gettext(key)
    return text.format(**values) if values else text


class _Missing(NullTranslations):
    """What gettext asks for a text that is not in the catalogue: it would show the key, which nobody would notice."""

    def gettext(self, message: str) -> str:
        raise KeyError(message)


@cache
def _catalogue(language: str) -> GNUTranslations:
    from babel.messages.mofile import (
        write_mo,
    )  # takes longer to import than a command may take to show its help
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with catalogue_file(language).open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    catalogue = GNUTranslations(compiled)
    catalogue.add_fallback(_Missing())
    return catalogue
