"""What people do with an answer that a policy chose reaches what it learns from: by the API and on the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest

from kernel.answer import Answer
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.policies.experience import experience_of
from kernel.policies.making import decision_store
from kernel.settings import Settings
from tests.adaptation.conftest import make_embedder, write_documents
from tests.ui.serving import own_settings, served
from ui.chat_engine import Engine
from ui.page.here import Here
from ui.page.talk import note_opened
from ui.page.turn import Turn

POLICY = {
    "actions": [{"variant": "extractive"}, {"variant": "extractive", "top_k": 1}],
    "rewards": {"correct": 1, "supported": 0, "short": 0, "fast": 0},
}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Settings:
    folder = tmp_path_factory.mktemp("served")
    made = own_settings(
        folder,
        model_store,
        embedder=str(make_embedder(folder / "tiny")),
        embedder_engine="torch",
        chunk_tokens=96,
        reading=False,
        min_confidence=0.0,
        policies={"smart": POLICY},
        policy_files=folder / "policies",
    )
    with closing(Tekio(made)) as tekio:
        tekio.ingest([write_documents(folder / "documents", 4)])
    return made


@pytest.fixture(scope="module")
def api(settings: Settings) -> Iterator[httpx.Client]:
    with served(Tekio, settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def asked(api: httpx.Client) -> Answer:
    said = api.post("/v1/ask", json={"question": "How deep is the pump?", "variant": "smart"})
    assert said.status_code == 200, said.text
    return Answer.model_validate(said.json())


def rewards(settings: Settings) -> dict[str, float]:
    with closing(Tekio(settings)) as tekio:
        said = tekio.memory.feedback(everybody=True)
    decisions = decision_store(settings).read("smart")
    return {row.name: row.reward for row in experience_of(decisions, said, settings.policies["smart"])}


def decision_of(answer: Answer) -> str:
    assert answer.policy is not None
    assert len(answer.policy.decision) == 32
    return answer.policy.decision


def test_thumbs_corrections_and_opened_sources_over_the_api_become_rewards(
    api: httpx.Client, settings: Settings
) -> None:
    liked, mended, opened, left = [asked(api) for _ in range(4)]
    liked_row = {"answer": liked.model_dump(mode="json"), "rating": "up"}
    assert api.post("/v1/feedback", json=liked_row).status_code == 200
    mended_row = {
        "answer": mended.model_dump(mode="json"),
        "rating": "down",
        "correction": "Ask the foreman.",
    }
    assert api.post("/v1/feedback", json=mended_row).status_code == 200
    noted = api.post("/v1/feedback/opened", json={"decision": decision_of(opened)})
    assert noted.json() == {"noted": True}
    found = rewards(settings)
    assert found[decision_of(liked)] == 1.0
    assert 0 < found[decision_of(mended)] < 0.7
    assert found[decision_of(opened)] == 0.6
    assert found[decision_of(left)] == 0.5


def test_a_source_of_an_answer_that_no_policy_chose_is_no_decision(api: httpx.Client) -> None:
    assert api.post("/v1/feedback/opened", json={"decision": "0" * 32}).json() == {"noted": False}
    assert api.post("/v1/feedback/opened", json={"decision": "'; DROP"}).status_code == 422


def test_a_source_that_is_opened_on_the_page_is_noted(api: httpx.Client, settings: Settings) -> None:
    answer = asked(api)
    here = Here(Engine(settings), None, "en", settings)
    note_opened(here, Turn("How deep is the pump?"))  # not answered yet
    note_opened(here, Turn("How deep is the pump?", answer=answer))
    assert rewards(settings)[decision_of(answer)] == 0.6
