"""What is noted beside a trained embedder: from what it was made, and what that changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kernel.comparison import before_and_after
from kernel.model_packages.manifest import CARD


class Change(BaseModel):
    """A figure before and after, over the same questions; intervals are of 95 %."""

    model_config = ConfigDict(frozen=True)

    questions: int
    before: float
    before_interval: tuple[float, float]
    after: float
    after_interval: tuple[float, float]
    difference: float
    difference_interval: tuple[float, float]
    p_value: float = Field(description="of a two-sided paired randomisation test")

    @property
    def is_gain(self) -> bool:
        """Whether it is better beyond chance."""
        return self.difference_interval[0] > 0

    @property
    def is_loss(self) -> bool:
        """Whether it is worse beyond chance."""
        return self.difference_interval[1] < 0

    @staticmethod
    def of(before: NDArray[np.float64], after: NDArray[np.float64]) -> Change:
        """Compare the figures of the same questions, shape (n,) each."""
        return Change(questions=len(before), **before_and_after(before, after))


class EmbedderCard(BaseModel):
    """Written beside the weights of a trained embedder."""

    model_config = ConfigDict(frozen=True)

    name: str
    base: str = Field(description="name of the embedder that was trained")
    base_revision: str
    passages: int = Field(description="of the index, or of the sample of it that was learned from")
    documents: int
    corpus_sha256: str
    questions: dict[str, int] = Field(description="made-up questions for each part of the documents")
    arguments: dict[str, Any]
    steps: int
    seconds: float
    share: float = Field(
        description="how far the weights were moved from the base's towards the trained ones"
    )
    layer: bool = Field(description="whether a linear layer was learned over its vectors")
    held_out: dict[str, Change] = Field(
        description="figures on documents that nothing was learned from or chosen by"
    )
    judged: dict[str, dict[str, Change]] = Field(
        {}, description="figures on sets with judgements, by set and mode"
    )
    versions: dict[str, str]

    @property
    def recommended(self) -> bool:
        """Whether something is better beyond chance, and nothing worse."""
        changes = [
            *self.held_out.values(),
            *(each for modes in self.judged.values() for each in modes.values()),
        ]
        return any(each.is_gain for each in changes) and not any(each.is_loss for each in changes)

    def write(self, folder: Path) -> None:
        """Write the card into the folder of the embedder."""
        (folder / CARD).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> EmbedderCard:
    """Read the card of a trained embedder."""
    return EmbedderCard.model_validate_json((folder / CARD).read_bytes())
