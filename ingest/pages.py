"""Numbers of pages as people write them."""

from __future__ import annotations

from collections.abc import Sequence


def page_ranges(pages: Sequence[int]) -> str:
    """Return page numbers as people write them: `1-3, 7`."""
    runs: list[list[int]] = []
    for page in sorted(set(pages)):
        if runs and page == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], page]
        else:
            runs.append([page])
    return ", ".join("-".join(str(page) for page in run) for run in runs)
