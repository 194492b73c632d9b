"""Facts read out of passages by a schema.

Without a language model each value is looked for by what its property is called: the passages are searched, their
sentences ranked, and the first good sentence that gives a value of the kind has it. A language model writes the whole
object; what it writes is checked value by value, and a value that the passages do not hold is never data: it is
rejected, and what was found without the model stands in its place.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel.answer import Citation
from kernel.answering.citations import cite
from kernel.answering.evidence import Sentence, passage_sentences
from kernel.answering.ranking import Ranking
from kernel.documents.results import Invalid, Value
from kernel.documents.schema import Field, Schema, pointer
from kernel.documents.values import holds, value_in, values_in
from retrieval.records import Passage

Locate = Callable[[str], Awaitable[tuple[Sequence[int], Ranking]]]
"""Gives the passages that are nearest to some words, by their places in all, and the ranking of their sentences."""

COVERED = 0.5
"""The share of a property's words, weighted by rarity, that a sentence with its headings must have."""
INTERACTION = 0.9
"""The late interaction from which a sentence in other words has them, where the words' language differs."""
_LOOKED_AT = 5
_MOST_VALUES = 20

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Found:
    """Data with the places of its values, and what was rejected."""

    data: dict[str, Any] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    rejected: list[Value] = field(default_factory=list)


async def found_values(
    schema: Schema, passages: Sequence[Passage], locate: Locate
) -> dict[tuple[str, ...], tuple[Any, Citation]]:
    """Return the value of each property for which the passages give one, with its place."""
    found: dict[tuple[str, ...], tuple[Any, Citation]] = {}
    for wanted in schema.fields:
        places, ranking = await locate(wanted.query)
        value = _best_value(wanted, ranking, passages, places)
        if value is not None:
            found[wanted.path] = value
    return found


def _best_value(
    wanted: Field, ranking: Ranking, passages: Sequence[Passage], places: Sequence[int]
) -> tuple[Any, Citation] | None:
    good = [
        item
        for item in ranking.sentences[:_LOOKED_AT]
        if item.coverage >= COVERED or item.interaction >= INTERACTION
    ]
    if wanted.many:
        values: list[Any] = []
        first: Sentence | None = None
        for item in good:
            for value in values_in(wanted, item.sentence):
                if value not in values and len(values) < _MOST_VALUES:
                    values.append(value)
                    first = first or item.sentence
        return None if first is None else (values, _cited(first, passages, places))
    for item in good:
        value = value_in(wanted, item.sentence)
        if value is not None:
            return value, _cited(item.sentence, passages, places)
    return None


def _cited(sentence: Sentence, passages: Sequence[Passage], places: Sequence[int]) -> Citation:
    citation = cite([sentence], [passages[place] for place in places], 1.0)
    return citation.model_copy(update={"marker": places[sentence.passage] + 1})


def assembled(
    schema: Schema,
    found: Mapping[tuple[str, ...], tuple[Any, Citation]],
    written: Any = None,
    passages: Sequence[tuple[int, Passage]] = (),
) -> Found:
    """Return the data: what a model wrote and the passages hold, else what was found without it.

    Args:
        schema: says which values there are.
        found: values by their property.
        written: what a model wrote; None where it wrote nothing that is an object.
        passages: that it was shown, with their numbers among all, from 1.
    """
    made = Found()
    if isinstance(written, dict):
        made.data = _kept(written, (), schema, found, passages, made)
    for wanted in schema.fields:
        if wanted.path in found and _get(made.data, wanted.path) in (None, []):
            value, citation = found[wanted.path]
            _put(made.data, wanted.path, value)
            made.values = [item for item in made.values if item.path != wanted.pointer]
            made.values.append(Value(path=wanted.pointer, value=value, citation=citation))
    for wanted in schema.fields:
        if _get(made.data, wanted.path) is None:
            _put_null(made.data, wanted.path, schema)
            made.values.append(Value(path=wanted.pointer, value=None, citation=None))
    return made


def read_object(draft: str) -> dict[str, Any] | str:
    """Return the JSON object of a draft, or what is wrong with it."""
    start = draft.find("{")
    if start < 0:
        return "no JSON object was written"
    try:
        held, _ = json.JSONDecoder(parse_constant=_no_constant).raw_decode(draft[start:])
    except (ValueError, RecursionError) as error:
        return f"it is not valid JSON: {str(error)[:100]}"
    assert isinstance(held, dict)
    return held


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def complaint(errors: Sequence[Invalid], rejected: Sequence[Value]) -> str:
    """Return what was wrong with a first attempt, as a model is told it."""
    lines = [f"{item.property or '/'}: {item.message}" for item in errors]
    lines += [
        f"{item.path}: the passages do not say {json.dumps(item.value, ensure_ascii=False)}"
        for item in rejected
    ]
    return "\n".join(lines[:10])


def _kept(
    held: Any,
    path: Path,
    schema: Schema,
    found: Mapping[tuple[str, ...], tuple[Any, Citation]],
    passages: Sequence[tuple[int, Passage]],
    made: Found,
) -> Any:
    """Return what of a written value stands in the passages; note where, and what does not."""
    if isinstance(held, dict):
        return {
            key: _kept(value, (*path, str(key)), schema, found, passages, made) for key, value in held.items()
        }
    if isinstance(held, list):
        kept = [
            _kept(value, (*path, place), schema, found, passages, made)
            for place, value in enumerate(held[:_MOST_VALUES])
        ]
        return [value for value in kept if value is not None]
    if held is None:
        return None
    names = tuple(str(part) for part in path)
    span = holds(held, [passage for _, passage in passages])
    if span is not None:
        made.values.append(Value(path=pointer(path), value=held, citation=_span(span, *passages[span[0]])))
        return held
    if names in found and found[names][0] == held:  # true, false, or a choice in other words
        made.values.append(Value(path=pointer(path), value=held, citation=found[names][1]))
        return held
    made.rejected.append(Value(path=pointer(path), value=held, citation=None))
    return None


def _span(span: tuple[int, int, int], number: int, passage: Passage) -> Citation:
    """Return the citation of the sentence that holds a span of a passage's text, or of the span itself."""
    start, end = passage.start + span[1], passage.start + span[2]
    around = [item for item in passage_sentences([passage]) if item.start <= start and end <= item.end]
    sentence = around[0] if around else Sentence(0, passage.document_id, start, end, "", False)
    return cite([sentence], [passage], 1.0).model_copy(update={"marker": number})


def _get(data: Any, path: Sequence[str]) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _put(data: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        below = data.get(part)
        if not isinstance(below, dict):
            below = data[part] = {}
        data = below
    data[path[-1]] = value


def _put_null(data: dict[str, Any], path: Sequence[str], schema: Schema) -> None:
    """Write null where the schema takes it; leave the property out where it does not."""
    if schema.takes_null(path):
        _put(data, path, None)
        return
    for part in path[:-1]:
        data = data.get(part)  # type: ignore[assignment]
        if not isinstance(data, dict):
            return
    data.pop(path[-1], None)
