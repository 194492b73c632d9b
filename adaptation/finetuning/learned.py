"""What a method learns from a training set, as token ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaptation.finetuning.encoding import EncodedPairs, EncodedRows, encode_pairs, encode_rows
from adaptation.finetuning.methods import Method
from adaptation.training_sets.rows import FILES, ChatRow, PairRow, TextRow, read_rows
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

Learned = EncodedRows | EncodedPairs
_LEAST_ROWS = 2


def read_learned(
    tokenizer: ChatTokenizer, data: Path, part: str, method: Method, window: int, *, most: int = 0
) -> Learned:
    """Return the rows of a part of a set that a method learns from; of `rlhf` those whose prompts it answers.

    Args:
        tokenizer: the base's.
        data: folder of the set.
        part: `train` or `held_out`.
        method: that learns.
        window: tokens of a row, at most.
        most: rows, the first ones; 0 sets no limit. A set's rows stand in random order.

    Raises:
        UsageError: a file of the set is broken, or teaches to refuse and nothing else.
    """
    if method.learns == "pairs":
        pairs = data / part / FILES[PairRow]
        held = read_rows(pairs, PairRow) if pairs.is_file() else []
        return encode_pairs(tokenizer, held[: most or None], window=window)
    rows: list[ChatRow | TextRow] = []
    chats, texts = data / part / FILES[ChatRow], data / part / FILES[TextRow]
    if method.learns == "texts":
        rows += read_rows(texts, TextRow) if texts.is_file() else []
    elif chats.is_file():
        chosen = [row for row in read_rows(chats, ChatRow) if not method.kinds or row.kind in method.kinds]
        if (
            part == "train"
            and method.learns == "answers"
            and chosen
            and all(row.kind == "refusal" for row in chosen)
        ):
            raise UsageError(
                f"all rows of {chats} are refusals, from which it would learn to refuse everything: make grounded rows "
                "too (`tekio adapt dataset --kinds grounded,refusal`)"
            )
        rows += chosen
    return encode_rows(tokenizer, rows[: most or None], window=window)


def check_rows(rows: Learned, data: Path, method: Method, say: Callable[[str], None]) -> None:
    """Check that there is enough to learn from, and tell what is left out.

    Raises:
        UsageError: there are too few rows.
    """
    if rows.too_long:
        say(
            f"{len(rows.too_long):,} rows are longer than the window and are left out, e.g. {rows.too_long[0]}: "
            "raise --window to learn them"
        )
    if len(rows.rows) < _LEAST_ROWS:
        wanted = {"pairs": ("preference",), "texts": ("text",)}.get(method.learns, method.kinds)
        kinds = f" of the kinds {', '.join(wanted)}" if wanted else ""
        raise UsageError(
            f"{data} has {len(rows.rows)} rows to learn from by {method.name}{kinds}, {_LEAST_ROWS} are the least: "
            "`tekio adapt dataset` makes more"
        )
