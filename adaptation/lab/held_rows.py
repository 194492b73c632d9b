"""The rows of a training set, conversations and texts together, and what a model makes of them.

Importing this imports nothing heavy; `losses_of` imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptation.finetuning.encoding import Encoded, encode_rows
from adaptation.training_sets.card import check_set
from adaptation.training_sets.rows import FILES, ChatRow, TextRow, read_rows
from kernel.chat.chat_tokens import ChatTokenizer
from retrieval.errors import UsageError

_LEAST = 2


def lab_rows(tokenizer: ChatTokenizer, data: Path, part: str, *, window: int, most: int = 0) -> list[Encoded]:
    """Return the conversations and texts of a part of a set as ids; those beyond the window are left out.

    Args:
        tokenizer: the model's.
        data: folder of the set.
        part: `train`, `held_out` or `test`.
        window: tokens of a row, at most.
        most: rows, conversations first; 0 sets no limit.

    Raises:
        UsageError: a file of the set is broken.
    """
    rows = encode_rows(tokenizer, plain_rows(data, part), window=window).rows
    return list(rows[: most or None])


def plain_rows(data: Path, part: str) -> list[ChatRow | TextRow]:
    """Return the conversations and texts of a part of a set.

    Raises:
        UsageError: a file of the set is broken.
    """
    chats, texts = data / part / FILES[ChatRow], data / part / FILES[TextRow]
    return [
        *(read_rows(chats, ChatRow) if chats.is_file() else []),
        *(read_rows(texts, TextRow) if texts.is_file() else []),
    ]


def learned_and_held(
    tokenizer: ChatTokenizer, data: Path, *, window: int, most_held: int = 64
) -> tuple[list[Encoded], list[Encoded], str]:
    """Return the rows that are learned and those that are measured on, and the hash of the set.

    Raises:
        UsageError: the set is none or broken, or has too few rows for either.
    """
    card = check_set(data)
    learned = lab_rows(tokenizer, data, "train", window=window)
    held = lab_rows(tokenizer, data, "held_out", window=window, most=most_held)
    for name, rows in (("learn from", learned), ("measure on", held)):
        if len(rows) < _LEAST:
            raise UsageError(
                f"{data} has {len(rows)} rows of at most {window} tokens to {name}, {_LEAST} are the least: make the "
                "set of more documents (`tekio adapt dataset`), or raise --window"
            )
    return learned, held, card.hash


def texts_of(data: Path, part: str, *, most: int = 0) -> list[str]:
    """Return what a part of a set says, a text a row: texts as they are, of conversations the answer.

    Raises:
        UsageError: a file of the set is broken.
    """
    rows = plain_rows(data, part)[: most or None]
    return [row.text if isinstance(row, TextRow) else row.answer for row in rows]


def losses_of(model: Any, rows: Sequence[Encoded]) -> NDArray[np.float64]:
    """Return the mean loss of each row's learned tokens, in nats, shape (rows,); the model is left as it is.

    Args:
        model: of transformers; it is computed where it is.
        rows: each with something to learn.
    """
    import torch
    from torch.nn import functional

    was_training = model.training
    model.eval()
    found = np.empty(len(rows))
    with torch.inference_mode():
        for number, row in enumerate(rows):
            ids = torch.tensor([[*row.prompt, *row.answer[:-1]]], device=model.device)
            wanted = torch.tensor(row.answer, device=model.device)
            logits = model(input_ids=ids, use_cache=False, logits_to_keep=len(wanted)).logits[0]
            found[number] = float(functional.cross_entropy(logits.float(), wanted))
    model.train(was_training)
    return found


def perplexity(losses: NDArray[np.float64], rows: Sequence[Encoded]) -> float:
    """Return the perplexity of a token, of the losses of rows by their tokens, not the mean of rows."""
    counts = np.array([len(row.answer) for row in rows], np.float64)
    return float(np.exp((losses * counts).sum() / counts.sum()))
