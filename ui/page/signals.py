"""What a person does with the parts that the page draws as HTML: a source clicked, an answer copied, a key pressed.

The script is ours alone and the same for everyone; what documents and models wrote stays in the escaped HTML, of which
it reads attributes that are ours too. The text to copy is one: it goes to the clipboard and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import streamlit as st

_SCRIPT = """
export default function (component) {
  const { setTriggerValue } = component;
  const closest = (event, selector) => event.target instanceof Element ? event.target.closest(selector) : null;

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch (error) { /* no secure context */ }
    const area = document.createElement("textarea");
    area.value = text; document.body.appendChild(area); area.select();
    const done = document.execCommand("copy"); area.remove(); return done;
  };

  // What was opened is drawn by a later run of the page, and Streamlit follows the end of a page that grows: so the
  // panel is waited for, and looked at once more when it has settled.
  const reveal = (name) => {
    let tries = 0;
    const timer = setInterval(() => {
      const panel = document.querySelector(`.tk-panel[data-for="${name}"]`);
      if (!panel && ++tries < 60) return;
      clearInterval(timer);
      if (!panel) return;
      const show = () => {
        const { top } = panel.getBoundingClientRect();
        if (top < 60 || top > window.innerHeight * 0.5) panel.scrollIntoView({ block: "start" });
        panel.focus({ preventScroll: true });
      };
      let moved = false;  // from here on what the person does is left alone
      for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
        window.addEventListener(kind, () => { moved = true; }, { once: true, passive: true });
      }
      for (const later of [0, 500, 1500]) setTimeout(() => { if (!moved) show(); }, later);
    }, 100);
  };

  // What was closed gives the focus back to what opened it, or to another source of the same answer. Both are drawn
  // anew by the run that closes it, so it is looked at until it has settled; a person who went on is left alone.
  const giveBack = (name) => {
    let tries = 0, settled = 0;
    const timer = setInterval(() => {
      if (++tries > 80 || settled > 15) { clearInterval(timer); return; }
      if (document.querySelector(`.tk-panel[data-for="${name}"]`)) return;
      const from = document.querySelector(`[data-source="${name}"], [data-document="${name}"]`)
        || document.querySelector(`[data-source^="${name.split(":")[0]}:"]`);
      const at = document.activeElement;
      if (at && at !== document.body) {
        if (at === from) settled++; else clearInterval(timer);
      } else if (from) from.focus({ preventScroll: true });
    }, 100);
  };

  // On a phone the sidebar covers the page: once something was chosen in it, it goes.
  const uncover = () => setTimeout(() => {
    const button = document.querySelector('[data-testid="stSidebarCollapseButton"] button');
    if (button && window.innerWidth <= 640) button.click();
  }, 200);

  const clicked = async (event) => {
    const chosen = '[data-testid="stSidebarNavLink"], .st-key-conversations button, .st-key-clear button';
    if (closest(event, chosen)) { uncover(); return; }
    if (closest(event, ".st-key-close_source button, .st-key-close_document button")) {
      const panel = document.querySelector(".tk-panel");
      if (panel) giveBack(panel.dataset.for);
      return;
    }
    const source = closest(event, "[data-source]");
    if (source) { setTriggerValue("source", source.dataset.source); reveal(source.dataset.source); return; }
    const row = closest(event, "[data-document]");
    if (row) { setTriggerValue("document", row.dataset.document); reveal(row.dataset.document); return; }
    const button = closest(event, "[data-copy]");
    if (!button) return;
    if (await copy(decodeURIComponent(button.dataset.copy))) {
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
  return () => {
    document.removeEventListener("click", clicked);
    document.removeEventListener("keydown", pressed);
  };
}
"""
_SOURCE = re.compile(r"(\d{1,5}):(\d{1,3})")
_DOCUMENT = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was just clicked: a source, as (turn, marker), or a document, by its id."""

    source: tuple[int, int] | None = None
    document: str | None = None


NOTHING = Heard()


def listen() -> Heard:
    """Put the script on the page, once in each run; return what was just clicked."""
    component = st.components.v2.component("tekio_signals", js=_SCRIPT)
    result = component(
        key="signals",
        width="content",
        height="content",
        on_source_change=_nothing,
        on_document_change=_nothing,
    )
    source = _SOURCE.fullmatch(str(getattr(result, "source", None) or ""))
    document = _DOCUMENT.fullmatch(str(getattr(result, "document", None) or ""))
    return Heard((int(source[1]), int(source[2])) if source else None, document[0] if document else None)


def _nothing() -> None:
    """Do nothing: that there is a callback is what makes a name a trigger."""
