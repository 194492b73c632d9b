"""A teacher and a student in, the student that it taught out, held against the same student without a teacher.

Importing this imports nothing heavy; the functions import torch and transformers.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from adaptation.finetuning.encoding import Encoded, encode_rows
from adaptation.lab.distilling.plan import DistilPlan
from adaptation.lab.held_rows import lab_rows, learned_and_held, losses_of, perplexity, plain_rows
from adaptation.lab.models import LabCard, check_model_name, keep_model, read_card
from adaptation.lab.work_folder import digest_of, working
from adaptation.training_sets.rows import ChatRow
from kernel.chat.adapters import base_fingerprint, vocabulary_of
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.comparison import before_and_after
from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

if TYPE_CHECKING:
    from adaptation.finetuning.watching import Progress
    from adaptation.lab.distilling.students import Student

Say = Callable[[str], None]
_LEAST = 2
_ANSWERS = 8
"""What a word of an answer counts against one of a prompt."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is learned by the teacher and without one, what it is stopped by, and what it is measured on."""

    taught: list[Encoded]
    own: list[Encoded]
    held: list[Encoded]
    measured: list[Encoded]
    hash: str


def distil_model(
    teacher: Path,
    student: Path | None,
    out: Path,
    plan: DistilPlan,
    *,
    resume: bool = False,
    force: bool = False,
    say: Say = lambda text: None,
    show: Callable[[Progress], None] | None = None,
) -> LabCard:
    """Teach a student and keep it as a model of the lab; return its card.

    Its figures hold the loss of the teacher, of the student and of the same student without a teacher over rows that
    none learned, each with its perplexity, and `student_against_control` and `student_against_teacher` by the same rows
    with 95 % intervals; `keep_figures` adds those of quality, memory and speed.

    Args:
        teacher: folder of a model.
        student: folder of a model that begins as it is; None makes one of the teacher's layers.
        out: of the student; its name is the variant's.
        plan: how.
        resume: go on with a run that was stopped; it comes to the same.
        force: replace a model of this name, or begin anew where a run was stopped.
        say: is told how it goes.
        show: is told how far a training is, at every step.

    Raises:
        UsageError: a number of the plan is out of range, the set has too few rows, the name is taken, or the student
            has other words than its teacher and predictions were to be compared.
        TekioError: training failed, or a model cannot be loaded or written.
    """
    from adaptation.finetuning.watching import in_lines
    from adaptation.lab.distilling.students import student_in, student_of
    from adaptation.lab.pruning.prune import as_kept

    plan.check()
    beside = out.with_name(control_name(out.name))
    check_model_name(out.name, out.parent, force=force)
    if plan.keep_control:
        check_model_name(beside.name, beside.parent, force=force or resume)
    for folder in filter(None, (teacher, student)):
        if not (folder / "config.json").is_file():
            raise UsageError(f"there is no model in {folder}: name a folder with a config.json")
    begun = student_of(teacher, plan.layers) if student is None else student_in(student, teacher, plan.way)
    tokenizer = ChatTokenizer(begun.folder)
    rows = _rows(tokenizer, plan)
    digest = digest_of(
        plan=plan.as_dict(),
        data=rows.hash,
        teacher=base_fingerprint(teacher),
        student="" if student is None else base_fingerprint(student),
    )
    with working(out, digest, resume=resume, force=force) as work:
        if plan.way == "sequences":
            rows = _written(rows, tokenizer, teacher, plan, work, say)
        taught, card = _taught(begun, teacher, rows, plan, out, work, resume, say, show or in_lines(say))
        if plan.keep_control:
            alone = _trained("control", begun, rows.own, rows, plan, None, work, resume, in_lines(say))[0]
            told = card.model_copy(update={"name": beside.name, "method": "control", "figures": {}})
            keep_model(beside, as_kept(alone, begun.dtype), tokenizer.tokenizer, told, force=force or resume)
        common = _met(rows.taught)
        keep_model(out, as_kept(taught, begun.dtype), tokenizer.tokenizer, card, common=common, force=force)
    return read_card(out)


