"""A policy learnt from rows: from nothing, or from where the last training ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from adaptation.policies.rows import Rows
from adaptation.policies.value import Value, value_of
from kernel.policies.features import FEATURES
from kernel.policies.network import VERSION, Layer, Network, PolicyFile
from kernel.policies.registry import PolicyFolder
from kernel.policies.settings import PolicySettings
from retrieval.errors import TekioError, UsageError

LEAST = 8
"""Answers of an action below which it is not learnt, and so never chosen but to explore."""
_REPORT_EVERY = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """How it is trained: steps of the optimiser, the seed, and whether it begins anew."""

    steps: int = 1500
    seed: int = 0
    anew: bool = False


def train(
    rows: Rows,
    settings: PolicySettings,
    folder: PolicyFolder,
    plan: Plan,
    *,
    sources: Sequence[str],
    say: Callable[[str], None],
) -> tuple[PolicyFile, Value]:
    """Train on one half of the groups, value on the other, and keep the policy as a candidate.

    Args:
        rows: all of them.
        settings: of the policy.
        folder: of its files.
        plan: how.
        sources: where the rows are from.
        say: is told how it goes.

    Raises:
        UsageError: a half has no rows, or too few are of the safe default.
        TekioError: the folder cannot be written.
    """
    fitted, held_out = rows.half(0), rows.half(1)
    if not len(fitted) or not len(held_out):
        raise UsageError(
            f"the {len(rows)} questions are of too few documents to hold half of them out: record more of them"
        )
    counts = fitted.seen.sum(0)
    learned = counts >= LEAST
    if not learned[0]:
        raise UsageError(
            f"the safe default, {settings.actions[0].label}, has {counts[0]} answers in the half of the documents that "
            f"is learned from, {LEAST} are the least: record more of it"
        )
    if not learned[1:].any():
        raise UsageError(
            f"no action but the safe default has {LEAST} answers in the half of the documents that is learned from: "
            "record more of them"
        )
    mean, scale, layers, goes_on = _fitted(fitted, learned, folder, plan, say)
    file = PolicyFile(
        version=VERSION,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        features=list(FEATURES),
        actions=settings.plain_actions,
        learned=learned.tolist(),
        mean=mean.tolist(),
        scale=scale.tolist(),
        layers=layers,
        trained={
            "from": list(sources),
            "questions": len(fitted),
            "answers": counts.tolist(),
            "steps": plan.steps,
            "seed": plan.seed,
            "went_on": goes_on,
        },
    )
    value = worth(file, held_out, seed=plan.seed)
    file = file.model_copy(update={"value": value.as_dict()})
    folder.keep_candidate(file)
    return file, value


def worth(file: PolicyFile, rows: Rows, *, seed: int = 0) -> Value:
    """Return what a policy is worth on rows that it was not trained on, see `value_of`."""
    return value_of(rows, Network.of(file).probabilities(rows.features), seed=seed)


def _fitted(
    rows: Rows,
    learned: np.ndarray[Any, np.dtype[np.bool_]],
    folder: PolicyFolder,
    plan: Plan,
    say: Callable[[str], None],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[Layer], bool]:
    import torch

    from adaptation.policies.sac import DiscreteSac, Recipe

    count, features = rows.seen.shape[1], rows.features.shape[1]
    recipe = Recipe(
        hidden=32, weight_decay=0.1, settled=plan.steps * 2 // 3, capacity=max(1, int(rows.seen.sum()))
    )
    learner = DiscreteSac(features, count, recipe, seed=plan.seed, allowed=learned)
    state = None if plan.anew else _state(folder.learner)
    goes_on = False
    if state is not None:
        try:
            learner.load(state)
            mean, scale = state["mean"].numpy(), state["scale"].numpy()
            goes_on = len(mean) == features
        except (RuntimeError, KeyError):  # of other features or actions
            learner = DiscreteSac(features, count, recipe, seed=plan.seed, allowed=learned)
    if not goes_on:
        mean, scale = rows.features.mean(0), rows.features.std(0)
        scale = np.where(scale > 1e-6, scale, 1.0)
    states = np.clip((rows.features - mean) / scale, -6, 6).astype(np.float32)
    for row, action in np.argwhere(rows.seen):
        learner.replay.add(states[row], int(action), float(rows.rewards[row, action]))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # such small networks are slower on several
    try:
        for step in range(1, plan.steps + 1):
            learner.learn()
            if step % _REPORT_EVERY == 0 or step == plan.steps:
                say(f"{step:,} of {plan.steps:,} steps, temperature {learner.temperature:.4f}")
    finally:
        torch.set_num_threads(threads)
    own = {"mean": torch.from_numpy(mean.copy()), "scale": torch.from_numpy(scale.copy())}
    _keep_state(folder.learner, {**learner.state(), **own})
    layers = [Layer(weights=weights, bias=bias) for weights, bias in learner.layers()]
    return mean, scale, layers, goes_on


def _state(path: Path) -> dict[str, Any] | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path) if path.is_file() else None
    except (OSError, SafetensorError):
        return None  # it can be learnt anew


def _keep_state(path: Path, state: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, path)
    except OSError as error:
        raise TekioError(f"{path.parent} cannot be written ({error.strerror or error})") from error
