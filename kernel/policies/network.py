"""What a trained policy is in a file, and how it chooses: a small network, computed by NumPy alone.

A file is JSON, so that reading one runs nothing. What does not fit is refused when it is read: another version, other
features or actions, shapes that do not go together, numbers that are none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.policies.features import FEATURES
from retrieval.errors import UsageError

VERSION = 1
_FAR = 6.0
"""Standard deviations beyond which a feature says no more: what no training question had is not trusted further."""

Floats = NDArray[np.float64]


class Layer(BaseModel):
    """A layer: `weights` has a row for each output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: list[list[float]]
    bias: list[float]


class PolicyFile(BaseModel):
    """A trained policy as it is stored.

    Attributes:
        version: of this form.
        made: when it was trained, ISO 8601.
        features: their names, in order.
        actions: that it chooses among, the safe default first.
        learned: which of them it saw answers of; the others it never chooses.
        mean, scale: of the features, in training.
        layers: with a rectifier between them; the last has an output for each action.
        value: what it is worth by off-policy evaluation; empty where nothing was held out.
        trained: on what, and how.
        activated: when it began to serve, ISO 8601; empty before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    made: str
    features: list[str]
    actions: list[dict[str, Any]] = Field(min_length=1)
    learned: list[bool]
    mean: list[float]
    scale: list[float]
    layers: list[Layer] = Field(min_length=1)
    value: dict[str, Any] = {}
    trained: dict[str, Any] = {}
    activated: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A policy that can choose."""

    mean: Floats
    scale: Floats
    layers: tuple[tuple[Floats, Floats], ...]
    learned: NDArray[np.bool_]

    @staticmethod
    def of(file: PolicyFile) -> Network:
        """Return the network of a file that was checked."""
        return Network(
            np.asarray(file.mean),
            np.asarray(file.scale),
            tuple((np.asarray(layer.weights), np.asarray(layer.bias)) for layer in file.layers),
            np.asarray(file.learned),
        )

    def probabilities(self, features: Floats) -> Floats:
        """Return how likely each action is: shape (n, actions) for features of shape (n, d), each row adding to 1."""
        state = np.clip((np.asarray(features) - self.mean) / self.scale, -_FAR, _FAR)
        for place, (weights, bias) in enumerate(self.layers):
            state = state @ weights.T + bias
            if place < len(self.layers) - 1:
                state = np.maximum(state, 0)
        state = np.where(self.learned, state, -np.inf)
        likely = np.exp(state - state.max(axis=-1, keepdims=True))
        return np.asarray(likely / likely.sum(axis=-1, keepdims=True))


def read_policy(path: Path, actions: Sequence[dict[str, Any]] | None = None) -> PolicyFile:
    """Read a policy and check it.

    Args:
        path: of the file.
        actions: of the settings; None takes any.

    Raises:
        UsageError: it cannot be read, does not fit the settings or this version, or holds what is no number.
    """
    try:
        whole = json.loads(path.read_bytes())
        if isinstance(whole, dict) and whole.get("version") not in (None, VERSION):
            raise UsageError(
                f"the policy in {path} is of version {whole['version']}, not {VERSION}: train it anew"
            )
        file = PolicyFile.model_validate(whole)
    except (OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        said = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}" if first else str(error)
        raise UsageError(f"the policy in {path} cannot be read ({said}): train it anew") from error
    if problem := _problem(file, actions):
        raise UsageError(f"the policy in {path} {problem}: train it anew")
    return file


def digest_of(path: Path) -> str:
    """Return what changes with a policy's file; empty where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _problem(file: PolicyFile, actions: Sequence[dict[str, Any]] | None) -> str:
    if file.features != list(FEATURES):
        return "was trained on other features than this version measures"
    if actions is not None and file.actions != list(actions):
        return "was trained for other actions than the settings have"
    numbers = [file.mean, file.scale, *(layer.bias for layer in file.layers)]
    rows = [row for layer in file.layers for row in layer.weights]
    if not all(np.isfinite(each).all() for each in [*numbers, *rows]):
        return "holds what is no number (NaN or infinite)"
    widths = [len(FEATURES), *(len(layer.bias) for layer in file.layers)]
    fits = all(
        len(layer.weights) == out and all(len(row) == into for row in layer.weights)
        for layer, into, out in zip(file.layers, widths[:-1], widths[1:], strict=True)
    )
    sized = len(file.mean) == len(file.scale) == len(FEATURES) and min(file.scale) > 0
    chosen = widths[-1] == len(file.actions) == len(file.learned) and any(file.learned)
    return "" if fits and sized and chosen else "has parts that do not go together"
