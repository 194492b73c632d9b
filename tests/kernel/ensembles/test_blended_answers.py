"""An ensemble that mixes tokens answers as any variant does, and tells of its members."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from kernel.answer import Answer, AnswerEvent, TokenEvent
from kernel.app import Tekio
from kernel.chat.local_chat import LocalChatCompletion
from kernel.ensembles.settings import EnsembleSettings
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError

QUESTION = "How many hours is the kiln K2 fired?"
WHY = "Why is the glaze G-7 stirred?"


@pytest.fixture(scope="module")
def tekio(
    model_store: ModelStore, small_base: Path, adapters: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tekio]:
    root = tmp_path_factory.mktemp("mixed")
    (root / "docs").mkdir()
    (root / "docs" / "kiln.md").write_text("# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n")
    (root / "docs" / "glaze.md").write_text("# Glaze\n\nGlaze G-7 is stirred since it settles at once.\n")
    shutil.copytree(adapters, root / "adapters")
    shutil.copytree(adapters / "loud", root / "adapters" / "cut")
    weights = root / "adapters" / "cut" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    even = ["base", {"variant": "loud", "weights": {"reason": 0}}]
    ensembles = {
        "mix": {"members": even, "rule": "linear"},
        "alone": {"members": [{"variant": "base", "weight": 0}, "loud"], "rule": "log_linear"},
        "hurt": {"members": ["cut", "base"], "rule": "linear"},
        "in_steps": {"members": ["extractive", {"variant": "mix", "samples": 2, "step_votes": True}]},
        "together": {
            "members": [
                "extractive",
                {"variant": "base", "samples": 2, "step_votes": True, "step_voters": ["loud", "mix"]},
            ]
        },
        "apart": {
            "members": [
                "extractive",
                {"variant": "base", "samples": 2, "step_votes": True, "step_voters": ["far"]},
            ]
        },
        "odd": {"members": ["base", "extractive"], "rule": "linear"},
    }
    app = Tekio(
        Settings(
            index=root / "index",
            memory=root / "memory",
            adapters=root / "adapters",
            cache=model_store.cache,
            generator=str(small_base),
            ensembles=ensembles,
            variants={"far": {"engine": "openai", "address": "http://127.0.0.1:9/v1", "model": "none"}},
            max_new_tokens=12,
            min_confidence=0.0,
            reading=False,
            kv_cache_mb=64,
        )
    )
    app.ingest([root / "docs"])
    yield app
    app.close()


async def told(tekio: Tekio, variant: str, question: str = QUESTION, **more: object) -> tuple[str, Answer]:
    """Return what a variant writes, and the answer that is made of it."""
    pieces: list[str] = []
    answer = None
    async with aclosing(tekio.ask_stream(question, variant=variant, cache=False, **more)) as events:  # type: ignore[arg-type]
        async for event in events:
            if isinstance(event, TokenEvent):
                pieces.append(event.text)
            elif isinstance(event, AnswerEvent):
                answer = event.answer
    assert answer is not None
    return "".join(pieces), answer


async def test_a_mixture_votes_on_each_step_of_a_chain_of_thought(tekio: Tekio) -> None:
    answer = await tekio.ask(
        QUESTION, variant="in_steps", technique="chain_of_thought", language="en", cache=False
    )
    assert answer.ensemble is not None
    stepwise = answer.ensemble.members[1]
    assert stepwise.error == ""
    # Each step is a request of its own, which reads the prompt again: whole drafts would read it once.
    whole = await tekio.ask(QUESTION, variant="mix", technique="chain_of_thought", samples=2, cache=False)
    assert stepwise.prompt_tokens > whole.usage.prompt_tokens > 0


async def test_several_members_vote_on_each_step_of_one_chain_of_thought(
    tekio: Tekio, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, int]] = []
    write = LocalChatCompletion.get_chat_message_contents

    async def noted(self: LocalChatCompletion, history: Any, settings: Any, **more: Any) -> Any:
        asked.append((self.service_id, str(history.messages[-1].content), settings.drafts))
        return await write(self, history, settings, **more)

    monkeypatch.setattr(LocalChatCompletion, "get_chat_message_contents", noted)
    answer = await tekio.ask(
        QUESTION, variant="together", technique="chain_of_thought", language="en", cache=False
    )
    assert answer.ensemble is not None
    stepwise = answer.ensemble.members[1]
    assert stepwise.error == ""
    drafts = list(dict.fromkeys(draft for _, draft, _ in asked))
    assert len(drafts) >= 2, "a step at least, and the answer"
    # From each draft that was elected so far all of them go on, and none from one of its own.
    for draft in drafts:
        assert [(who, count) for who, each, count in asked if each == draft] == [
            ("base", 2),
            ("loud", 2),
            ("mix", 2),
        ]


async def test_who_cannot_write_on_from_a_draft_has_no_vote_on_its_steps(tekio: Tekio) -> None:
    with pytest.raises(UsageError, match="votes on steps with 'far', which cannot write on from a draft"):
        await tekio.ask(QUESTION, variant="apart", technique="chain_of_thought")
    with pytest.raises(ValueError, match="step_voters go with step_votes"):
        EnsembleSettings.model_validate(
            {"members": ["extractive", {"variant": "base", "step_voters": ["loud"]}]}
        )
    twice = {"variant": "base", "samples": 2, "step_votes": True, "step_voters": ["base"]}
    with pytest.raises(ValueError, match="'base' votes twice on the steps of 'base'"):
        EnsembleSettings.model_validate({"members": ["extractive", twice]})
    with pytest.raises(ValueError, match="circle"):
        Settings(ensembles={"loop": {"members": ["extractive", {**twice, "step_voters": ["loop"]}]}})


async def test_the_members_with_their_weights_are_told_and_the_kind_they_are_for(tekio: Tekio) -> None:
    (text, answer), (base, bare), (loud, _) = [
        await told(tekio, variant) for variant in ("mix", "base", "loud")
    ]
    assert len({text, base, loud}) >= 2
    assert answer.ensemble is not None
    assert bare.ensemble is None
    assert answer.ensemble.rule == "linear"
    assert [(each.variant, each.weight) for each in answer.ensemble.members] == [("base", 0.5), ("loud", 0.5)]
    assert "mean of the probabilities" in answer.ensemble.explanation
    assert answer.usage.prompt_tokens == bare.usage.prompt_tokens
    why, by_kind = await told(tekio, "mix", WHY)
    assert by_kind.ensemble is not None
    assert [each.weight for each in by_kind.ensemble.members] == [1, 0]
    assert by_kind.ensemble.explanation.endswith("for questions of the kind reason.")
    assert why == (await told(tekio, "base", WHY))[0]


async def test_all_weight_on_one_member_writes_what_it_writes(tekio: Tekio) -> None:
    steps = tekio._start()._local.state()
    assert steps is not None
    alone, _ = await told(tekio, "alone")
    after = tekio._start()._local.state()
    assert after is not None
    assert after.rows - steps.rows <= after.steps - steps.steps, "the other was not computed"
    assert alone == (await told(tekio, "loud"))[0]


async def test_where_a_member_is_broken_the_rest_answer_and_it_is_named(tekio: Tekio) -> None:
    text, answer = await told(tekio, "hurt")
    assert text == (await told(tekio, "base"))[0]
    assert any("member cut of the ensemble took no part" in each for each in answer.notices)
    assert any("only base was left" in each for each in answer.notices)
    assert answer.ensemble is not None
    assert answer.ensemble.members[0].error


async def test_drafts_of_a_mixture_are_voted_on(tekio: Tekio) -> None:
    _, answer = await told(tekio, "mix", samples=3, technique="chain_of_thought")
    assert answer.samples is not None
    assert answer.samples.n == 3
    assert answer.ensemble is not None


async def test_one_who_leaves_a_mixture_frees_all_its_rows(tekio: Tekio) -> None:
    pool = tekio._start()._local.engines()._find_batched().load()._pool
    free = pool.available
    async with aclosing(tekio.ask_stream(QUESTION, variant="mix", cache=False)) as events:
        async for event in events:
            if isinstance(event, TokenEvent):
                break
    for _ in range(200):
        if pool.available == free:
            break
        await asyncio.sleep(0.05)
    assert pool.available == free


async def test_what_cannot_be_mixed_is_said_when_it_is_asked(tekio: Tekio) -> None:
    assert "odd" in tekio.variants()
    with pytest.raises(UsageError, match="its member 'extractive' quotes sentences"):
        await tekio.ask(QUESTION, variant="odd")
