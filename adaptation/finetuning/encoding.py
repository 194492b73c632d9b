"""Rows as token ids: the prompt as it is when answering, the answer, and the token that ends the turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adaptation.training_sets.rows import ChatRow, Message, PairRow, TextRow
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

_TEXT_OVERLAP = 32
"""Tokens that two pieces of a long text share."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A row as ids: `prompt` is read, `answer` is learned. A text is all answer but its first token."""

    id: str
    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows as ids; `too_long` are the ids of rows that do not fit the window, which are left out, never cut."""

    rows: tuple[Encoded, ...]
    too_long: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """All tokens, those that are read included."""
        return sum(map(len, self.rows))

    @property
    def learned(self) -> int:
        """The tokens that the loss is on."""
        return sum(len(row.answer) for row in self.rows)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A prompt with a better and a worse answer, each with the token that ends it."""

    id: str
    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class EncodedPairs:
    """Pairs as ids; `too_long` as of `EncodedRows`."""

    rows: tuple[EncodedPair, ...]
    too_long: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """All tokens of both answers, each with its prompt."""
        return sum(2 * len(row.prompt) + len(row.chosen) + len(row.rejected) for row in self.rows)

    @property
    def learned(self) -> int:
        """The tokens of the answers."""
        return sum(len(row.chosen) + len(row.rejected) for row in self.rows)


def encode_pairs(tokenizer: ChatTokenizer, rows: Iterable[PairRow], *, window: int) -> EncodedPairs:
    """Encode pairs of answers; those that do not fit the window are left out."""
    found: list[EncodedPair] = []
    too_long: list[str] = []
    for row in rows:
        pair = EncodedPair(
            row.id,
            tuple(tokenizer.encode_chat([message.model_dump() for message in row.prompt])),
            _ended(tokenizer, row.chosen[-1]),
            _ended(tokenizer, row.rejected[-1]),
        )
        if len(pair) > window:
            too_long.append(row.id)
        else:
            found.append(pair)
    return EncodedPairs(tuple(found), tuple(too_long))


def _ended(tokenizer: ChatTokenizer, message: Message) -> tuple[int, ...]:
    return tuple(tokenizer.encode_text(message.content) + tokenizer.stop_ids[:1])


def shared_beginning(prompts: Iterable[Sequence[int]]) -> list[int]:
    """Return the ids that all prompts begin with; those of the first one where they begin differently."""
    found: list[int] | None = None
    first: list[int] = []
    for prompt in prompts:
        if found is None:
            found = first = list(prompt)
            continue
        same = next(
            (place for place, (one, other) in enumerate(zip(found, prompt, strict=False)) if one != other),
            None,
        )
        found = found[: len(prompt) if same is None else same]
    return found or first


def encode_rows(tokenizer: ChatTokenizer, rows: Iterable[ChatRow | TextRow], *, window: int) -> EncodedRows:
    """Encode rows; a text that is longer than the window becomes several pieces.

    Args:
        tokenizer: the base model's.
        rows: conversations, of which the last turn is learned, and texts, of which all is.
        window: the most tokens of a row.

    Raises:
        UsageError: the window is too small to hold anything.
    """
    if window < 2 * _TEXT_OVERLAP:
        raise UsageError(f"rows of at most {window} tokens hold nothing: give {2 * _TEXT_OVERLAP} or more")
    found: list[Encoded] = []
    too_long: list[str] = []
    for row in rows:
        if isinstance(row, TextRow):
            found += _pieces(row.id, tokenizer.encode_text(row.text), tokenizer.stop_ids[0], window)
            continue
        encoded = encode_chat(tokenizer, row)
        if len(encoded) > window:
            too_long.append(row.id)
        else:
            found.append(encoded)
    return EncodedRows(tuple(found), tuple(too_long))


def encode_chat(tokenizer: ChatTokenizer, row: ChatRow) -> Encoded:
    """Encode a conversation: its last turn, and the token that ends it, are learned."""
    messages = [message.model_dump() for message in row.messages[:-1]]
    return Encoded(row.id, tuple(tokenizer.encode_chat(messages)), _ended(tokenizer, row.messages[-1]))


def _pieces(name: str, ids: Sequence[int], end: int, window: int) -> list[Encoded]:
    """Return a text in pieces that fit; its end is learned once, with the last."""
    ids = [*ids, end]
    step = window - _TEXT_OVERLAP
    starts = range(0, max(1, len(ids) - _TEXT_OVERLAP), step)
    pieces = []
    for number, start in enumerate(starts):
        piece = ids[start : start + window]
        read = 1 if start == 0 else _TEXT_OVERLAP
        if len(piece) > read:
            pieces.append(Encoded(f"{name}/{number}", tuple(piece[:read]), tuple(piece[read:])))
    return pieces