def _taught(
    begun: Student,
    teacher: Path,
    rows: _Rows,
    plan: DistilPlan,
    out: Path,
    work: Path,
    resume: bool,
    say: Say,
    show: Callable[[Progress], None],
) -> tuple[Any, LabCard]:
    """Return the taught student, and its card with what it is worth; the control is trained on the way."""
    from adaptation.lab.pruning.prune import load

    above = None if plan.way == "sequences" else load(teacher)
    trials: list[Any] = []
    if plan.search:
        from adaptation.lab.distilling.search import search

        plan, trials = search(plan, begun.make, above, begun.reaches, rows.taught, rows.held, work, say)
        say(f"temperature {plan.temperature:g} and mixing {plan.mixing:g} came to the lowest held-out loss")
    losses: dict[str, NDArray[np.float64]] = {"untaught": losses_of(begun.make(), rows.measured)}
    taught, training = _trained("student", begun, rows.taught, rows, plan, above, work, resume, show)
    losses["student"] = losses_of(taught, rows.measured)
    if plan.control:
        say("the same student is trained without a teacher")
        alone, _ = _trained("control", begun, rows.own, rows, plan, None, work, resume, show)
        losses["control"] = losses_of(alone, rows.measured)
    if vocabulary_of(begun.folder) == vocabulary_of(teacher):  # else a token is not a token
        losses["teacher"] = losses_of(above if above is not None else load(teacher), rows.measured)
    card = LabCard(
        name=out.name,
        method="distil",
        base=f"{teacher.name}, of which {begun.name} learned",
        figures=_figures(losses, rows.measured)
        | {"training": training, "search": [asdict(each) for each in trials]},
        recipe=plan.as_dict() | {"data_hash": rows.hash, "teacher": teacher.name, "student": begun.name},
    )
    return taught, card


def control_name(name: str) -> str:
    """Return what the same student without a teacher is called."""
    return f"{name}-control"


def _rows(tokenizer: ChatTokenizer, plan: DistilPlan) -> _Rows:
    own, held, data_hash = learned_and_held(tokenizer, plan.data, window=plan.window)
    measured = lab_rows(tokenizer, plan.data, "test", window=plan.window)
    return _Rows(own, own, held, measured if len(measured) >= _LEAST else held, data_hash)


def _written(
    rows: _Rows, tokenizer: ChatTokenizer, teacher: Path, plan: DistilPlan, work: Path, say: Say
) -> _Rows:
    """Return rows of which those that are taught have the teacher's answers, and the others the set's own to them."""
    from adaptation.lab.distilling.writing import written_rows

    chats = [row for row in plain_rows(plan.data, "train") if isinstance(row, ChatRow)]
    if len(chats) < _LEAST:
        raise UsageError(
            f"{plan.data} has {len(chats)} questions, to which a teacher writes answers; {_LEAST} are the least: make "
            "the set with --kinds grounded or qa, or take --way logits"
        )
    written = written_rows(teacher, chats, work / "written.jsonl", new_tokens=plan.new_tokens, say=say)
    answered = {row.id for row in written}
    taught = encode_rows(tokenizer, written, window=plan.window).rows
    # The same questions, so that only who answered them differs.
    alone = encode_rows(tokenizer, [row for row in chats if row.id in answered], window=plan.window).rows
    return replace(rows, taught=list(taught), own=list(alone))


def _trained(
    name: str,
    begun: Student,
    learned: Sequence[Encoded],
    rows: _Rows,
    plan: DistilPlan,
    teacher: Any,
    work: Path,
    resume: bool,
    show: Callable[[Progress], None],
) -> tuple[Any, dict[str, Any]]:
    """Return a trained student, and how its training went; one that was done before a kill is loaded."""
    import json

    from transformers import AutoModelForCausalLM

    from adaptation.lab.distilling.training import train_student
    from retrieval.whole_files import write_whole

    whole, told = work / f"{name}-whole", work / f"{name}.json"
    if told.is_file():  # written last
        found: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
        with building_in_turn():
            return AutoModelForCausalLM.from_pretrained(whole, local_files_only=True), found
    model = begun.make()
    trained = train_student(
        model,
        learned,
        rows.held,
        plan,
        work / name,
        teacher=teacher,
        reaches=begun.reaches,
        resume=resume,
        show=show,
    )
    facts = trained.as_dict() | {"rows": len(learned)}
    shutil.rmtree(whole, ignore_errors=True)
    model.save_pretrained(str(whole))
    write_whole(told, json.dumps(facts) + "\n")
    shutil.rmtree(work / name, ignore_errors=True)
    return model, facts


def _met(rows: Sequence[Encoded]) -> Counter[int]:
    """Return how often words were met in what was learned; those of answers, which are what is written, count more."""
    met: Counter[int] = Counter()
    for row in rows:
        met.update(row.prompt)
        for word in row.answer:
            met[word] += _ANSWERS
    return met


def _figures(losses: dict[str, NDArray[np.float64]], rows: Sequence[Encoded]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {"loss": float(each.mean()), "perplexity": perplexity(each, rows)}
        for name, each in losses.items()
    }
    for other in ("untaught", "control", "teacher"):
        if other in losses:
            found[f"student_against_{other}"] = before_and_after(losses[other], losses["student"]) | {
                "rows": len(rows)
            }
    return {"test": found}


__all__ = ["DistilPlan", "control_name", "distil_model"]
