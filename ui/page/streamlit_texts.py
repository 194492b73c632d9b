"""What Streamlit itself says, in the language of the page: it speaks English alone, and offers no way to change that.

A script on the page puts the texts of `streamlit_texts.toml` in the place of Streamlit's own, as they appear. What this
page, documents and models say is left alone: it stands in other elements.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import streamlit as st

_FILE = Path(__file__).with_name("streamlit_texts.toml")
_PART = "(.+)"
_SCRIPT = """
export default function (component) {
  const { language, exact, patterns } = component.data;
  document.documentElement.lang = language;
  const known = new Map(Object.entries(exact));
  const rules = patterns.map(([from, to]) => [new RegExp(from, "s"), to]);
  const names = ["aria-label", "title", "placeholder"];
  const ours = '[data-testid="stHtml"], [data-testid="stMarkdownContainer"], [data-testid="stCode"], style, script';

  const said = (text, choice) => {
    const plain = text.trim();
    if (!plain || plain.length > 300) return null;
    if (!choice && known.has(plain)) return known.get(plain);
    for (const [from, to] of rules) {
      const found = plain.match(from);
      if (found) return to.replace("(.+)", () => found[1]);
    }
    return null;
  };
  const text = (node) => {
    const parent = node.parentElement;
    if (!parent || parent.closest(ours)) return;
    // Among what can be chosen are names that people gave.
    const other = said(node.nodeValue, parent.closest('[role="option"]:not([aria-disabled="true"])') !== null);
    if (other !== null) node.nodeValue = other;
  };
  const attribute = (element, name) => {
    const value = element.getAttribute(name);
    // A thing that was chosen is a SPAN, named by what people gave.
    if (value === null || element.tagName === "SPAN" || element.closest('[data-testid="stHtml"]')) return;
    const other = said(value, false);
    if (other !== null) element.setAttribute(name, other);
  };
  const all = (root) => {
    if (root.nodeType === Node.TEXT_NODE) { text(root); return; }
    if (root.nodeType !== Node.ELEMENT_NODE || root.closest('[data-testid="stHtml"]')) return;
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) text(texts.currentNode);
    const named = [root, ...root.querySelectorAll("[aria-label], [title], [placeholder]")];
    for (const element of named) for (const name of names) attribute(element, name);
  };
  // In another language this is called again: two that watch would undo each other's work for ever.
  window.tekioWatcher?.disconnect();
  const watcher = window.tekioWatcher = new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "childList") change.addedNodes.forEach(all);
      else if (change.type === "characterData") text(change.target);
      else attribute(change.target, change.attributeName);
    }
  });
  all(document.body);
  watcher.observe(document.body, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: names,
  });
  return () => watcher.disconnect();
}
"""


def speak(language: str) -> None:
    """Put the script on the page, once in each run.

    Args:
        language: in which Streamlit's texts are to be; going back to English gives those that it had.
    """
    component = st.components.v2.component("tekio_texts", js=_SCRIPT)
    component(
        key="streamlit_texts",
        data={"language": language, **_replaced(language)},
        width="content",
        height="content",
    )


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Read the texts: `exact` ones and `patterns`, in English and Japanese."""
    held: dict[str, dict[str, str]] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return held


def _replaced(language: str) -> dict[str, object]:
    """Return what is replaced: English by Japanese, or the way back."""
    held = texts()
    there = language == "ja"
    exact = dict(held["exact"]) if there else {ja: en for en, ja in held["exact"].items()}
    rules = []
    for en, ja in held["patterns"].items():
        plain = en.replace("\\.", ".")
        rules.append([f"^{en}$", ja] if there else [f"^{_escaped(ja)}$", plain])
    return {"exact": exact, "patterns": rules}


def _escaped(text: str) -> str:
    return _PART.join(map(re.escape, text.split(_PART)))
