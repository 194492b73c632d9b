"""A policy answers as a variant: within its actions, with what it decided kept, and safely where anything is amiss."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from kernel.answer import Answer, AnswerEvent, PassagesEvent, PolicyReport
from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.policies import composition
from kernel.policies.composition import roll_back_if_worse
from kernel.policies.features import FEATURES
from kernel.policies.making import decision_store, policy_folder
from kernel.policies.network import digest_of
from kernel.settings import Settings
from plugins.memory.said import SAID_FILE
from retrieval.access import caller
from retrieval.errors import UsageError
from tests.adaptation.conftest import make_embedder
from tests.kernel.policies.made import file_for

QUESTION = "At what temperature is the kiln K2 fired?"
ACTIONS = [{"variant": "extractive"}, {"variant": "extractive", "top_k": 1}]
Open = Callable[..., Tekio]


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> dict[str, Any]:
    """Settings over an index of two documents, whose small embedder is loaded at once."""
    folder = tmp_path_factory.mktemp("policies")
    (folder / "docs").mkdir()
    for name, text in {
        "kiln.md": "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n",
        "glaze.md": "# Glaze\n\nThe ash glaze of the kiln dries for two days.\n",
    }.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    settings: dict[str, Any] = {
        "index": folder / "index",
        "embedder": str(make_embedder(folder / "tiny")),
        "embedder_engine": "torch",
        "chunk_tokens": 96,
        "cache": model_store.cache,
        "reading": False,
        "min_confidence": 0.0,
    }
    with closing(Tekio(Settings(**settings, memory=folder / "memory"))) as app:
        app.ingest([folder / "docs"])
    return settings


@pytest.fixture
def opened(tmp_path: Path, common: dict[str, Any]) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(policies: dict[str, Any], **settings: Any) -> Tekio:
            own = {
                **common,
                "memory": tmp_path / "memory",
                "policy_files": tmp_path / "policies",
                "answers": tmp_path / "answers.sqlite3",
                "policies": policies,
                **settings,
            }
            return stack.enter_context(closing(Tekio(Settings(**own))))

        yield make


def serve(tekio: Tekio, *, favours: int) -> None:
    """Have a policy serve that nearly always takes one action."""
    settings = tekio.settings
    policy_folder("smart", settings).activate(file_for(settings.policies["smart"], favours=favours))


def smart(**table: Any) -> dict[str, Any]:
    return {"smart": {"actions": ACTIONS, "explore": 0, "default_share": 0.01, **table}}


async def ask(tekio: Tekio, question: str = QUESTION, **options: Any) -> Answer:
    return await tekio.ask(question, variant="smart", **options)


async def chosen_by(tekio: Tekio) -> PolicyReport:
    found = (await ask(tekio)).policy
    assert found is not None
    return found


async def test_it_answers_with_sources_and_says_what_it_chose_and_how_likely_that_was(opened: Open) -> None:
    tekio = opened(smart(explore=0.02))
    serve(tekio, favours=1)
    answer = await ask(tekio)
    assert answer.policy is not None
    assert answer.variant == "smart"
    assert "1,240" in answer.answer
    assert answer.citations
    chosen = answer.policy
    if not chosen.default:  # 98 of 100
        assert (chosen.variant, chosen.top_k) == ("extractive", 1)
        assert chosen.probability == pytest.approx(0.98, abs=0.01)
        assert len(answer.passages) == 1
        assert chosen.reason == "The learned policy chose extractive, top 1."
    assert answer.cache is None, "what was drawn is never stored"


async def test_before_anything_is_trained_the_safe_default_answers(opened: Open) -> None:
    answer = await ask(opened(smart()))
    assert answer.policy is not None
    assert answer.policy.default
    assert answer.policy.top_k == 2
    assert "safe default" in answer.policy.reason


async def test_what_is_decided_is_kept_with_its_probability_and_without_text_or_names(
    opened: Open, tmp_path: Path
) -> None:
    tekio = opened(smart())
    serve(tekio, favours=1)
    answer = await ask(tekio, caller=caller("aki"))
    (kept,) = decision_store(tekio.settings).read("smart")
    assert answer.policy is not None
    assert kept.name == answer.policy.decision
    assert kept.data["probability"] == pytest.approx(answer.policy.probability, abs=1e-6)
    assert len(kept.data["features"]) == len(FEATURES)
    assert kept.data["supported"] == 1.0
    assert kept.data["seconds"] > 0
    with closing(sqlite3.connect(tmp_path / "memory" / SAID_FILE)) as connection:
        whole = json.dumps(connection.execute("SELECT * FROM decisions").fetchall()).casefold()
    assert "kiln" not in whole
    assert "aki" not in whole


async def test_a_member_that_is_not_there_or_fails_is_named_and_the_safe_default_answers(
    opened: Open,
) -> None:
    tekio = opened(smart(actions=[{"variant": "extractive"}, {"variant": "gone"}]))
    serve(tekio, favours=1)
    answers = [await ask(tekio) for _ in range(4)]
    failed = [answer for answer in answers if any("gone" in notice for notice in answer.notices)]
    assert failed, "one of four is of the policy's own share"
    assert "there is no variant 'gone'" in " ".join(failed[0].notices)
    assert all("1,240" in answer.answer for answer in answers)
    assert failed[0].policy is not None
    assert failed[0].policy.default
    rows = decision_store(tekio.settings).read("smart")
    assert [row.data["failed"] for row in rows].count(True) == len(failed)


async def test_the_passages_are_told_once_even_where_two_were_asked(opened: Open) -> None:
    tekio = opened(smart(actions=[{"variant": "extractive"}, {"variant": "gone"}]))
    serve(tekio, favours=1)
    events = [event async for event in tekio.ask_stream(QUESTION, variant="smart")]
    assert sum(isinstance(event, PassagesEvent) for event in events) == 1
    assert isinstance(events[-1], AnswerEvent)


async def test_what_is_to_be_remembered_is_no_decision(opened: Open) -> None:
    tekio = opened(smart())
    answer = await ask(tekio, "Remember that the kiln K2 is fired hotter on Fridays.")
    assert answer.policy is not None
    assert answer.policy.decision == ""
    assert decision_store(tekio.settings).read("smart") == []


@pytest.mark.parametrize(
    ("table", "line"),
    [
        (
            {"actions": [{"variant": "gone"}, {"variant": "extractive"}]},
            "safe default .* 'gone', which is not",
        ),
        ({"actions": [{"variant": "extractive", "technique": "magic"}]}, "technique 'magic', which is none"),
    ],
)
async def test_what_cannot_answer_at_all_is_refused_in_one_line(
    opened: Open, table: dict[str, Any], line: str
) -> None:
    with pytest.raises(UsageError, match=line) as raised:
        await ask(opened(smart(**table)))
    assert "\n" not in str(raised.value)


async def test_a_policy_of_other_actions_is_refused_at_the_start_and_passed_over_by_a_running_server(
    opened: Open,
) -> None:
    tekio = opened(smart())
    other = opened(smart(actions=ACTIONS[::-1]))
    serve(other, favours=1)
    with pytest.raises(UsageError, match="for other actions than the settings"):
        await ask(tekio)
    running = opened(smart())
    policy_folder("smart", running.settings).rollback()
    assert (await ask(running)).notices == []
    serve(other, favours=1)
    answer = await ask(running)
    assert "for other actions than the settings" in " ".join(answer.notices)
    assert answer.policy is not None
    assert answer.policy.default


async def test_a_running_server_takes_up_a_policy_and_its_rollback(opened: Open) -> None:
    tekio = opened(smart())
    assert "safe default" in (await chosen_by(tekio)).reason
    serve(tekio, favours=1)
    served = await chosen_by(tekio)
    assert served.probability < 0.02 if served.default else served.probability > 0.98
    policy_folder("smart", tekio.settings).rollback()
    assert "safe default" in (await chosen_by(tekio)).reason


async def test_thumbs_of_real_answers_become_rewards_of_what_was_decided(opened: Open) -> None:
    from kernel.policies.experience import experience_of

    tekio = opened(smart(rewards={"correct": 1, "supported": 0, "short": 0, "fast": 0}))
    good, bad, unrated = [await ask(tekio) for _ in range(3)]
    tekio.memory.rate(good, "up")
    tekio.memory.rate(bad, "down")
    assert unrated.policy is not None
    assert tekio.memory.opened_source(unrated.policy.decision)
    rows = experience_of(
        decision_store(tekio.settings).read("smart"),
        tekio.memory.feedback(everybody=True),
        tekio.settings.policies["smart"],
    )
    assert [row.reward for row in rows] == [1.0, 0.0, 0.6]


async def test_a_policy_whose_rewards_fall_below_the_defaults_is_taken_out_while_it_serves(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "WATCH_EVERY", 1)
    tekio = opened(smart())
    settings = tekio.settings
    folder, store = policy_folder("smart", settings), decision_store(settings)
    serve(tekio, favours=1)
    first = await ask(tekio)
    assert first.policy is not None
    (row,) = store.read("smart")
    revision = digest_of(folder.serving)
    for number in range(30):  # as if it had served for long: its own answers nobody could support
        for arm, supported in (("policy", 0.0), ("default", 1.0)):
            changed = {**row.data, "arm": arm, "supported": supported, "revision": revision}
            store.add("smart", f"{arm}{number}", changed, row.at)
    await ask(tekio)
    for _ in range(200):
        if not folder.serving.exists():
            break
        await asyncio.sleep(0.05)
    assert not folder.serving.exists()
    assert (await chosen_by(tekio)).default
    assert list((folder.folder / "taken_out").iterdir()), "it is kept to be looked at"


def test_a_sound_policy_stays_and_the_one_before_comes_back_when_one_is_taken_out(opened: Open) -> None:
    tekio = opened(smart())
    settings = tekio.settings
    folder, store = policy_folder("smart", settings), decision_store(settings)
    with pytest.raises(UsageError, match="its safe default answers already"):
        folder.rollback()
    assert not roll_back_if_worse("smart", settings.policies["smart"], folder, store, lambda: [])
    serve(tekio, favours=0)
    before = folder.serving.read_bytes()
    serve(tekio, favours=1)
    assert not roll_back_if_worse("smart", settings.policies["smart"], folder, store, lambda: [])
    assert folder.rollback(only="another digest") == folder.serving
    assert folder.rollback() == folder.serving
    assert folder.serving.read_bytes() == before
    assert folder.rollback() is None


async def test_an_action_has_its_technique_and_temperature(opened: Open, small_base: Path) -> None:
    tekio = opened(
        {
            "smart": {
                "actions": [{"variant": "base", "technique": "one_shot", "temperature": 1.5, "top_k": 1}]
            }
        },
        generator=str(small_base),
    )
    answer = await ask(tekio, trace=True, max_new_tokens=8)
    assert answer.policy is not None
    assert (answer.policy.temperature, answer.policy.technique, answer.policy.top_k) == (1.5, "one_shot", 1)
    assert answer.trace is not None
    (generated,) = [step for step in answer.trace.steps if step.name == "generate"]
    assert generated.notes["temperature"] == 1.5
    assert generated.notes["technique"] == "one_shot"
    cold = await tekio.ask(QUESTION, variant="base", technique="one_shot", max_new_tokens=8)
    assert cold.cache is None, "what was drawn was not stored as if it were not"
