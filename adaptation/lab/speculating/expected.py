"""What guessing ahead should save, by how often a guess holds and what it costs.

Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", ICML 2023, sections 3.1 to 3.5.
"""

from __future__ import annotations


def tokens_a_step(holds: float, guesses: int) -> float:
    """Return how many tokens a step of the larger model gives, on average.

    Args:
        holds: probability that a guess holds, the same for each.
        guesses: tokens that are guessed ahead.
    """
    if holds >= 1:
        return guesses + 1.0
    return (1 - holds ** (guesses + 1)) / (1 - holds)


def speed_up(holds: float, guesses: int, cost: float) -> float:
    """Return how many times as fast it writes.

    Args:
        holds: as above.
        guesses: as above.
        cost: time of a guess as a share of a step of the larger model, which takes as long for all guesses as for one.
    """
    return tokens_a_step(holds, guesses) / (1 + guesses * cost)


def best_guesses(holds: float, cost: float, most: int) -> int:
    """Return how many tokens should be guessed ahead, at most so many; 0 where guessing does not pay."""
    return max(range(most + 1), key=lambda guesses: (speed_up(holds, guesses, cost), -guesses))
