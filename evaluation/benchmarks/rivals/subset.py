"""A smaller set out of a set, so that a comparison takes minutes."""

from __future__ import annotations

from dataclasses import replace

from evaluation.retrieval.beir import Beir


def smaller(found: Beir, queries: int | None, documents: int | None) -> Beir:
    """Return a set of so many queries, taken evenly, and so many documents: all that are judged for them first.

    None takes all. There are more documents than asked for where more are judged.
    """
    asked = found.queries
    if queries is not None and queries < len(asked):
        asked = [asked[place * len(asked) // queries] for place in range(queries)]
    judgements = {name: found.judgements[name] for name, _ in asked}
    kept = found.documents
    if documents is not None and documents < len(kept):
        needed = {name for grades in judgements.values() for name in grades}
        room = documents - len(needed)
        others = [document.id for document in kept if document.id not in needed]
        if room > 0:
            needed.update(others[place * len(others) // room] for place in range(room))
        kept = [document for document in kept if document.id in needed]
    return replace(found, documents=kept, queries=asked, judgements=judgements)
