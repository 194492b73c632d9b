"""The texts of several domains that a mixture of experts learns from, as windows of tokens."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.experts.recipe import ExpertRecipe
from retrieval.errors import UsageError

_SUFFIXES = (".txt", ".md", ".jsonl")
_LEAST_TEXTS = 2
"""Of a domain: one is learned from, one is held out."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Texts as token ids.

    Attributes:
        learned: windows of one length, of all domains, in the order in which they are learned the first time.
        held_out: of each domain, its held-out texts, each as windows, of which the last may be shorter.
        held_texts: the same as they were given, of all domains.
    """

    learned: tuple[tuple[int, ...], ...]
    held_out: Mapping[str, tuple[tuple[tuple[int, ...], ...], ...]]
    held_texts: tuple[str, ...] = ()


def read_domains(folder: Path) -> dict[str, list[str]]:
    """Read the texts of a folder, by domain: a folder within it is one, and so is a file beside them.

    A .txt or .md file is a text, and so is the `text` of each line of a .jsonl file.

    Raises:
        UsageError: there is no such folder, no text in it, or a file is none.
    """
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}: give one whose folders hold the texts of a domain each"
        )
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if hidden or not path.is_file() or path.suffix.lower() not in _SUFFIXES:
            continue
        domain = inside.parts[0] if len(inside.parts) > 1 else path.stem
        found.setdefault(domain, []).extend(text for text in _texts(path) if text.strip())
    found = {domain: texts for domain, texts in found.items() if texts}
    if not found:
        raise UsageError(f"{folder} holds no texts: {', '.join(_SUFFIXES)} files are read")
    for domain, texts in found.items():
        if len(texts) < _LEAST_TEXTS:
            raise UsageError(
                f"the domain {domain} of {folder} has {len(texts)} text, {_LEAST_TEXTS} are the least, as one is held "
                "out: add more, or put it into another domain's folder"
            )
    return found


def read_windows(texts: Path, base: Path, recipe: ExpertRecipe) -> tuple[Windows, str]:
    """Return the texts of a folder as windows, and a hash of them.

    Args:
        texts: folder, see `read_domains`.
        base: folder of the model whose tokenizer cuts them.
        recipe: its window, what is held out, and the rows of a step, of which there must be one at least.

    Raises:
        UsageError: there is no text, or too little; how much is missing is told.
    """
    domains = read_domains(texts)
    encode, end = text_encoder(base)
    found = windows_of(domains, encode, end, window=recipe.window, share=recipe.held_out, seed=recipe.seed)
    _check_enough(found, recipe, texts)
    return found, texts_hash(domains)


def texts_hash(domains: Mapping[str, Sequence[str]]) -> str:
    """Return a hash of texts with their domains."""
    said = json.dumps({name: list(texts) for name, texts in domains.items()}, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def text_encoder(folder: Path) -> tuple[Any, int]:
    """Return a function from a text to its ids, and the id that ends a text, by the tokenizer of a model.

    What looks like a special token in a text is spelled out, not obeyed.

    Raises:
        UsageError: the tokenizer has no token that ends a text.
    """
    from transformers import AutoTokenizer

    made: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if made.eos_token_id is None:
        raise UsageError(f"the tokenizer in {folder} has no token that ends a text")
    words = made.backend_tokenizer
    words.encode_special_tokens = True
    return (lambda text: words.encode(text, add_special_tokens=False).ids), int(made.eos_token_id)


def windows_of(
    domains: Mapping[str, Sequence[str]], encode: Any, end: int, *, window: int, share: float, seed: int
) -> Windows:
    """Return texts as windows; of each domain some texts are held out, whole.

    Args:
        domains: at least two texts each.
        encode: gives the ids of a text.
        end: id that ends a text.
        window: tokens of a window.
        share: of the texts of a domain that are held out, one at least.
        seed: decides which are, and the order.
    """
    learned: list[tuple[int, ...]] = []
    held_out: dict[str, tuple[tuple[tuple[int, ...], ...], ...]] = {}
    held_texts: list[str] = []
    for domain, texts in sorted(domains.items()):
        drawn = random.Random(f"{seed}:{domain}")  # noqa: S311 - no secret
        order = list(texts)
        drawn.shuffle(order)
        held = max(1, round(share * len(order)))
        held_out[domain] = tuple(
            tuple(_cut([*encode(text), end], window, whole=False)) for text in order[:held]
        )
        held_texts += order[:held]
        running = [number for text in order[held:] for number in (*encode(text), end)]
        learned += _cut(running, window, whole=True)
    random.Random(seed).shuffle(learned)  # noqa: S311 - no secret
    return Windows(tuple(learned), held_out, tuple(held_texts))


def in_order(learned: Sequence[tuple[int, ...]], count: int, *, seed: int) -> list[tuple[int, ...]]:
    """Return as many windows as a training takes: all of them in one order, then in another one, and so on."""
    taken: list[tuple[int, ...]] = []
    epoch = 0
    while len(taken) < count:
        order = list(learned)
        if epoch:
            random.Random(f"{seed}:{epoch}").shuffle(order)  # noqa: S311 - no secret
        taken += order
        epoch += 1
    return taken[:count]


def _cut(ids: Sequence[int], window: int, *, whole: bool) -> Iterator[tuple[int, ...]]:
    """Yield ids in windows; what is left at the end is one of its own, of two ids at least, unless all are whole."""
    for start in range(0, len(ids), window):
        piece = tuple(ids[start : start + window])
        if len(piece) == window or (not whole and len(piece) > 1):
            yield piece


def _check_enough(windows: Windows, recipe: ExpertRecipe, texts: Path) -> None:
    """Check that there is a step's worth of text, and text to measure on.

    Raises:
        UsageError: there is not; how much is missing is told.
    """
    missing = recipe.rows - len(windows.learned)
    if missing > 0:
        raise UsageError(
            f"the texts in {texts} give {len(windows.learned):,} windows of {recipe.window} tokens, {recipe.rows} are "
            f"the least, those of a step: add {missing * recipe.window:,} tokens of text, or give a smaller --window"
        )
    empty = [domain for domain, held in windows.held_out.items() if not any(held)]
    if empty:
        raise UsageError(f"the held-out texts of the domain {empty[0]} have no two tokens: add longer ones")


def _texts(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as UTF-8 text ({error})") from error
    if path.suffix.lower() != ".jsonl":
        return [text]
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"line {number} of {path} is no JSON ({error})") from error
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise UsageError(f"line {number} of {path} has no `text`")
        found.append(row["text"])
    return found
