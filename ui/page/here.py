"""What every part of the page is given: who looks at it, in which language, over which engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from kernel.settings import Settings
from retrieval.access import Caller
from ui.chat_engine import Engine
from ui.locales import label
from ui.messages import error_said, said
from ui.page.signals import NOTHING, Heard
from ui.plaintext import one_line

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!~|<>$^&=])")
_JOINER = "\u2060"


@dataclass(frozen=True, slots=True)
class Here:
    """One run of the page for one person."""

    engine: Engine
    caller: Caller | None
    language: str
    settings: Settings
    heard: Heard = NOTHING
    client: str = ""
    """Address of the browser, for the audit log."""

    def say(self, key: str, **values: object) -> str:
        """Return a text in the page's language."""
        return label(key, self.language, **values)

    def worded(self, wrong: BaseException | str) -> str:
        """Return an error in the page's language, or what a deeper part said of itself, on one line."""
        return said(wrong, self.language) if isinstance(wrong, str) else error_said(wrong, self.language)

    def note(self, what: str, documents: Iterable[str], *, question: str = "", seen: object = None) -> None:
        """Write into the audit log of which documents something is shown, or what was done with them.

        Args:
            what: is done, as `document`.
            documents: their names.
            question: that belongs to it.
            seen: what is shown; while it stays the same, runs of the page write no further line.
        """
        if seen is not None:
            if st.session_state.get(f"noted_{what}") == seen:
                return
            st.session_state[f"noted_{what}"] = seen
        self.engine.audit.note(what, self.caller, client=self.client, question=question, documents=documents)


def button_text(text: str, most: int = 80) -> str:
    """Return somebody's text as the label of a button, which reads Markdown: it stays text there.

    Args:
        text: of a document, a question, a title.
        most: characters that are shown.
    """
    shown = one_line(text).strip()
    shown = shown if len(shown) <= most else shown[: most - 1].rstrip() + "…"
    # A word joiner, which nobody sees, keeps `:home:` from being read as the name of an icon or a colour.
    return _MARKUP.sub(r"\\\1", shown).replace(":", f":{_JOINER}") or "…"


def icon_button(
    text: str,
    icon: str,
    key: str,
    *,
    on_click: Callable[..., None],
    args: tuple[Any, ...] = (),
    disabled: bool = False,
) -> None:
    """Offer a button of an icon alone. Its text, which the style hides, is what it is called for those who do not see.

    Args:
        text: what it does; shown too where the pointer rests.
        icon: name of the icon.
        key: of the button, which gets `icon_` before it.
        on_click: is called.
        args: with these.
        disabled: whether it cannot be pressed now.
    """
    st.button(
        text,
        icon=f":material/{icon}:",
        help=text,
        key=f"icon_{key}",
        type="tertiary",
        on_click=on_click,
        args=args,
        disabled=disabled,
    )
