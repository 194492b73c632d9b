"""Examples that experts keep: what is taken, what is shown to whom, what is left out."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.example_check import checked, example_id, from_fields, refuses
from plugins.example_choice import candidates_of, choose_examples, same_question
from plugins.example_store import DATABASE_FILE, ExampleStore
from plugins.prompt_functions import Example, load_examples, render_examples
from retrieval.errors import TekioError, UsageError
from retrieval.sentence_transformer import SentenceTransformerEmbedder

PUMP = Example(
    ("Pump P-3 is greased every 200 hours.", "Pump P-4 has no grease point."),
    "How often is pump P-3 greased?",
    "Passage [1] says every 200 hours.",
    "Pump P-3 is greased every 200 hours [1].",
)
REFUSAL = Example(("Pumps are blue.",), "Who sells the pumps?", "", "I don't know.")


@pytest.fixture
def store(tmp_path: Path) -> ExampleStore:
    return ExampleStore(tmp_path / "examples")


def test_shipped_examples_are_there_before_anything_is_made(store: ExampleStore) -> None:
    shipped = store.examples(language="ja")
    assert [item.example for item in shipped] == list(load_examples("ja"))
    assert not store.file.parent.exists()


def test_an_added_example_is_found_by_another_process_and_replaced_by_its_question(
    store: ExampleStore,
) -> None:
    stored, new = store.add(PUMP, "en")
    assert new
    again = ExampleStore(store.file.parent)
    assert again.get(stored.id[:6]).example == PUMP
    better = Example(PUMP.passages, "how often is  PUMP P-3 greased?", "", "Every 200 hours [1].")
    replaced, new = again.add(better, "en")
    assert (replaced.id, new) == (stored.id, False)
    assert [item.example.answer for item in store.examples() if item.origin == "added"] == [
        "Every 200 hours [1]."
    ]


def test_a_shipped_example_that_is_deleted_stays_away(store: ExampleStore) -> None:
    first = store.examples(language="en")[0]
    store.delete(first.id)
    assert first.id not in {item.id for item in ExampleStore(store.file.parent).examples()}
    with pytest.raises(UsageError, match="no example has the id"):
        store.delete(first.id)


def test_an_example_of_a_user_is_seen_by_that_user_alone(store: ExampleStore) -> None:
    store.add(PUMP, "en", owner="aoki")
    stored, _ = store.add(PUMP, "en")

    def seen(user: str | None) -> list[str]:
        return [item.owner for item in store.examples(language="en", user=user) if item.origin == "added"]

    assert seen("aoki") == ["aoki", ""] or seen("aoki") == ["", "aoki"]
    assert seen("baba") == seen("") == [""]
    assert sorted(seen(None)) == ["", "aoki"]
    for user in ("aoki", ""):
        with pytest.raises(UsageError, match="not yours"):
            store.delete(stored.id, user=user)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"question": "Q?", "passages": ["P."], "answer": "Yes."}, "must cite its passages"),
        ({"question": "Q?", "passages": ["P."], "answer": "Yes [2]."}, r"cites \[2\], but has 1"),
        ({"question": "", "passages": ["P."], "answer": "Yes [1]."}, "question of an example is empty"),
        ({"question": "Q?", "passages": [], "answer": "Yes [1]."}, "1 to 10 passages"),
        ({"question": "Q?", "passages": "P.", "answer": "Yes [1]."}, "must be a list"),
        ({"question": "Q?", "passages": [3], "answer": "Yes [1]."}, "'passages' of an example must be text"),
        ({"question": "Q?", "passages": ["P."], "answer": "Yes [1].", "score": 1}, "no field 'score'"),
        ({"question": "Q?", "passages": ["P" * 5000], "answer": "Yes [1]."}, "5,000 characters"),
    ],
)
def test_a_wrong_example_is_one_clear_line(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        checked(from_fields(fields)[0])
    assert "\n" not in str(raised.value)


def test_a_language_without_prompts_is_refused(store: ExampleStore) -> None:
    with pytest.raises(UsageError, match="en or ja, not 'fr'"):
        store.add(PUMP, "fr")


@given(st.text(min_size=1, max_size=200))
def test_no_text_of_an_example_can_open_another_part_of_the_prompt(text: str) -> None:
    try:
        made = checked(Example((f"a{text}",), f"b{text}?", text, f"I don't know {text}"))
    except UsageError:
        return  # it cites what is not there
    shown = render_examples("hybrid", "en", [made])
    assert len(shown.splitlines()) <= 5 or all(line.strip() for line in shown.splitlines())
    assert "\n\n" not in shown
    assert checked(made) == made
    shown.encode("utf-8")


def test_ids_do_not_depend_on_width_case_and_space() -> None:
    assert example_id("en", "Is  PUMP Ｐ-3 on?", "") == example_id("en", "is pump p-3 on?", "")
    assert example_id("en", "Is it on?", "") != example_id("en", "Is it on?", "aoki")


def test_a_file_that_is_no_database_is_named(store: ExampleStore) -> None:
    store.file.parent.mkdir()
    store.file.write_text("this is no database, and long enough to be looked at " * 20)
    with pytest.raises(TekioError, match=DATABASE_FILE):
        store.examples()
    with pytest.raises(TekioError, match="mend the file"):
        store.add(PUMP, "en")


def test_vectors_are_kept_and_another_embedder_embeds_anew_with_a_message(
    tmp_path: Path, embedder: SentenceTransformerEmbedder
) -> None:
    said: list[str] = []
    store = ExampleStore(tmp_path, say=said.append)
    stored, _ = store.add(PUMP, "en")
    first = store.vectors([stored], embedder)
    assert first.shape == (1, embedder.signature.dimension)
    assert said == ["1 example is embedded by multilingual-e5-small"]
    again = ExampleStore(tmp_path, say=said.append)
    assert (again.vectors([stored], embedder) == first).all()
    assert len(said) == 1, "they were read, not made again"
    other = SentenceTransformerEmbedder(embedder.folder, model="another", revision="2")
    other_store = ExampleStore(tmp_path, say=said.append)
    other_store.vectors([stored], other)
    assert said[1:] == ["1 example is embedded by another"]
    with sqlite3.connect(store.file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone()[0] == 2
    store.delete(stored.id)
    with sqlite3.connect(store.file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone()[0] == 0


@pytest.mark.parametrize(
    ("question", "other", "same"),
    [
        ("How often is pump P-3 greased?", "how often is Pump P-3 greased", True),
        ("ポンプP-3の給脂間隔は？", "ポンプＰ-3 の給脂間隔は。", True),
        ("How often is pump P-3 greased?", "How often is pump P-4 greased?", False),
        ("How often is pump P-3 greased?", "Who greases pump P-3?", False),
    ],
)
def test_the_same_question_is_known_in_another_spelling(question: str, other: str, same: bool) -> None:
    assert same_question(question, other) is same


async def chosen(
    store: ExampleStore,
    embedder: SentenceTransformerEmbedder,
    question: str,
    wanted: int,
    budget: int = 10_000,
) -> list[Example]:
    stored = store.examples(language="en")
    vectors = store.vectors(stored, embedder)
    (asked,) = embedder.embed_queries([question])

    async def count(text: str) -> int:
        return len(text.split())

    def render(examples: object) -> str:
        return render_examples("few_shot", "en", examples)  # type: ignore[arg-type]

    return await choose_examples(candidates_of(stored, vectors, asked), wanted, render, count, budget)


async def test_the_nearest_example_stands_last_and_one_of_three_refuses(
    store: ExampleStore, embedder: SentenceTransformerEmbedder
) -> None:
    store.add(PUMP, "en")
    store.add(REFUSAL, "en")
    three = await chosen(store, embedder, "At which interval is the pump P-9 lubricated?", 3)
    assert three[-1] == PUMP
    assert [refuses(example) for example in three].count(True) == 1
    (one,) = await chosen(store, embedder, "At which interval is the pump P-9 lubricated?", 1)
    assert one == PUMP


async def test_alike_examples_do_not_crowd_out_others(
    store: ExampleStore, embedder: SentenceTransformerEmbedder
) -> None:
    for number in range(3, 9):
        text = f"Pump P-{number} is greased every 200 hours."
        store.add(Example((text,), f"How often is pump P-{number} greased?", "", f"{text[:-1]} [1]."), "en")
    valve = Example(("Valve V-1 is oiled monthly.",), "How often is the valve V-1 oiled?", "", "Monthly [1].")
    store.add(valve, "en")
    assert valve in await chosen(store, embedder, "How often is pump P-1 greased?", 3)


@pytest.mark.parametrize("budget", [0, 20, 40, 60, 200])
async def test_the_budget_of_tokens_holds(
    store: ExampleStore, embedder: SentenceTransformerEmbedder, budget: int
) -> None:
    store.add(PUMP, "en")
    found = await chosen(store, embedder, "How often is pump P-9 greased?", 3, budget)
    assert len(render_examples("few_shot", "en", found).split()) <= budget
    assert bool(found) == (budget > 0) or budget == 20


def test_the_json_of_an_example_holds_all_of_it(store: ExampleStore) -> None:
    stored, _ = store.add(PUMP, "en")
    held = json.loads(json.dumps(stored.as_dict()))
    assert from_fields({k: held[k] for k in ("question", "passages", "answer", "reasoning")})[0] == PUMP
