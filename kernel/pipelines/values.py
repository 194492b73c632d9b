"""What is handed from step to step, and how a step reads it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kernel.answer import Answer
from kernel.answering.texts import say
from kernel.pipelines.kinds import ValueType

_SHOWN = {"answer", "refused", "language", "confidence", "citations", "unsupported", "notices", "variant"}


@dataclass(frozen=True, slots=True)
class Made:
    """What a step gave: a text or a label, an `Answer`, a list of texts, or an object."""

    type: ValueType
    value: Any

    @property
    def text(self) -> str:
        """It as a text that another step reads; an answer without its markers."""
        if isinstance(self.value, Answer):
            return without_markers(self.value.answer)
        if isinstance(self.value, str):
            return self.value
        if isinstance(self.value, list):
            return "\n".join(each if isinstance(each, str) else _json(each) for each in self.value)
        return _json(self.value)

    @property
    def shown(self) -> Any:
        """It as a report shows it: an answer without its passages."""
        return (
            self.value.model_dump(mode="json", include=_SHOWN)
            if isinstance(self.value, Answer)
            else self.value
        )


def joined(made: Sequence[Made]) -> str:
    """Return what several steps gave as one text, each a paragraph."""
    return "\n\n".join(each.text for each in made)


def without_markers(text: str) -> str:
    """Return an answer's text without its markers, as it is read on."""
    from kernel.pipelines.markers import MARKER

    return MARKER.sub("", text)


def is_plain_refusal(answer: Answer) -> bool:
    """Say whether an answer is no more than that nothing is known."""
    return answer.refused and answer.answer == say("refusal", answer.language)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
