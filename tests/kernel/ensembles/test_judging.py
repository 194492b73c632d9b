"""Members judge the others' answers by how likely they find them, where they can."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from kernel.answer import Answer
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.local_chat import LocalChatCompletion
from kernel.chat.one_at_a_time import OneAtATime
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.serving import Serving
from kernel.ensembles.asking import Heard
from kernel.ensembles.judging import Likelihoods, judged
from kernel.ensembles.settings import MemberSettings
from tests.kernel.ensembles.made import answer

PROMPT = [
    {"role": "user", "content": "Passage [1]: the kiln K2 is fired at 1,240 degrees. How hot is the kiln K2?"}
]
OTHER = "Purple lamps of Zanzibar sing."


@pytest.fixture(scope="module")
def engine(small_base: Path) -> Iterator[BatchedGenerator]:
    serving = Serving(precision="float32", cache_mb=32, threads=2)
    one = BatchedGenerator(small_base.name, small_base, serving, ChatTokenizer(small_base))
    yield one
    one.close()


def asked_of(service: LocalChatCompletion) -> Likelihoods:
    async def likelihoods(
        name: str, messages: Sequence[Mapping[str, str]], texts: Sequence[str], about: str
    ) -> list[float] | None:
        return await service.likelihoods(messages, texts, most_tokens=64, about=about)

    return likelihoods


def heard(place: int, said: Answer, *, prompt: list[dict[str, str]]) -> Heard:
    return Heard(place, MemberSettings(variant="base"), "zero_shot", said, prompt=prompt)


async def test_a_member_prefers_what_it_would_write_itself(engine: BatchedGenerator) -> None:
    own = engine.start(PROMPT, Sampling(max_new_tokens=16)).result(60).text
    spoke = [
        heard(0, answer("It is hot."), prompt=PROMPT),
        heard(1, answer(f"{own} [1]"), prompt=[]),
        heard(2, answer(f"{OTHER} [?]"), prompt=PROMPT),
        heard(3, answer(OTHER, variant="extractive"), prompt=PROMPT),
    ]
    likelihoods = asked_of(LocalChatCompletion(service_id="base", generator=engine))
    found = await judged(spoke, "How hot is it?", likelihoods, 60)
    assert set(found) == {0, 2}, "not one whose answer was stored, nor one that gave its draft up"
    for values in found.values():
        assert values[1] > values[2] == pytest.approx(values[3], abs=1e-6), "without their markers"
        assert all(value < 0 for value in values)


async def test_members_that_cannot_tell_or_take_too_long_do_not_judge(
    engine: BatchedGenerator, small_base: Path
) -> None:
    spoke = [heard(place, answer(OTHER), prompt=PROMPT) for place in range(2)]
    one_by_one = OneAtATime(LanguageModel("base", small_base), None)  # type: ignore[arg-type]
    plain = asked_of(LocalChatCompletion(service_id="base", generator=one_by_one))
    assert await judged(spoke, "", plain, 60) == {}
    assert await judged(spoke, "", None, 60) == {}

    async def slow(*_: object) -> list[float] | None:
        await asyncio.Event().wait()
        return None

    assert await judged(spoke, "", slow, 0.01) == {}
    far = [{"role": "user", "content": "kiln " * 9000}]
    batched = asked_of(LocalChatCompletion(service_id="base", generator=engine))
    assert await judged([heard(0, answer(OTHER), prompt=far)], "", batched, 60) == {}
