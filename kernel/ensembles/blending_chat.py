"""A Semantic Kernel chat service whose tokens several members choose together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from kernel.chat.chat_settings import GenerationSettings
from kernel.chat.generation import Generation, Generator
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.mixture_report import METADATA, MemberShare, MixtureReport
from kernel.chat.paged.mixing import MixRule, Mixture
from kernel.ensembles.weights import MemberWeights

_NO_NUMBERS = "it gave no numbers: its training diverged"


@dataclass(frozen=True, slots=True)
class Member:
    """A member: its variant, how the engine names its adapter, and why it takes no part; empty where it does."""

    variant: str
    adapter: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Blend:
    """Members and what they count."""

    rule: MixRule
    members: tuple[Member, ...]
    weights: MemberWeights

    def shares(self, about: str) -> tuple[str, list[float]]:
        """Return the kind of a question, where it has weights of its own, and each member's share of the weight.

        Those that take no part have none; where all weight was theirs, the rest share it evenly.
        """
        kind, weights = self.weights.of(about)
        held = [0.0 if each.error else weight for each, weight in zip(self.members, weights, strict=True)]
        if not sum(held):
            held = [0.0 if each.error else 1.0 for each in self.members]
        return kind or "", [weight / sum(held) for weight in held]

    def mixture(self, about: str) -> Mixture:
        """Return who reads a question; those without weight do not."""
        _, shares = self.shares(about)
        reading = [
            (each.adapter, share) for each, share in zip(self.members, shares, strict=True) if share > 0
        ]
        return Mixture(self.rule, tuple(who for who, _ in reading), tuple(share for _, share in reading))

    def report(self, about: str, done: Generation) -> MixtureReport:
        """Return what there is to tell of an answer."""
        kind, shares = self.shares(about)
        reading = [place for place, share in enumerate(shares) if share > 0]
        out = {reading[place] for place in done.left_out}
        left = sum(share for place, share in enumerate(shares) if place not in out) or 1.0
        return MixtureReport(
            self.rule,
            tuple(
                MemberShare(
                    each.variant,
                    0.0 if place in out else share / left,
                    _NO_NUMBERS if place in out else each.error,
                )
                for place, (each, share) in enumerate(zip(self.members, shares, strict=True))
            ),
            kind,
        )


class BlendChatCompletion(LocalChatCompletion):
    """Chat completion by a mixture: a row of the batch for each member, one token for all of them."""

    blend: Annotated[Any, Field(exclude=True)] = None

    def __init__(self, *, service_id: str, generator: Generator, blend: Blend) -> None:
        """Make a service.

        Args:
            service_id: the variant's name.
            generator: the engine of batches.
            blend: who is mixed.
        """
        super().__init__(service_id=service_id, generator=generator)
        self.blend = blend

    def _who(self, settings: GenerationSettings) -> dict[str, Any]:
        return {"mixture": self.blend.mixture(settings.about)}

    def _told(self, settings: GenerationSettings, done: Generation) -> dict[str, Any]:
        return {METADATA: self.blend.report(settings.about, done)}
