"""The figures of an answer for which a model is needed, and the judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from evaluation.answers.faithfulness import Entailment, Faithfulness, OwnCheck, Relevance
from evaluation.answers.items import Item
from evaluation.answers.judge import WORTH, Judge
from evaluation.answers.metrics import Scores
from evaluation.answers.writers import local_writer, remote_writer
from kernel.answer import Answer
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.variant_names import BASE
from retrieval.errors import UsageError

RELEVANCE = ("answer", "questions")


@dataclass(frozen=True, slots=True)
class ExtrasPlan:
    """By which models answers are scored.

    Attributes:
        entailment: name or folder of an entailment model; None takes the program's own check.
        relevance: what the question is compared with: the `answer`, or `questions` that a language model writes
            from it.
        judge: a variant of this machine, or with `judge_url` a model of a server; None grades nothing.
        judge_url: of a server that speaks the OpenAI protocol.
        judge_revision: of the server's model, which the server does not tell.
        judge_key: the server's key, which is written nowhere.
    """

    entailment: str | None = None
    relevance: str = RELEVANCE[0]
    judge: str | None = None
    judge_url: str | None = None
    judge_revision: str | None = None
    judge_key: str | None = None


class Extras:
    """Scores an answer by models. Blocks."""

    def __init__(self, faithfulness: Faithfulness, relevance: Relevance, judge: Judge | None) -> None:
        self._faithfulness = faithfulness
        self._relevance = relevance
        self.judge = judge

    def methods(self) -> dict[str, str]:
        """Say how each figure is told."""
        return {"faithfulness": self._faithfulness.method, "relevance": self._relevance.method}

    def __call__(self, item: Item, answer: Answer) -> tuple[Scores, str | None]:
        """Return the figures of an answer, and the judge's grade."""
        scores: Scores = {
            "faithfulness": self._faithfulness(answer),
            "relevance": self._relevance(item.question, answer),
        }
        if self.judge is None:
            return scores, None
        grade = self.judge.grade(item, answer)
        scores["judge"] = None if grade is None else WORTH[grade]
        return scores, grade


def make_extras(plan: ExtrasPlan, tekio: Tekio, say: Callable[[str], None]) -> Extras:
    """Return what scores answers by models, which are found now and loaded when first used.

    Raises:
        UsageError: a model is not there or of the wrong kind, or a server's model has no revision.
    """
    settings = tekio.settings
    faithfulness: Faithfulness = OwnCheck()
    if plan.entailment is not None:
        models = ModelStore(settings.cache, offline=settings.offline, on_message=say)
        found = models.resolve(plan.entailment)
        faithfulness = Entailment(found.folder, model=found.name, revision=found.revision)
    judge = _judge(plan, tekio, say)
    if plan.relevance not in RELEVANCE:
        raise UsageError(f"relevance is by {' or '.join(RELEVANCE)}, not '{plan.relevance}'")
    relevance = Relevance(tekio.embedder)
    if plan.relevance == "questions":
        if judge is not None:
            relevance = Relevance(tekio.embedder, write=judge.write, writer=f"{judge.name} {judge.revision}")
        else:
            write, writer = local_writer(BASE, settings, say=say)
            relevance = Relevance(tekio.embedder, write=write, writer=writer)
    return Extras(faithfulness, relevance, judge)


def _judge(plan: ExtrasPlan, tekio: Tekio, say: Callable[[str], None]) -> Judge | None:
    if plan.judge is None:
        if plan.judge_url or plan.judge_revision:
            raise UsageError("name the judge: --judge MODEL goes with --judge-url and --judge-revision")
        return None
    if plan.judge_url is None:
        write, revision = local_writer(plan.judge, tekio.settings, say=say)
        return Judge(plan.judge, revision, write)
    if not plan.judge_revision:
        raise UsageError(
            f"pin the judge {plan.judge}: --judge-revision names the version that the server runs, "
            "so that its grades can be compared later"
        )
    write = remote_writer(plan.judge_url, plan.judge, key=plan.judge_key)
    return Judge(plan.judge, plan.judge_revision, write)
