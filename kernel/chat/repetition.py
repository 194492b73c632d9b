"""A model that goes round in circles: noticed while it writes, and cut to the first time round."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_ROUND = 64
"""Tokens after which a repetition is looked for; about two sentences."""
LEAST_REPEATED = 32
"""Repeated tokens that make a loop: fewer are a row of a table, a line of dots or a list of zeros."""
TAIL = 3 * LONGEST_ROUND
"""The last tokens, which are all that need be looked at."""


def repeated(ids: Sequence[int]) -> int:
    """Return how many of the last tokens repeat those before them word for word; 0 where the text does not loop.

    A loop has come round at least twice more, and its repetitions are `LEAST_REPEATED` tokens or more.
    """
    most = 0
    for length in range(1, min(LONGEST_ROUND, len(ids) // 2) + 1):
        needed = max(2 * length, LEAST_REPEATED)
        if len(ids) < needed + length or ids[-needed] != ids[-needed - length]:
            continue
        same = 0
        while same + length < len(ids) and ids[-1 - same] == ids[-1 - same - length]:
            same += 1
        if same >= needed:
            most = max(most, same)
    return most
