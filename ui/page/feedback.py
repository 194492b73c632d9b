"""What people said of answers, with filters; a bad answer becomes a corrected example in two clicks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from kernel.answer import Answer
from plugins.memory.feedback import Feedback
from plugins.memory.records import owner_of
from ui import chat_view as view
from ui.page.correcting import correction_form
from ui.page.here import Here
from ui.page.rights import may_run
from ui.plaintext import one_line, plain

_SHOWN = 50
_KINDS = ("all", "up", "down", "uncorrected")
_CORRECTING = "correcting_feedback"
_SAID = "feedback_said"


def show_feedback(here: Here) -> None:
    """Draw the list, the newest first: everybody's for who runs the service, and else one's own."""
    is_all = may_run(here)
    rows = here.engine.feedback(here.caller, everybody=is_all)
    if here.caller is not None:
        st.html(view.text_html(here.say("feedback_of_all" if is_all else "feedback_of_you"), "meta"))
    if not rows:
        st.html(view.notice_html(here.say("no_feedback")))
        return
    if said := st.session_state.pop(_SAID, ""):
        st.html(view.notice_html(said))
    kind = st.segmented_control(
        here.say("feedback_kind"),
        _KINDS,
        format_func=lambda name: here.say(f"feedback_{name}"),
        default="all",
        required=True,
        key="feedback_kind",
    )
    wanted = st.text_input(here.say("feedback_filter"), key="feedback_filter", max_chars=200)
    shown = fitting(rows, str(kind), wanted, mender=owner_of(here.caller) if is_all else "")
    if is_all and here.caller is not None:
        here.note("feedback", _cited(shown[:_SHOWN]), seen=[row.id for row in shown[:_SHOWN]])
    st.html(view.text_html(here.say("feedback_count", shown=len(shown), count=len(rows)), "meta"))
    for row in shown[:_SHOWN]:
        _show(here, row)
    if len(shown) > _SHOWN:
        st.html(view.text_html(here.say("more", count=len(shown) - _SHOWN), "meta"))


def fitting(rows: Sequence[Feedback], kind: str, wanted: str, *, mender: str = "") -> list[Feedback]:
    """Return the rows of a kind in which all words that are wanted stand, the newest first.

    Args:
        rows: in their order.
        kind: `all`, `up`, `down`, or `uncorrected`: what is wrong and has no right answer yet, of the same user.
        wanted: words.
        mender: the user whose right answers count for everybody.
    """
    mended = {(row.user, row.question) for row in rows if row.approved}
    words = wanted.casefold().split()
    found = []
    for row in reversed(rows):
        fits = kind in ("all", row.rating) or (
            kind == "uncorrected"
            and row.rating == "down"
            and not {(row.user, row.question), (mender, row.question)} & mended
        )
        text = f"{row.question} {row.approved} {row.rejected} {row.data.get('comment') or ''} {row.user}".casefold()
        if fits and all(word in text for word in words):
            found.append(row)
    return found


def _cited(rows: Sequence[Feedback]) -> list[str]:
    """Name the documents that the answers cite."""
    cited = (str(each["document"]) for row in rows for each in row.data["answer"].get("citations") or ())
    return list(dict.fromkeys(cited))


def _show(here: Here, row: Feedback) -> None:
    with st.container(border=True):
        st.html(row_html(here, row))
        if row.rating != "down" or row.data.get("correction"):
            return
        if st.session_state.get(_CORRECTING) != row.id:
            st.button(
                here.say("correct"),
                icon=":material/edit:",
                key=f"correct_{row.id}",
                on_click=_begin,
                args=(row.id,),
            )
            return
        if said := correction_form(here, Answer.model_validate(row.data["answer"]), str(row.id)):
            st.session_state[_SAID], st.session_state[_CORRECTING] = said, None
            st.rerun()


def row_html(here: Here, row: Feedback) -> str:
    """Return what was said of an answer: when, by whom, of which question, and what is right."""
    who = row.user.removeprefix("user:") if row.user.startswith("user:") else ""
    variant = str(row.data["answer"].get("variant") or "")
    head = " · ".join(
        part
        for part in (here.say(f"feedback_{row.rating}"), row.at[:16].replace("T", " "), who, variant)
        if part
    )
    parts = [view.text_html(head, "meta"), f"<b>{escape(one_line(row.question))}</b>"]
    if row.rejected:
        parts.append(f'<div class="tk-quote tk-rejected">{escape(plain(row.rejected))}</div>')
    if row.approved:
        parts.append(f'<div class="tk-quote">{escape(plain(row.approved))}</div>')
    if comment := str(row.data.get("comment") or ""):
        parts.append(view.text_html(comment, "meta"))
    return "".join(parts)


def _begin(number: int) -> None:
    st.session_state[_CORRECTING] = number
