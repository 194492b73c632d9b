"""What a teacher writes to the questions of a set, for a student to learn.

Source: Kim and Rush, "Sequence-Level Knowledge Distillation", EMNLP 2016; here what the teacher finds likeliest token
by token, in place of the best of a beam.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from adaptation.training_sets.rows import ChatRow, Message
from kernel.answer import FinishReason
from kernel.chat.generation import Sampling
from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.serving import Serving
from retrieval.errors import UsageError
from retrieval.whole_files import write_whole

_AT_ONCE = 32
_LEAST = 2


def written_rows(
    teacher: Path,
    rows: Sequence[ChatRow],
    journal: Path,
    *,
    new_tokens: int,
    say: Callable[[str], None] = lambda text: None,
) -> list[ChatRow]:
    """Return rows with the teacher's answer in place of their own; one that it did not end is left out.

    Args:
        teacher: folder of the model.
        rows: whose questions are asked.
        journal: file of what was written so far, each line whole: what is in it is not asked again.
        new_tokens: of an answer, at most.
        say: is told how it goes.

    Raises:
        UsageError: too few answers came to an end to learn from.
        TekioError: the teacher cannot be loaded.
    """
    done = _read(journal)
    write_whole(
        journal, "".join(f"{json.dumps([name, text], ensure_ascii=False)}\n" for name, text in done.items())
    )
    missing = [row for row in rows if row.id not in done]
    if missing:
        serving = Serving(precision="auto", slots=8, queue=_AT_ONCE)
        engines = LocalEngines(teacher.name, teacher, serving, engine="auto", dtype="auto", threads=0)
        with closing(engines):
            generator = engines.bind(None).generator
            for start in range(0, len(missing), _AT_ONCE):
                asked = missing[start : start + _AT_ONCE]
                futures = [
                    generator.start(
                        [message.model_dump() for message in row.messages[:-1]],
                        Sampling(max_new_tokens=new_tokens),
                    )
                    for row in asked
                ]
                with journal.open("a", encoding="utf-8") as file:
                    for row, future in zip(asked, futures, strict=True):
                        found = future.result()
                        text = found.text.strip() if found.finish_reason is FinishReason.STOP else ""
                        done[row.id] = text
                        file.write(json.dumps([row.id, text], ensure_ascii=False) + "\n")
                        file.flush()
                say(f"the teacher wrote {start + len(asked):,} of {len(missing):,} answers")
    made = [
        row.model_copy(
            update={"messages": (*row.messages[:-1], Message(role="assistant", content=done[row.id]))}
        )
        for row in rows
        if done[row.id]
    ]
    if len(made) < _LEAST:
        raise UsageError(
            f"of {len(rows):,} answers of the teacher {len(made)} came to an end within {new_tokens} tokens, "
            f"{_LEAST} are the least to learn from: raise --new-tokens, or take another teacher"
        )
    return made


def _read(journal: Path) -> dict[str, str]:
    """Return the answers by the ids of their rows; a line that a kill cut is left out."""
    found: dict[str, str] = {}
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            name, text = json.loads(line)
        except (ValueError, TypeError):
            continue
        found[str(name)] = str(text)
    return found
