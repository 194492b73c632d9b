"""What a person does with the parts that the page draws as HTML: a source clicked, an answer copied, a key pressed.

The script is ours alone and the same for everyone; what documents and models wrote stays in the escaped HTML, of which
it reads two attributes that are ours too.
"""

from __future__ import annotations

import re

import streamlit as st

_SCRIPT = """
export default function (component) {
  const { setTriggerValue, data } = component;
  const closest = (event, selector) => event.target instanceof Element ? event.target.closest(selector) : null;

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch (error) { /* no secure context */ }
    const area = document.createElement("textarea");
    area.value = text; document.body.appendChild(area); area.select();
    const done = document.execCommand("copy"); area.remove(); return done;
  };

  const clicked = async (event) => {
    const source = closest(event, "[data-source]");
    if (source) { setTriggerValue("source", source.dataset.source); return; }
    const button = closest(event, "[data-copy]");
    if (!button) return;
    const text = document.querySelector(`[data-answer="${button.dataset.copy}"]`);
    if (text && await copy(text.innerText)) {
      const before = button.textContent;
      button.textContent = button.dataset.done;
      setTimeout(() => { button.textContent = before; }, 1600);
    }
  };

  const pressed = (event) => {
    const typing = closest(event, "input, textarea, select, [contenteditable], [role=dialog]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const box = document.querySelector('[data-testid="stChatInputTextArea"]');
      if (box) { event.preventDefault(); box.focus(); }
    }
  };

  document.addEventListener("click", clicked);
  document.addEventListener("keydown", pressed);
  if (data && data.open && window.tekioOpen !== data.open) {
    // The panel is drawn by the same run as this, and Streamlit follows the end of a page that grows: so a while after.
    const show = () => {
      const panel = document.querySelector(".tk-panel");
      if (!panel) return;
      const { top, bottom } = panel.getBoundingClientRect();
      if (top < 60 || bottom > window.innerHeight * 0.6) panel.scrollIntoView({ block: "start" });
      panel.focus({ preventScroll: true });
    };
    setTimeout(show, 150);
    setTimeout(show, 600);
  }
  window.tekioOpen = data ? data.open : "";
  return () => {
    document.removeEventListener("click", clicked);
    document.removeEventListener("keydown", pressed);
  };
}
"""
_SOURCE = re.compile(r"(\d{1,5}):(\d{1,3})")
_KEY = "signals"


def listen(opened: tuple[int, int] | None) -> tuple[int, int] | None:
    """Put the script on the page; return the source that was just clicked, as (turn, marker).

    Args:
        opened: the source whose panel the page shows, to which the browser then moves.
    """
    component = st.components.v2.component("tekio_signals", js=_SCRIPT)
    shown = "" if opened is None else f"{opened[0]}:{opened[1]}"
    result = component(
        key=_KEY, data={"open": shown}, on_source_change=lambda: None, width="content", height="content"
    )
    found = _SOURCE.fullmatch(str(getattr(result, "source", None) or ""))
    return (int(found[1]), int(found[2])) if found else None
