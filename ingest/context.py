"""What is put before a chunk when it is embedded: the title and the headings it stands under."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from retrieval.markup import without_markup
from retrieval.records import CONTEXT_SEPARATOR, Chunk, context_parts

CountTokens = Callable[[Sequence[str]], list[int]]


def heading_context(title: str, headings: Sequence[str], text: str = "") -> str:
    """Return `title > heading > heading`, without what is repeated or what the text begins with."""
    parts = context_parts(title, headings)
    opening: set[str] = set()
    for line in text[:2000].split("\n"):
        words = " ".join(line.split())
        if words and words not in parts:
            break
        opening.add(words)
    return CONTEXT_SEPARATOR.join(part for part in parts if part not in opening)


class ContextFitter:
    """Cuts titles and headings to a third of what an embedder takes, and remembers what it cut."""

    def __init__(self, count_tokens: CountTokens, max_tokens: int) -> None:
        self._count = count_tokens
        self._limit = max_tokens // 3
        self._fitted: dict[tuple[str, tuple[str, ...]], tuple[str, tuple[str, ...], int]] = {}

    def prepare(self, pairs: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Count many at once, which costs far less than one by one; only the long ones are left to `fit`."""
        wanted = [pair for pair in dict.fromkeys(pairs) if pair not in self._fitted]
        contexts = [heading_context(title, headings) for title, headings in wanted]
        counts = self._count(contexts) if contexts else []
        for (title, headings), tokens in zip(wanted, counts, strict=True):
            if tokens <= self._limit:
                self._fitted[title, headings] = (title, headings, tokens)

    def fit(self, title: str, headings: tuple[str, ...]) -> tuple[str, tuple[str, ...], int]:
        """Return the title and the headings that fit, and the tokens they take together.

        The outer headings go first, because the inner ones say most; then what is left is shortened.
        """
        key = (title, headings)
        if key not in self._fitted:
            self._fitted[key] = self._fit(title, headings)
        return self._fitted[key]

    def _fit(self, title: str, headings: tuple[str, ...]) -> tuple[str, tuple[str, ...], int]:
        kept = headings
        while True:
            context = heading_context(title, kept)
            tokens = self._count([context])[0] if context else 0
            if tokens <= self._limit:
                return title, kept, tokens
            if len(kept) > 1:
                kept = kept[1:]
            elif len(title) >= len(kept[0] if kept else ""):
                title = title[: len(title) // 2].rstrip()
            else:
                kept = (kept[0][: len(kept[0]) // 2].rstrip(),)
            kept = tuple(heading for heading in kept if heading)


def embedding_texts(
    chunks: Sequence[Chunk],
    title: str,
    count_tokens: CountTokens,
    max_tokens: int,
    *,
    fitter: ContextFitter | None = None,
) -> list[str]:
    """Return the text that is embedded for each chunk: its context, a line end, its text, without tags of HTML.

    With the arguments that `chunk_document` had, each is within `max_tokens`.
    """
    fitter = fitter or ContextFitter(count_tokens, max_tokens)
    fitter.prepare((title, chunk.headings) for chunk in chunks)
    texts = []
    for chunk in chunks:
        short, headings, _ = fitter.fit(title, chunk.headings)
        context = heading_context(short, headings, chunk.text)
        texts.append(without_markup(f"{context}\n{chunk.text}" if context else chunk.text))
    return texts
