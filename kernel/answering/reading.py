"""The words of passages that answer a question, found by a reading model.

An encoder reads question and passage together; two weights a token say how likely an answer begins and ends there. What
they say of the very first token, which is none of the passage, is how likely the passage holds no answer.
Source: Devlin et al., BERT, NAACL 2019, section 4.3; the margin over no answer is that of SQuAD 2.0 there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from retrieval.engines.encoders import Encoder
from retrieval.errors import TekioError
from retrieval.token_counter import encodable

MAX_TOKENS = 384
"""Of question and passage together, as in training; a longer passage is read in windows."""
MAX_QUESTION = 96
QUERY_PREFIX = "query: "
_STRIDE = 64
"""Tokens that two windows share."""
_MOST_WINDOWS = 24
"""Windows that are read for one question, of the best passages first: the rest of what is found is not read."""
_LONGEST = 40
"""Tokens of a span."""
_LIKELY = 40
RANK_COST = 10.0
"""Read on documents of the training sets that were kept out of training, and on data/calibration."""
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """A question with a passage or a part of one, as the model reads them.

    `first` is the place of the first token of the passage, `offsets` where its tokens stand in its text.
    """

    passage: int
    ids: list[int]
    first: int
    offsets: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Reading:
    """The best span of a passage: from `start` to `end` of its text, and by how much it is likelier than no answer.

    `margin` is a difference of log-odds: above 0 the span is likelier than that the passage holds no answer.
    """

    passage: int
    start: int
    end: int
    margin: float


class SpanReader:
    """Reads passages for the answer of a question. Its model is loaded when first needed.

    Where that fails, once, it is told, and nothing is read from then on: answers come without it.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Tokenizer, Encoder, Floats, Floats]],
        *,
        revision: str,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._load = load
        self._say = say
        self.revision = revision
        self._lock = threading.Lock()
        self._loaded: tuple[Tokenizer, Encoder, Floats, Floats] | None = None
        self._failed = False

    def warm_up(self) -> None:
        """Load the model now."""
        with self._lock:
            self._parts()

    def read(self, question: str, texts: Sequence[str]) -> list[Reading] | None:
        """Return the best span of each passage that is read, best first. Blocks; call it from a thread.

        Which passage it is the search tells better than reading does, which never saw two passages at once: a lower
        one comes first only where its span is likelier by `RANK_COST` for each place.

        Args:
            question: what is asked.
            texts: of the passages, best first.

        Returns:
            None where the model cannot be loaded.
        """
        with self._lock:
            parts = self._parts()
            if parts is None:
                return None
            tokenizer, encoder, weights, bias = parts
            windows = list(windows_of(tokenizer, question, texts))[:_MOST_WINDOWS]
            states = encoder.states([window.ids for window in windows]) if windows else []
        best: dict[int, Reading] = {}
        for window, rows in zip(windows, states, strict=True):
            found = best_span(rows @ weights + bias, window, texts[window.passage])
            held = None if found is None else best.get(window.passage)
            if found is not None and (held is None or found.margin > held.margin):
                best[window.passage] = found
        return sorted(best.values(), key=lambda reading: RANK_COST * reading.passage - reading.margin)

    def _parts(self) -> tuple[Tokenizer, Encoder, Floats, Floats] | None:
        if self._loaded is None and not self._failed:
            try:
                self._loaded = self._load()
            except TekioError as error:
                self._failed = True
                self._say(f"answers come without the reading model: {error}")
        return self._loaded


def windows_of(tokenizer: Tokenizer, question: str, texts: Sequence[str]) -> Iterator[Window]:
    """Yield what the model reads: `<s> question </s></s> passage </s>`, a long passage in several windows."""
    begin, end = tokenizer.token_to_id("<s>") or 0, tokenizer.token_to_id("</s>") or 0
    asked = tokenizer.encode(encodable(QUERY_PREFIX + question), add_special_tokens=False).ids[:MAX_QUESTION]
    head = [begin, *asked, end, end]
    room = MAX_TOKENS - len(head) - 1
    for passage, text in enumerate(texts):
        encoding = tokenizer.encode(encodable(text), add_special_tokens=False)
        for start in range(0, max(1, len(encoding.ids) - _STRIDE), room - _STRIDE):
            ids = encoding.ids[start : start + room]
            if ids:
                yield Window(passage, [*head, *ids, end], len(head), encoding.offsets[start : start + room])


def best_span(logits: Floats, window: Window, text: str) -> Reading | None:
    """Return the span of a window whose expected overlap with the right one is the greatest.

    Of the likely spans that is taken, not the likeliest, since several that hold each other share what is likely.
    Source: minimum Bayes risk decoding, Kumar and Byrne, NAACL 2004.

    Args:
        logits: of beginning and end for each token of the window, shape (t, 2).
        window: what was read.
        text: of its passage.
    """
    count = len(window.offsets)
    own = np.asarray(logits[window.first : window.first + count], np.float64)
    scores = own[:, :1] + own[None, :, 1]
    distance = np.arange(count)[None, :] - np.arange(count)[:, None]
    scores[(distance < 0) | (distance >= _LONGEST)] = -np.inf
    flat = scores.ravel()
    likely = np.argsort(-flat, kind="stable")[:_LIKELY]
    likely = likely[np.isfinite(flat[likely])]
    if not len(likely):
        return None
    starts, ends = likely // count, likely % count + 1
    shared = np.maximum(0, np.minimum(ends[:, None], ends) - np.maximum(starts[:, None], starts))
    length = ends - starts
    overlap = 2 * shared / (length[:, None] + length)
    chosen = int((overlap @ np.exp(flat[likely] - flat[likely].max())).argmax())
    start, end = window.offsets[starts[chosen]][0], window.offsets[ends[chosen] - 1][1]
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    none = float(logits[0].sum())
    return Reading(window.passage, start, end, float(flat[likely].max()) - none) if end > start else None
