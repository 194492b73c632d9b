"""Text on its way through Semantic Kernel's templates.

A rendered prompt is parsed as XML. Arguments are escaped once on the way in but unescaped twice on the way
out, so a document's `&lt;b&gt;` would reach the model as `<b>`, and a character that XML does not allow
would turn the whole prompt into one user message.
"""

from __future__ import annotations

import html
import re

# What XML 1.0 does not allow (section 2.2, Char), lone surrogates among it.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"


def printable(text: str) -> str:
    """Replace each control character, and each lone surrogate, by U+FFFD."""
    return _NOT_XML.sub(REPLACEMENT, text)


def shield(text: str) -> str:
    """Return an argument for a prompt template that reaches the model as `printable(text)`, whatever it holds."""
    # A carriage return as a reference, since XML turns a literal one into a line feed.
    return html.escape(printable(text), quote=False).replace("\r", "&#13;")
