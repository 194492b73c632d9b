"""A question as it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.answer import NamedTechnique, Technique
from kernel.answering.parts import MultiQuery
from kernel.conversation.history import FollowUps, PastTurn
from retrieval.access import Caller


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was said with it, checked. `chosen` says that the variant was asked for by name.

    `strict` leaves out what no passage supports. `temperature` is how freely is written, 0 writes what is likeliest;
    with `step_votes` several samples are voted on after each of their steps, and with them those of the variants
    `step_voters`, which write on from the same draft.
    """

    question: str
    variant: str
    chosen: bool
    technique: Technique | NamedTechnique
    top_k: int
    language: str | None
    where: tuple[str, ...]
    multi_query: MultiQuery
    caller: Caller | None
    strict: bool = False
    max_new_tokens: int = 160
    max_prompt_tokens: int = 1400
    cache: bool = True
    trace: bool = False
    history: tuple[PastTurn, ...] = ()
    conversation: str = ""
    follow_ups: FollowUps = "rules"
    memory: bool = True
    samples: int = 1
    temperature: float = 0.0
    """Of a single draft; 0 is greedy."""
    step_votes: bool = False
    step_voters: tuple[str, ...] = ()
    functions: bool | None = None
    """Whether functions may be called; None leaves it to the variant."""
