"""A grid of small runs: sizes of the network by numbers of tokens, each a whole training with its own schedule."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from adaptation.lab.done_runs import DoneRuns
from adaptation.lab.scaling.law import Run
from adaptation.lab.scratch.architectures import Shape, config_of, empty_model
from adaptation.lab.scratch.preparing import Tokenized
from adaptation.lab.scratch.recipe import PretrainRecipe
from adaptation.lab.scratch.windows import Window
from retrieval.errors import UsageError

_HEAD = 16
"""Values of a head, and the step by which hidden sizes grow."""
_LEAST_STEPS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """A run of the grid before it is done: the hidden size and layers of the network, and the tokens it learns from."""

    hidden: int
    layers: int
    tokens: int

    @property
    def shape(self) -> Shape:
        """The network, as a row of the table of architectures."""
        inner = 8 * max(1, round(self.hidden * 8 / 3 / 8))
        name = f"{self.layers} layers of {self.hidden}"
        return Shape(name, self.layers, self.hidden, max(1, self.hidden // _HEAD), inner)


def grid(sizes: Sequence[int], tokens: Sequence[int]) -> list[Point]:
    """Return the runs of a grid, the cheapest first.

    Args:
        sizes: hidden sizes, multiples of 16; layers grow with them.
        tokens: that are learned from.

    Raises:
        UsageError: a size is none.
    """
    if wrong := [size for size in sizes if size < _HEAD or size % _HEAD]:
        raise UsageError(f"a size is a multiple of {_HEAD}, not {wrong[0]}")
    points = [Point(size, layers_of_size(size), count) for size in sizes for count in tokens]
    return sorted(points, key=lambda point: (point.tokens * point.hidden**2 * point.layers, point.hidden))


def layers_of_size(hidden: int) -> int:
    """Return how many layers a network of a hidden size has here: one for each 32, two at least."""
    return max(2, round(hidden / 32))


def weights_of(point: Point, vocabulary: int, positions: int) -> int:
    """Return the weights of a run that the law is fitted over: all but the table of the vocabulary.

    At this size the table would be most of them, and grow by the vocabulary (Kaplan et al., 2020, leave it out too).
    """
    import torch

    with torch.device("meta"):
        model = empty_model(
            "decoder", config_of("decoder", point.shape, vocabulary=vocabulary, positions=positions)
        )
    table = model.get_input_embeddings().weight.numel()
    return sum(int(weight.numel()) for weight in model.parameters()) - int(table)


class Grid:
    """Runs over one corpus, of which those that are done are not done again."""

    def __init__(
        self,
        recipe: PretrainRecipe,
        tokens: Tokenized,
        learned: Sequence[Window],
        held_out: Sequence[Window],
        file: Path,
    ) -> None:
        """Take what runs learn from.

        Args:
            recipe: its training, without its number of steps, is that of each run.
            tokens: the corpus.
            learned: windows, of texts in random order; a run learns the first ones.
            held_out: windows that each run is measured on.
            file: of the runs that are done.
        """
        self._recipe, self._tokens = recipe, tokens
        self._learned, self._held_out = learned, held_out
        told = recipe.training.model_dump(mode="json", exclude={"steps", "epochs"})
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        digest.update(tokens.learned.ids.tobytes() + tokens.held_out.ids.tobytes())
        self._done = DoneRuns(file, digest.hexdigest())

    @property
    def most_tokens(self) -> int:
        """Tokens that a run can learn from, each once."""
        return len(self._learned) * self._recipe.training.window

    def check(self, points: Sequence[Point]) -> None:
        """Check that there are tokens enough for runs, each learned once.

        Raises:
            UsageError: there are too few, or a run has too few steps; it is said how many are needed.
        """
        training = self._recipe.training
        most, fewest = max(point.tokens for point in points), min(point.tokens for point in points)
        if most > self.most_tokens:
            raise UsageError(
                f"the corpus is too small: a run of {most:,} tokens, each learned once, has {self.most_tokens:,} to "
                "learn from: add texts, or lower --tokens"
            )
        if fewest < (least := _LEAST_STEPS * training.batch * training.window):
            raise UsageError(
                f"a run of {fewest:,} tokens has less than {_LEAST_STEPS} steps: give at least {least:,}, or lower "
                "training.batch or training.window"
            )

    def run(self, point: Point, say: Callable[[str], None]) -> Run:
        """Return a run, done now or before.

        Raises:
            TekioError: training failed, or it cannot be kept.
        """
        key = f"{point.hidden}:{point.layers}:{point.tokens}"
        run = Run(**(self._done.get(key) or self._done.put(key, asdict(self._trained(point)))))
        say(
            f"{point.shape.name}, {run.parameters:,} weights, {run.tokens:,} tokens: held-out loss {run.loss:.4f}"
        )
        return run

    def _trained(self, point: Point) -> Run:
        from adaptation.lab.scratch.collating import collator_of
        from adaptation.lab.scratch.measuring import measure
        from adaptation.lab.scratch.training import Material, new_model, train

        base = self._recipe.training
        steps = max(1, round(point.tokens / (base.batch * base.window)))
        training = base.model_copy(update={"steps": steps, "patience": 0})
        windows = self._learned[: steps * base.batch]
        collator = collator_of("decoder", None)
        model = new_model(self._recipe.model, point.shape, self._tokens.vocabulary, training)
        with tempfile.TemporaryDirectory(prefix="tekio-scaling-") as work:
            material = Material(windows, (), collator, "decoder")
            _, model = train(model, material, training, Path(work), keep=False)
        found = measure(model, self._held_out, "decoder", collator, batch=base.batch)
        weights = weights_of(point, self._tokens.vocabulary, self._recipe.model.positions)
        return Run(weights, steps * base.batch * base.window, found.loss)


def larger(point: Point, *, hidden: int = 0, tokens: int = 0) -> Point:
    """Return a run of another size, or of other tokens."""
    size = hidden or point.hidden
    return replace(point, hidden=size, layers=layers_of_size(size), tokens=tokens or point.tokens)
