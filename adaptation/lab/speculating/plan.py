"""What is tried of a draft, and on what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from retrieval.errors import UsageError

MOST_GUESSES = 64
PRECISIONS = ("auto", "float32", "bfloat16", "int8", "int8-weights", "int4-weights")


@dataclass(frozen=True, slots=True)
class SpeculatePlan:
    """What is tried.

    Attributes:
        data: folder of a training set, whose held-out questions are asked.
        guesses: numbers of tokens that are guessed ahead; 1 is tried too, since it tells how often a guess holds.
        precision: of the model's weights.
        drafts: precisions of the draft's weights; `auto` is the model's own.
        words: numbers of its commonest words that the draft guesses among; 0: among all.
        from_text: guesses are looked up in the text first where its end stood before, as they are when it answers.
        temperature: that answers are sampled at; 0 takes the likeliest tokens.
        top_p: share of the likeliest tokens that are sampled from.
        longest: the questions with the longest answers are asked, which a draft is for; else the first of the set.
        prompts: that are written behind, one at a time.
        new_tokens: of each answer, at most.
        threads: of the engine; 0 leaves it to it.
        seed: of the sampling.
    """

    data: Path
    guesses: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    precision: str = "auto"
    drafts: tuple[str, ...] = ("auto", "int4-weights")
    words: tuple[int, ...] = (0,)
    from_text: bool = True
    temperature: float = 0.0
    top_p: float = 1.0
    longest: bool = True
    prompts: int = 8
    new_tokens: int = 64
    threads: int = 0
    seed: int = 0

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range; it is named as its option.
        """
        if not self.guesses or any(not 1 <= each <= MOST_GUESSES for each in self.guesses):
            raise UsageError(f"--guesses are 1 to {MOST_GUESSES}, such as 1,2,4, not {list(self.guesses)}")
        unknown = [each for each in (self.precision, *self.drafts) if each not in PRECISIONS]
        if unknown or not self.drafts:
            raise UsageError(f"a precision is {', '.join(PRECISIONS)}, not '{', '.join(unknown)}'")
        if not self.words or any(each < 0 for each in self.words):
            raise UsageError(f"--draft-words are 0 or more, such as 0,8192, not {list(self.words)}")
        if not 0 <= self.temperature <= 10:
            raise UsageError(f"--temperature is 0 to 10, not {self.temperature:g}")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"--top-p is above 0 and at most 1, not {self.top_p:g}")
        for name, value, least in (("--prompts", self.prompts, 1), ("--new-tokens", self.new_tokens, 2)):
            if value < least:
                raise UsageError(f"{name} is at least {least}, not {value}")

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self) | {"data": str(self.data)}
