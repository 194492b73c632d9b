"""Retrieval before learning: the window of another text that is most alike to what stands before a window.

Sources: Guu et al., "REALM", ICML 2020; Ram et al., "In-Context Retrieval-Augmented Language Models", TACL 2023. What
is found is read before the window and is not learned; a window is looked for by the one before it, never by itself,
since what is to be predicted is not known when it is. Importing this imports scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adaptation.lab.scratch.windows import Window

_AT_ONCE = 256


def with_neighbours(windows: Sequence[Window], learned: Sequence[Window]) -> list[Window]:
    """Return windows with their neighbours before them; the first of a text has none.

    Args:
        windows: in the order of their stream.
        learned: that neighbours are taken from; where they are the windows themselves, none is of the same text.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not windows or not learned:
        return list(windows)
    weigh: Any = TfidfVectorizer(analyzer=_tokens, sublinear_tf=True)
    table = weigh.fit_transform([window.ids for window in learned])
    same = windows is learned
    first = np.array([window.texts[0] for window in learned])
    last = np.array([window.texts[1] for window in learned])
    asked = [
        place
        for place in range(1, len(windows))
        if windows[place].texts[0] == windows[place - 1].texts[1]
        and windows[place].start == windows[place - 1].start + len(windows[place - 1].ids)
    ]
    found = list(windows)
    for begin in range(0, len(asked), _AT_ONCE):
        places = asked[begin : begin + _AT_ONCE]
        near = (weigh.transform([windows[place - 1].ids for place in places]) @ table.T).toarray()
        for row, place in enumerate(places):
            if same:
                earliest = windows[place - 1].texts[0]
                near[row, (last >= earliest) & (first <= windows[place].texts[1])] = 0.0
            best = int(np.argmax(near[row]))
            if near[row, best] > 0:
                found[place] = windows[place].with_before(learned[best].ids)
    return found


def _tokens(ids: Sequence[int]) -> Sequence[int]:
    return ids
