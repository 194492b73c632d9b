"""Rows by which a model keeps what it can do: general requests, with the answers that the base itself gives.

An adapter that only sees passages and refusals refuses everything else too. Learning the base's own words on other
requests beside them holds it there, without a word of anybody else's (Huang et al., "Mitigating Catastrophic Forgetting
in Large Language Models with Self-Synthesized Rehearsal", ACL 2024). None of the requests is one of the general set by
which forgetting is measured.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from adaptation.training_sets.rows import ChatRow, Message
from ingest.sentences import split_sentences

DETAIL = "rehearsal"
_DATA = Path(__file__).parent / "rehearsal.json"
_FILLER = re.compile(r"\{(\w+)\}")
_ENDS = (".", "!", "?", "。")
_TRIES = 3
"""Requests that are answered for each row that is wanted, at most: some answers come to no end."""


def requests(seed: int) -> Iterator[str]:
    """Yield different general requests in random order, as many as there are."""
    held = json.loads(_DATA.read_text(encoding="utf-8"))
    drawn = random.Random(seed)  # noqa: S311 - no secret
    found: dict[str, None] = {}
    for _ in range(40):
        asks = list(held["asks"])
        drawn.shuffle(asks)
        for ask in asks:
            text = _FILLER.sub(lambda name: drawn.choice(held["fillers"][name[1]]), ask)
            if text not in found:
                found[text] = None
                yield text


def whole_sentences(text: str) -> str | None:
    """Return a text that was cut up to the end of its last whole sentence; None where there is none."""
    sentences = [text[start:end].strip() for start, end in split_sentences(text)]
    while sentences and not sentences[-1].endswith(_ENDS):
        sentences.pop()
    return text[: text.rindex(sentences[-1]) + len(sentences[-1])].strip() if sentences else None


def rehearsal_rows(
    count: int,
    answer: Callable[[str], str | None],
    *,
    seed: int,
    say: Callable[[str], None] = lambda text: None,
) -> list[ChatRow]:
    """Return rows of general requests with the base's answers.

    Args:
        count: of the rows; fewer where the base ends too few of its answers.
        answer: the base's answer to a request; None where it came to no end.
        seed: decides which requests.
        say: is told how it goes.
    """
    rows: list[ChatRow] = []
    for number, request in enumerate(requests(seed)):
        if len(rows) >= count or number >= _TRIES * count:
            break
        text = answer(request)
        if text:
            messages = (Message(role="user", content=request), Message(role="assistant", content=text))
            name = f"rehearsal:{len(rows)}"
            rows.append(
                ChatRow(id=name, kind="chat", group=name, source=DETAIL, detail=DETAIL, messages=messages)
            )
            if len(rows) % 20 == 0:
                say(f"{DETAIL}: {len(rows):,} of {count:,} rows")
    return rows
