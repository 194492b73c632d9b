"""A variant may have a draft of its own, whose weights are held in other bits; what is written stays the same."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from kernel.chat.generation import Generation, Sampling
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings


def test_a_draft_in_four_bits_guesses_for_its_model_and_changes_no_token(
    model_store: ModelStore, small_base: Path
) -> None:
    settings = Settings(
        cache=model_store.cache,
        generator=str(small_base),
        generator_engine="openvino",
        draft_precision="int4-weights",
        kv_cache_mb=64,
        threads=2,
    )

    def written(draft: str) -> Generation:
        engines, _ = LanguageModels(settings, model_store).apart("", "auto", draft)
        with closing(engines):
            chat = [{"role": "user", "content": "Which colours has a rainbow?"}]
            generator = engines.bind(None).generator
            return generator.start(chat, Sampling(max_new_tokens=24)).result(120)

    alone, guessed = written(""), written(str(small_base))
    assert guessed.text == alone.text
    assert 0 < guessed.accepted_tokens <= guessed.drafted_tokens
