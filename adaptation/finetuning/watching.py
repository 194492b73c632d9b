"""What is watched while a model trains: progress, the curve, a loss that is no number, and signs of overtraining."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from transformers import TrainerCallback

_SAID_EVERY = 5.0
"""Seconds between two lines of progress."""
_RISING = 2
"""Evaluations in a row in which the held-out loss rises while that of training falls."""


class Point(BaseModel):
    """A point of the curve; a loss is a mean over learned tokens, in nats, a reward what a reward model gave."""

    model_config = ConfigDict(frozen=True)

    step: int
    loss: float | None = None
    held_out: float | None = None
    reward: float | None = None
    rate: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is; a loss or reward is None until there is one."""

    step: int
    steps: int
    loss: float | None
    held_out: float | None
    reward: float | None
    tokens_per_second: float
    seconds_left: float

    def __str__(self) -> str:
        parts = [f"step {self.step:,} of {self.steps:,}"]
        for name, value in (("loss", self.loss), ("held out", self.held_out), ("reward", self.reward)):
            parts += [] if value is None else [f"{name} {value:.3f}"]
        return ", ".join(
            [*parts, f"{self.tokens_per_second:,.0f} tokens a second", f"{_minutes(self.seconds_left)} left"]
        )


class Watcher(TrainerCallback):
    """Tells how a training goes, keeps its curve, and stops it where the loss is no number."""

    def __init__(self, show: Callable[[Progress], None], *, tokens_a_step: float) -> None:
        """Watch.

        Args:
            show: is told how far it is, at every step.
            tokens_a_step: that an optimiser step learns from, on average.
        """
        self.points: list[Point] = []
        self.broken: str | None = None
        self._show = show
        self._tokens = tokens_a_step
        self._began = time.monotonic()
        self._first = 0
        self._loss: float | None = None
        self._held: float | None = None
        self._reward: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note where it begins; a resumed one not at zero."""
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
    ) -> None:
        """Take a point of the curve, tell progress, stop where the loss is no number."""
        found = logs or {}
        seconds = time.monotonic() - self._began
        if "loss" in found:
            self._loss = found["loss"]
            norm = found.get("grad_norm", 0.0)
            if not math.isfinite(self._loss) or not math.isfinite(norm):
                what = "loss" if not math.isfinite(self._loss) else "gradient"
                self.broken = f"the {what} was no number at step {state.global_step:,}"
                control.should_training_stop = True
            rate = found.get("learning_rate")
            self._reward = found.get("reward", self._reward)
            self.points.append(
                Point(
                    step=state.global_step,
                    loss=self._loss,
                    reward=found.get("reward"),
                    rate=rate,
                    seconds=seconds,
                )
            )
        if "eval_loss" in found:
            self._held = found["eval_loss"]
            self.points.append(Point(step=state.global_step, held_out=self._held, seconds=seconds))

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Tell how far it is."""
        done = state.global_step - self._first
        if done < 1:
            return
        seconds = max(time.monotonic() - self._began, 1e-9)
        self._show(
            Progress(
                step=state.global_step,
                steps=state.max_steps,
                loss=self._loss,
                held_out=self._held,
                reward=self._reward,
                tokens_per_second=self._tokens * done / seconds,
                seconds_left=(state.max_steps - state.global_step) * seconds / done,
            )
        )


def in_lines(say: Callable[[str], None]) -> Callable[[Progress], None]:
    """Return what tells of progress in a line now and then, the last step's included."""
    said = 0.0

    def show(progress: Progress) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _SAID_EVERY or progress.step == progress.steps:
            said = now
            say(str(progress))

    return show


def signs_of_overtraining(points: list[Point]) -> list[str]:
    """Return, in words, what a curve says of learning too much."""
    held = [(point.step, point.held_out) for point in points if point.held_out is not None]
    losses = [(point.step, point.loss) for point in points if point.loss is not None]
    if len(held) < 2 or len(losses) < 2:
        return []
    signs = []
    first = held[0][1]
    if held[0][0] == 0 and min(value for step, value in held if step) >= first:
        signs.append(
            f"the held-out loss never fell below the base's ({first:.3f}): the rows teach nothing that carries over, "
            "or the rate is too high"
        )
    best_step, best = min(held, key=lambda pair: pair[1])
    rising = [value for step, value in held if step > best_step]
    if len(rising) >= _RISING and min(rising) > best and losses[-1][1] < losses[0][1]:
        signs.append(
            f"the held-out loss rose from {best:.3f} at step {best_step:,} to {rising[-1]:.3f} while that of training "
            "fell: the rows are learned by heart; fewer epochs, more rows or a lower rate help"
        )
    last = losses[-1][1]
    if best > 0.05 and last < 0.25 * best:
        signs.append(
            f"the training loss ({last:.3f}) is less than a quarter of the held-out loss ({best:.3f}): it knows its "
            "rows far better than others"
        )
    return signs


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
