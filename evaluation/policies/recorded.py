"""Run files of `tekio evaluate answers` as rows for policies: questions that several ways answered, with rewards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.policies.rows import Rows
from evaluation.answers.items import Item
from evaluation.answers.outcome import Outcome as Answered
from evaluation.answers.runfile import RunFile
from evaluation.answers.texts import without_markers
from kernel.app import Tekio
from kernel.policies.rewards import Outcome, reward_of
from kernel.policies.settings import ActionSettings, PolicySettings
from kernel.variant_names import EXTRACTIVE
from retrieval.errors import UsageError


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run with where it is, and the features of its questions by their ids."""

    path: Path
    run: RunFile
    features: Mapping[str, tuple[float, ...]]


async def measured_items(tekio: Tekio, items: Sequence[Item]) -> dict[str, tuple[float, ...]]:
    """Return the features of questions over an index, by their ids."""
    return {item.id: await tekio.policy_features(item.question, where=item.where) for item in items}


def rows_of(recorded: Sequence[Recorded], settings: PolicySettings) -> Rows:
    """Return the questions of runs, with the reward of each action that answered them.

    An answer that could not be given has the reward 0. Which run is of an action is told by its variant, technique and
    number of passages, and by its temperature where the run's variant is a policy of one action, which is how answers
    at other temperatures are recorded.

    Raises:
        UsageError: a file has no answers, or none by an action of the policy; or a reward is no number.
    """
    found: dict[tuple[str, str, str], dict[int, tuple[float, str]]] = {}
    features: dict[tuple[str, str, str], tuple[float, ...]] = {}
    groups: dict[tuple[str, str, str], str] = {}
    for each in recorded:
        names = check_actions(each.path, each.run, settings)
        items = {item.id: item for item in each.run.items}
        for outcome in each.run.outcomes:
            if outcome.run not in names or outcome.id not in items:
                continue
            item = items[outcome.id]
            key = (each.run.questions.name, item.id, item.question)
            reward = 0.0 if outcome.error else _reward(item, outcome, settings)
            named = f"question {item.id} by {outcome.run} in {each.path}"
            found.setdefault(key, {})[names[outcome.run]] = (reward, named)
            features[key] = each.features[item.id]
            groups[key] = f"{each.run.questions.name}:{item.group or item.id}"
    count = len(settings.actions)
    seen = np.zeros((len(found), count), bool)
    rewards = np.zeros((len(found), count))
    named_rows = []
    for row, (key, by_action) in enumerate(found.items()):
        for action, (reward, _) in by_action.items():
            seen[row, action], rewards[row, action] = True, reward
        worst = next((name for reward, name in by_action.values() if not np.isfinite(reward)), key[1])
        named_rows.append(worst)
    table = np.array([features[key] for key in found])
    rows = Rows(table, seen, rewards, np.ones((len(found), count)), tuple(groups[key] for key in found))
    return rows.checked(named_rows)


def check_actions(path: Path, run: RunFile, settings: PolicySettings) -> dict[str, int]:
    """Return the place of the action that each run of a file is of, by the run's name.

    Raises:
        UsageError: the file has no answers, or none by an action of the policy.
    """
    if not run.outcomes:
        raise UsageError(f"{path} holds no answers: record some by `tekio evaluate answers`")
    told = run.about.get("settings", {})
    top_k = run.about.get("top_k") or told.get("top_k")
    places = {}
    for each in run.runs:
        way = _way(each, told, top_k)
        for place, action in enumerate(settings.actions):
            if _is(action, way, told):
                places[each["name"]] = place
                break
    if not places:
        wanted = "; ".join(action.label for action in settings.actions)
        raise UsageError(
            f"{path} has answers of {', '.join(run.names)}, none by an action of the policy ({wanted})"
        )
    return places


def _way(run: Mapping[str, Any], told: Mapping[str, Any], top_k: int | None) -> ActionSettings:
    """Return how the answers of a run were made."""
    policy = told.get("policies", {}).get(run["variant"])
    if policy is not None and len(policy["actions"]) == 1:
        own = ActionSettings.model_validate(policy["actions"][0])
        return own.model_copy(
            update={"technique": own.technique or run["technique"], "top_k": own.top_k or top_k}
        )
    return ActionSettings(variant=run["variant"], technique=run["technique"], top_k=top_k)


def _is(action: ActionSettings, way: ActionSettings, told: Mapping[str, Any]) -> bool:
    technique = action.technique or told.get("technique")
    return (
        action.variant == way.variant
        and action.temperature == way.temperature
        and (action.variant == EXTRACTIVE or technique == way.technique)
        and (action.top_k or told.get("top_k")) == way.top_k
    )


def _reward(item: Item, outcome: Answered, settings: PolicySettings) -> float:
    share = outcome.scores.get("unsupported_share")
    seen = Outcome(
        supported=None if outcome.refused or share is None else 1 - share,
        characters=len(without_markers(outcome.answer, [citation.marker for citation in outcome.citations])),
        seconds=None if outcome.usage.cached_tokens else _seconds(outcome),
    )
    return reward_of(seen, correct(item, outcome), settings.rewards)


def _seconds(outcome: Answered) -> float | None:
    milliseconds = outcome.timings_ms.get("total")
    return None if milliseconds is None else milliseconds / 1000


def correct(item: Item, outcome: Answered) -> float:
    """Return how right an answer is, 0 to 1: by the judge, where one read it; a refusal is right or wrong; else by the
    words shared with the expected answer, the class, or the expected places that are cited."""
    judged = outcome.scores.get("judge")
    if judged is not None:
        return judged
    if not item.answerable or outcome.refused:
        return float(outcome.refused != item.answerable)
    for name in ("f1", "label_right", "citation_recall"):
        score = outcome.scores.get(name)
        if score is not None:
            return score
    return 1.0
