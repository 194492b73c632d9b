"""What a device allows, what a model takes of it, and by how much that is too much."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adaptation.lab.figures import ModelFigures
from adaptation.lab.models import bytes_of
from retrieval.errors import UsageError

CONTEXT = 1024
"""Tokens of a prompt and its answer together, whose keys and values a device has to hold."""
_UNITS = {"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]i?B)", re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s)", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*(%?)")
_FIGURES = (("f1", "contains", "label_right"), ("format",), ("refused",))
"""Figures of answers by which a loss is told: right words, form, refusals; of each kind the first that is there."""
_POINT = 0.01
"""The least loss that another is measured against: a limit of nought has no shares."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes.

    Attributes:
        memory: bytes of its weights, and of the keys and values of `CONTEXT` tokens in 8 bits.
        seconds: of an answer, see `ModelFigures.answer_seconds`.
        loss: share of quality that is lost against the model that it was made of.
        by: the figure that tells the loss.
    """

    memory: int
    seconds: float
    loss: float
    by: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a device allows; None sets no limit.

    Attributes:
        memory: bytes.
        seconds: of an answer.
        loss: share of quality that may be lost.
    """

    memory: int | None = None
    seconds: float | None = None
    loss: float | None = None

    @classmethod
    def read(cls, memory: str, latency: str, loss: str) -> Limits:
        """Read limits as people write them: 200MB, 500ms, 2%; an empty text sets none.

        Raises:
            UsageError: one is in no such form or is nothing, or all are empty.
        """
        limits = cls(
            bytes_in(memory) if memory else None,
            seconds_in(latency) if latency else None,
            share_in(loss) if loss else None,
        )
        if limits == cls():
            raise UsageError("there is no limit to search by: give --memory, --latency or --max-loss")
        return limits

    def misses(self, cost: Cost) -> dict[str, float]:
        """Return by how much each limit is passed, as a share of it; of a limit below a point of loss, in points.

        So a model that is somewhat too slow is nearer than one that lost ten times what it may.
        """
        found: dict[str, float] = {}
        if self.memory is not None and cost.memory > self.memory:
            found["memory"] = cost.memory / self.memory - 1
        if self.seconds is not None and cost.seconds > self.seconds:
            found["latency"] = cost.seconds / self.seconds - 1
        if self.loss is not None and cost.loss > self.loss:
            found["max-loss"] = (cost.loss - self.loss) / max(self.loss, _POINT)
        return found

    def told(self, cost: Cost) -> list[str]:
        """Return in words by how much each limit is missed."""
        lines = []
        for name in self.misses(cost):
            if name == "memory" and self.memory is not None:
                over = (cost.memory - self.memory) / 1e6
                lines.append(f"{cost.memory / 1e6:,.1f} MB of memory, {over:,.1f} MB too much")
            elif name == "latency" and self.seconds is not None:
                over = 1000 * (cost.seconds - self.seconds)
                lines.append(f"{1000 * cost.seconds:,.0f} ms an answer, {over:,.0f} ms too long")
            elif self.loss is not None:
                over = 100 * (cost.loss - self.loss)
                lines.append(f"{100 * cost.loss:.1f} % of {cost.by} lost, {over:.1f} points too many")
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Return them as JSON."""
        return asdict(self)


def cost_of(folder: Path, before: ModelFigures, after: ModelFigures) -> Cost:
    """Return what a model takes, and what it lost since it was another."""
    by, loss = loss_of(before, after)
    return Cost(memory_needed(folder), after.answer_seconds, loss, by)


def loss_of(before: ModelFigures, after: ModelFigures) -> tuple[str, float]:
    """Return the figure by which a loss is told, and the share that is lost; below 0 where it gained.

    It is the figure of answers that lost most, of those that both have, else perplexity. One alone would not do: who
    answers every question in no form at all gains in right words over a model that refuses some.
    """
    lost: dict[str, float] = {}
    for kind in _FIGURES:
        for name in kind:
            one, other = before.quality.get(name), after.quality.get(name)
            if one is not None and other is not None and one.value > 0:
                lost[name] = 1 - other.value / one.value
                break
    if lost:
        worst = max(lost, key=lambda name: lost[name])
        return worst, lost[worst]
    if before.perplexity is None or after.perplexity is None:
        raise UsageError("nothing tells what is lost: give a training set by --data")
    return "perplexity", after.perplexity / before.perplexity - 1


def memory_needed(folder: Path, tokens: int = CONTEXT) -> int:
    """Return the bytes that a device holds of a model: its weights as the folder has them, and keys and values.

    What a program takes beside them depends on the program.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = int(config.get("num_attention_heads") or config.get("n_head") or 1)
    hidden = int(config.get("hidden_size") or config.get("n_embd") or 0)
    layers = int(config.get("num_hidden_layers") or config.get("n_layer") or 0)
    width = int(config.get("head_dim") or hidden // heads)
    kept = int(config.get("num_key_value_heads") or heads)
    return bytes_of(folder) + 2 * layers * kept * width * tokens


def bytes_in(text: str) -> int:
    """Return the bytes that a text names.

    Raises:
        UsageError: it names none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"--memory is a size such as 200MB or 1.5GiB, not '{text}'")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def seconds_in(text: str) -> float:
    """Return the seconds that a text names.

    Raises:
        UsageError: it names none.
    """
    found = _TIME.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise UsageError(f"--latency is a time such as 500ms or 2s, not '{text}'")
    return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)


def share_in(text: str) -> float:
    """Return the share that a text names, 0.02 for 2% and for 0.02.

    Raises:
        UsageError: it names none below 1.
    """
    found = _SHARE.fullmatch(text.strip())
    share = float(found[1]) / (100 if found[2] else 1) if found else 1.0
    if not share < 1:
        raise UsageError(f"--max-loss is a share such as 2% or 0.02, not '{text}'")
    return share
