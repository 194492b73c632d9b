"""What a model learns of a teacher beside what its rows say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from retrieval.errors import UsageError

Way = Literal["logits", "hidden", "sequences"]
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass(frozen=True, slots=True)
class Teaching:
    """What is learned of a teacher.

    Attributes:
        way: by its predictions of each token (`logits`), by them and its states between layers (`hidden`), or by
            answers that it writes (`sequences`), for which the student may have other words.
        temperature: that both predictions are softened by.
        mixing: how much the teacher's word counts against the rows' own, 0 to 1.
        hidden: how much a difference of states counts, of the way `hidden`.
        prompts: how much its predictions of the prompts count, the mean of their tokens against that of the answers'.
            Answers of a few words behind long prompts say little of what a teacher knows.
    """

    way: Way = "logits"
    temperature: float = 1.0
    mixing: float = 0.6
    hidden: float = 1.0
    prompts: float = 1.0

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        if self.way not in WAYS:
            raise UsageError(f"there is no way to distil '{self.way}'; there are {', '.join(WAYS)}")
        if not 0.1 <= self.temperature <= 100:
            raise UsageError(f"--temperature is 0.1 to 100, not {self.temperature:g}")
        if not 0 < self.mixing <= 1:
            raise UsageError(f"--mixing is above 0 and at most 1, not {self.mixing:g}: 0 asks no teacher")
        for name, value in (("--hidden", self.hidden), ("--prompts", self.prompts)):
            if not 0 <= value < 1e6:
                raise UsageError(f"{name} is 0 or more, not {value:g}")
