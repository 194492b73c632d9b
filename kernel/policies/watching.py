"""Whether a policy that serves has become worse than its safe default, told at any time with a known error.

The safe default gets a share of the questions that is drawn whatever the question is, so its questions are like those
of the policy's own share. Each of its answers is set against the mean of those that the policy gave since the one
before; were the policy no worse, these differences would be 0 or more on average, and a bettor against that would not
get rich: by Ville's inequality the chance that the stake is ever multiplied by 1 / error is at most `error`, however
often one looks. The stake is spread over several shares that are bet each time, so that none has to be guessed.

Source: testing by betting, Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B
2024. The error is exact for rewards that are known when an answer is given; ratings that come later change what was
counted, which the bound does not cover.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from kernel.policies.choosing import Arm

_BETS = np.array([0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen: the answers of each share and their mean rewards, how the stake grew at most, and the verdict."""

    policy: int
    default: int
    policy_mean: float | None
    default_mean: float | None
    evidence: float
    worse: bool


def watch(rewards: Iterable[tuple[Arm, float]], *, error: float) -> Watched:
    """Tell whether a policy is worse than its safe default.

    Args:
        rewards: of answers in their order, 0 to 1, each with the share that its question was of.
        error: most likely share of policies that are no worse and called so all the same.
    """
    stakes = np.ones(len(_BETS))
    most = 1.0
    block: list[float] = []
    own: list[float] = []
    usual: list[float] = []
    for arm, reward in rewards:
        if arm == "policy":
            block.append(reward)
            own.append(reward)
        elif arm == "default":
            usual.append(reward)
            if block:
                stakes *= 1 - _BETS * (sum(block) / len(block) - reward)
                most = max(most, float(stakes.mean()))
                block = []
    return Watched(
        len(own),
        len(usual),
        sum(own) / len(own) if own else None,
        sum(usual) / len(usual) if usual else None,
        most,
        most >= 1 / error,
    )
