"""A member whose weights are held in 4 bits beside the same model in float, in one process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kernel.app import Tekio
from kernel.chat.local_chat import LocalChatCompletion
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.variant_settings import VariantSettings

HOT = "At what temperature is the kiln K2 fired?"


@pytest.fixture(scope="module")
def tekio(
    model_store: ModelStore, small_base: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tekio]:
    place = tmp_path_factory.mktemp("quantised")
    (place / "docs").mkdir()
    (place / "docs" / "kiln.md").write_text("# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n")
    (place / "docs" / "glaze.md").write_text("# Glaze\n\nGlaze G-7 is stirred for 20 minutes before use.\n")
    settings = Settings(
        index=place / "index",
        memory=place / "memory",
        adapters=place / "adapters",
        cache=model_store.cache,
        generator=str(small_base),
        precision="float32",
        max_new_tokens=12,
        min_confidence=0.0,
        reading=False,
        answer_cache=False,
        kv_cache_mb=64,
        variants={"light": {"engine": "local", "precision": "int4-weights"}},
        ensembles={
            "both": {
                "members": [
                    "base",
                    "light",
                    {"variant": "base", "samples": 2, "step_votes": True, "step_voters": ["light"]},
                ]
            }
        },
    )
    app = Tekio(settings)
    app.ingest([place / "docs"])
    yield app
    app.close()


async def test_a_quantised_member_answers_beside_the_float_one_and_at_the_same_time(
    tekio: Tekio, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = {"base": threading.Event(), "light": threading.Event()}
    write = LocalChatCompletion.get_streaming_chat_message_contents

    async def together(self: LocalChatCompletion, *given: Any, **more: Any) -> Any:
        begun[self.service_id].set()
        for each in begun.values():  # none writes before the other has begun too: they are side by side
            assert await asyncio.to_thread(each.wait, 120)
        async for piece in write(self, *given, **more):
            yield piece

    monkeypatch.setattr(LocalChatCompletion, "get_streaming_chat_message_contents", together)
    answer = await tekio.ask(HOT, variant="both", technique="zero_shot")
    assert answer.ensemble is not None
    float_one, light, _ = answer.ensemble.members
    assert (float_one.error, light.error) == ("", "")
    assert light.variant == "light"
    assert light.completion_tokens > 0
    assert light.prompt_tokens == float_one.prompt_tokens > 0
    engine = tekio._start()
    assert "int4-weights" in engine.variants.get("light").revision
    assert "float32" in engine.variants.get("base").revision
    assert engine.variants.get("light").revision in engine.variants.get("both").revision


async def test_it_votes_on_steps_with_the_float_one(tekio: Tekio) -> None:
    answer = await tekio.ask(HOT, variant="both", technique="chain_of_thought", language="en")
    assert answer.ensemble is not None
    stepwise = answer.ensemble.members[2]
    assert (stepwise.variant, stepwise.error) == ("base", "")
    assert stepwise.prompt_tokens > answer.ensemble.members[0].prompt_tokens


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"engine": "local", "adapter": "a"}, "takes no adapter"),
        ({"engine": "local", "precision": "int3"}, "precision"),
        ({"engine": "seq2seq", "model": "t5", "precision": "int8"}, "precision belongs to the engine local"),
        ({"engine": "seq2seq", "model": "t5", "draft": "x"}, "a draft belongs to the engine local"),
        ({"engine": "local", "key": "SOME_KEY"}, "belong to the engine openai"),
    ],
)
def test_what_does_not_go_with_it_is_refused(told: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        VariantSettings.model_validate(told)
