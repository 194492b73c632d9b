"""A variant that chooses for each question who answers and how, and keeps what it decided to learn from.

Nothing is learnt here: choosing takes a small network's forward pass, and what is trained elsewhere is read when its
file changes. Where anything is amiss, from a broken file to a member that fails, the safe default answers.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime

from kernel.answer import Answer, AnswerEvent, AskEvent, PassagesEvent, PolicyReport
from kernel.answering.asked import Asked
from kernel.composed.composition import AskMember
from kernel.policies.choosing import Choice, choose
from kernel.policies.experience import experience_of
from kernel.policies.features import FEATURES, features_of
from kernel.policies.network import Network, digest_of, read_policy
from kernel.policies.registry import PolicyFolder
from kernel.policies.rewards import Outcome, Rating
from kernel.policies.settings import ActionSettings, PolicySettings
from kernel.policies.texts import said
from kernel.policies.watching import watch
from kernel.techniques import STEPPED, technique_of
from plugins.memory.decisions import DecisionStore
from plugins.memory.rules import fact_to_remember
from retrieval.analysis import detect_language
from retrieval.errors import TekioError, UsageError
from retrieval.stages import Step

Measure = Callable[[Asked], Awaitable[Mapping[str, float]]]
"""Gives what retrieval measures of a question, see `kernel.policies.features.MEASURED`."""

WATCH_EVERY = 25
"""Decisions after which it is looked whether the policy has become worse than its safe default."""
_LOG = logging.getLogger(__name__)


class PolicyComposition:
    """How a policy answers."""

    is_random = True

    def __init__(
        self,
        name: str,
        settings: PolicySettings,
        folder: PolicyFolder,
        store: DecisionStore,
        *,
        measure: Measure,
        feedback: Callable[[], Sequence[Rating]],
        members: Sequence[str],
        chance: random.Random | None = None,
    ) -> None:
        """Put it together.

        Args:
            name: of the variant.
            settings: of the policy.
            folder: of its files.
            store: keeps what is decided.
            measure: measures a question.
            feedback: gives what people said of answers. Blocks.
            members: the variants of its actions that there are.
            chance: draws.

        Raises:
            UsageError: the policy's file cannot be read or does not fit the settings.
        """
        self._name = name
        self._settings = settings
        self._folder = folder
        self._store = store
        self._measure = measure
        self._feedback = feedback
        self._members = list(members)
        self._chance = chance or random.SystemRandom()
        self._decided = 0
        self._stamp: tuple[int, int] | None = None
        self._network: Network | None = None
        self._revision = ""
        self._broken = ""
        self._reload()
        if self._broken:
            raise UsageError(self._broken)

    @property
    def members(self) -> Sequence[str]:
        """The variants that may be asked."""
        return self._members

    @property
    def revision(self) -> str:
        """What changes with how answers are made: nothing is stored by it, since answers are drawn."""
        return "policy"

    async def stream(self, asked: Asked, ask: AskMember, root: Step) -> AsyncGenerator[AskEvent, None]:
        """Answer a question by the action that is chosen, or by the safe default where that gives no answer."""
        language = asked.language or detect_language(asked.question)
        with root.begin("policy") as step:
            await asyncio.to_thread(self._reload)
            features = await self._features(asked)
            choice = choose(self._settings, self._network, features, self._chance)
            action = self._settings.actions[choice.action]
            step.note(action=action.label, arm=choice.arm, probability=round(choice.probability, 4))
        notices = [said("unreadable", language, error=self._broken)] if self._broken else []
        began = time.perf_counter()
        shown, error = False, ""
        for number in dict.fromkeys((choice.action, 0)):
            acted = self._settings.actions[number]
            try:
                async with aclosing(ask(self._asked(asked, acted), root)) as events:
                    async for event in events:
                        if isinstance(event, AnswerEvent):
                            seconds = time.perf_counter() - began
                            yield AnswerEvent(
                                answer=await self._finished(
                                    event.answer, choice, number, features, notices, language, seconds
                                )
                            )
                        elif not isinstance(event, PassagesEvent):
                            yield event
                        elif not shown:
                            shown = True
                            yield event.model_copy(
                                update={"variant": self._name, "notices": [*event.notices, *notices]}
                            )
                return
            except Exception as failed:
                if number == 0:
                    raise
                error = str(failed) if isinstance(failed, TekioError) else type(failed).__name__
                _LOG.warning("policy %s: %s gave no answer (%s)", self._name, acted.label, error)
                notices.append(said("failed", language, action=acted.label, error=error))

    def _asked(self, asked: Asked, action: ActionSettings) -> Asked:
        technique = asked.technique if action.technique is None else technique_of(action.technique)
        return replace(
            asked,
            variant=action.variant,
            chosen=False,
            technique=technique,
            temperature=action.temperature,
            top_k=action.top_k or asked.top_k,
            samples=asked.samples if technique in STEPPED else 1,
        )

    async def _features(self, asked: Asked) -> tuple[float, ...] | None:
        if fact_to_remember(asked.question) is not None or len(self._settings.actions) == 1:
            return None
        try:
            measured = await self._measure(asked)
        except TekioError as error:
            _LOG.warning("policy %s: a question could not be measured (%s)", self._name, error)
            return None
        return features_of(asked.question, detect_language(asked.question), measured)

    async def _finished(
        self,
        answer: Answer,
        choice: Choice,
        acted: int,
        features: tuple[float, ...] | None,
        notices: Sequence[str],
        language: str,
        seconds: float,
    ) -> Answer:
        action, failed = self._settings.actions[acted], acted != choice.action
        decision = ""
        if features is not None:
            decision = await self._keep(answer, choice, features, failed=failed, seconds=seconds)
        key: str = "unmeasured" if features is None and len(self._settings.actions) > 1 else choice.arm
        if key == "policy" and self._network is None:
            key = "untrained"
        report = PolicyReport(
            variant=action.variant,
            technique=answer.technique,
            temperature=action.temperature,
            top_k=action.top_k or len(answer.passages) or 1,
            probability=round(choice.probability, 6),
            default=acted == 0,
            reason=said(key, language, action=self._settings.actions[choice.action].label),
            decision=decision,
        )
        return answer.model_copy(
            update={"variant": self._name, "policy": report, "notices": [*answer.notices, *notices]}
        )

    async def _keep(
        self, answer: Answer, choice: Choice, features: tuple[float, ...], *, failed: bool, seconds: float
    ) -> str:
        """Keep a decision; return its name, empty where it could not be kept, which no answer should fail for."""
        outcome = Outcome.of(answer)
        name = uuid.uuid4().hex
        data = {
            "revision": self._revision,
            "names": list(FEATURES),
            "features": [round(value, 6) for value in features],
            "action": self._settings.actions[choice.action].plain(),
            "probability": choice.probability,
            "arm": choice.arm,
            "failed": failed,
            "refused": answer.refused,
            "supported": outcome.supported,
            "characters": outcome.characters,
            "seconds": None if outcome.seconds is None else round(seconds, 3),
        }
        try:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            await asyncio.to_thread(self._store.add, self._name, name, data, at)
        except TekioError as error:
            _LOG.warning("policy %s: a decision could not be kept (%s)", self._name, error)
            return ""
        self._decided += 1
        if self._network is not None and self._decided % WATCH_EVERY == 0:
            asyncio.get_running_loop().run_in_executor(None, self._watch)
        return name

    def _watch(self) -> None:
        """Take the policy out where it has become worse than its safe default. Blocks."""
        try:
            roll_back_if_worse(self._name, self._settings, self._folder, self._store, self._feedback)
        except TekioError as error:
            _LOG.warning("policy %s could not be watched (%s)", self._name, error)

    def _reload(self) -> None:
        """Read the policy's file where it is another one than before."""
        path = self._folder.serving
        try:
            state = path.stat()
        except OSError:
            self._stamp, self._network, self._revision, self._broken = None, None, "", ""
            return
        stamp = (state.st_mtime_ns, state.st_size)
        if stamp == self._stamp:
            return
        try:
            self._network, self._broken = Network.of(read_policy(path, self._settings.plain_actions)), ""
            self._revision = digest_of(path)
        except UsageError as error:
            self._network, self._broken, self._revision = None, str(error), ""
        self._stamp = stamp


def roll_back_if_worse(
    name: str,
    settings: PolicySettings,
    folder: PolicyFolder,
    store: DecisionStore,
    feedback: Callable[[], Sequence[Rating]],
) -> bool:
    """Take a policy out where its rewards say that it is worse than its safe default; say whether it was. Blocks.

    Args:
        name: of the policy.
        settings: of it.
        folder: of its files.
        store: has what it decided.
        feedback: gives what people said of answers.
    """
    revision = digest_of(folder.serving)
    if not revision:
        return False
    rows = experience_of(store.read(name), feedback(), settings)
    seen = watch(
        ((row.arm, row.reward) for row in rows if row.revision == revision), error=settings.rollback_error
    )
    if not seen.worse:
        return False
    folder.rollback(only=revision)
    _LOG.warning(
        "policy %s was taken out: its mean reward %.3f is below its safe default's %.3f (%d and %d answers)",
        name,
        seen.policy_mean,
        seen.default_mean,
        seen.policy,
        seen.default,
    )
    return True
