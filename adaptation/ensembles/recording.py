"""The answers of an ensemble's members to a set of questions, recorded once, so that fits and reports cost nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kernel.answer import Answer
from kernel.app import Tekio
from kernel.ensembles.settings import EnsembleSettings, MemberSettings
from retrieval.whole_files import write_whole

_EVERY = 10


@dataclass(frozen=True, slots=True)
class Asking:
    """A question to be recorded: `group` names what may not be both learned from and measured on, its document.

    `worth` says what an answer to it is worth, 0 to 1; `refused` what a refusal is; `f1` its token F1 with an expected
    one, where there is one.
    """

    id: str
    question: str
    group: str
    worth: Callable[[Answer], float]
    refused: float
    where: tuple[str, ...] = ()
    f1: Callable[[Answer], float] | None = None


class Recorded(BaseModel):
    """What a member answered to a question, or why it did not."""

    model_config = ConfigDict(frozen=True)

    id: str
    member: str
    answer: Answer | None
    error: str = ""
    ms: float = 0.0


Records = dict[tuple[str, str], Recorded]
"""By the id of the question and the name of the member."""


class Journal:
    """A file of JSON lines: what the answers depend on, then an answer a line; each outlives a kill."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path = path
        self._about = json.dumps(about, ensure_ascii=False, sort_keys=True)

    def read(self) -> Records:
        """Return what is recorded; nothing where that was with other members, documents or another program."""
        lines = self._lines()
        if next(lines, None) != self._about:
            return {}
        found: Records = {}
        for line in lines:
            try:
                one = Recorded.model_validate_json(line)
            except ValidationError:
                continue  # cut by a kill
            found[one.id, one.member] = one
        return found

    def begin(self, kept: Records) -> None:
        """Write anew what is kept, so that further answers can be added.

        Raises:
            TekioError: it cannot be written.
        """
        lines = [self._about, *(one.model_dump_json() for one in kept.values())]
        write_whole(self.path, "\n".join(lines) + "\n")

    def add(self, one: Recorded) -> None:
        """Add an answer."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(one.model_dump_json() + "\n")

    def _lines(self) -> Iterator[str]:
        try:
            yield from self.path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return


async def record(
    tekio: Tekio,
    askings: Sequence[Asking],
    told: EnsembleSettings,
    path: Path,
    *,
    say: Callable[[str], None],
) -> Records:
    """Ask every member every question that is not recorded yet; return all that is.

    Args:
        tekio: answers.
        askings: the questions.
        told: what the settings say of the ensemble.
        path: of the journal.
        say: is told of progress.

    Raises:
        TekioError: the journal cannot be written, or a member is not there.
    """
    journal = Journal(path, await tekio.recorded_with(told.asks))
    done = journal.read()
    wanted = [(each, member) for member in told.members for each in askings]
    missing = [(each, member) for each, member in wanted if (_key(each), member.name) not in done]
    if len(missing) < len(wanted):
        say(f"{len(wanted) - len(missing):,} of {len(wanted):,} answers are recorded already")
    journal.begin(done)
    for count, (each, member) in enumerate(missing, start=1):
        one = await _record(tekio, each, member, told.seconds)
        journal.add(one)
        done[one.id, one.member] = one
        if count % _EVERY == 0 or count == len(missing):
            say(f"{count:,} of {len(missing):,} answers, {member.name}")
    return {(each.id, member.name): done[_key(each), member.name] for each, member in wanted}


async def _record(tekio: Tekio, asking: Asking, member: MemberSettings, seconds: float) -> Recorded:
    began = time.perf_counter()
    answer, error = await tekio.ask_member(asking.question, member, where=asking.where, seconds=seconds)
    ms = round(1000 * (time.perf_counter() - began), 1)
    return Recorded(id=_key(asking), member=member.name, answer=answer, error=error, ms=ms)


def _key(asking: Asking) -> str:
    """Return what names a question with its filters, whatever file it is in."""
    return json.dumps([asking.question, list(asking.where)], ensure_ascii=False)
