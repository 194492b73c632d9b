"""What stored answers of an engine depend on beside the question, and when an answer is one person's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from kernel.answer_cache import AnswerCache
from kernel.answer_key import folder_digest, program_digest, settings_digest
from kernel.answering.answerability import AnswerabilityModel
from kernel.answering.asked import Asked
from kernel.answering.examples import shown_to
from kernel.memories import Memories
from kernel.settings import Settings
from kernel.techniques import Technique
from plugins.example_store import ExampleStore
from plugins.memory.rules import fact_to_remember
from plugins.prompt_functions import examples_of
from retrieval.embedding import EmbedderSignature
from retrieval.errors import TekioError


def open_answers(settings: Settings) -> AnswerCache | None:
    """Return where answers are stored; None where the settings store none."""
    if not settings.stores_answers:
        return None
    return AnswerCache(settings.answers_file, most_mb=settings.answer_cache_mb)


def fixed_parts(
    settings: Settings,
    signature: EmbedderSignature,
    model: AnswerabilityModel,
    threshold: float,
    reading: str,
) -> list[str]:
    """Return what changes with all that answers depend on while an engine lives.

    Args:
        settings: of the engine.
        signature: of the embedder.
        model: estimates whether the passages hold the answer.
        threshold: the estimate below which a question is refused.
        reading: the revision of the reading model; empty where there is none.
    """
    return [
        settings_digest(settings),
        program_digest(),
        repr(signature),
        repr((model, threshold)),
        reading,
        folder_digest(path for root in settings.prompts for path in root.rglob("*") if path.is_file()),
    ]


def examples_digest(examples: ExampleStore) -> Callable[[Asked], Sequence[str]]:
    """Return what tells what changes with the worked examples that a prompt for a question may show."""

    def moving(asked: Asked) -> list[str]:
        if isinstance(asked.technique, Technique) and not examples_of(asked.technique.value):
            return []
        rows = [item.as_dict() for item in shown_to(examples, asked.caller)]
        return [hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()]

    return moving


def personal_by(memories: Memories, *, recalled: int) -> Callable[[Asked], bool]:
    """Return what says whether an answer may rest on what is remembered for whoever asks: such ones are not shared.

    Args:
        memories: of everybody.
        recalled: how many things remembered a question recalls.
    """

    def is_personal(asked: Asked) -> bool:
        if fact_to_remember(asked.question) is not None:
            return True
        if not asked.memory or not recalled:
            return False
        try:
            return bool(memories.listed(asked.caller))
        except TekioError:
            return True

    return is_personal
