"""What the reading model learns from, and that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.span_reader.examples import Asked, make_examples
from adaptation.span_reader.training import Encoded, Recipe, encode, train
from adaptation.span_reader.words import words_of
from kernel.answering.reading import Reading
from kernel.model_store import ModelStore
from kernel.reading_model import BASE, find_reader
from retrieval.token_counter import load_tokenizer

MILL = "The Harrow mill was opened in 1884 by Ada Bell. It had forty looms."
SHED = "The Tarn shed was closed in 1931 by Otto Reed. It had nine carts."


def asked(question: str = "When was the Harrow mill opened?", **more: object) -> Asked:
    given: dict[str, object] = {
        "question": question,
        "answers": ("1884",),
        "text": MILL,
        "language": "en",
        "group": "mill",
        "others": (SHED,),
    }
    return Asked(**(given | more))  # type: ignore[arg-type]


def test_there_are_right_passages_other_ones_and_changed_questions() -> None:
    rows = [
        asked(),
        asked("When was the Tarn shed closed?", answers=("1931",), text=SHED, others=(MILL,)),
    ] * 20
    found = make_examples(rows, seed=0)
    kinds = {kind: [each for each in found if each.kind == kind] for kind in ("right", "other", "changed")}
    assert len(kinds["right"]) == 40
    assert 10 < len(kinds["other"]) < 40
    assert 5 < len(kinds["changed"]) < 40
    for each in kinds["right"]:
        assert [each.text[start:end] for start, end in each.spans] == list(each.answers)
    for each in (*kinds["other"], *kinds["changed"]):
        assert each.spans == ()
    assert all(each.text != (MILL if "Harrow" in each.question else SHED) for each in kinds["other"])
    originals = {row.question for row in rows}
    assert not originals & {each.question for each in kinds["changed"]}


def test_a_changed_question_names_what_its_passage_does_not() -> None:
    rows = [asked(), asked("When was the Tarn shed closed?", answers=("1931",), text=SHED, others=())] * 20
    for each in make_examples(rows, seed=1):
        if each.kind == "changed":
            new = {word.text for word in words_of(each.question, "en") if word.name}
            assert any(name not in each.text for name in new)


def test_what_stands_nowhere_or_is_as_long_as_a_paragraph_is_left_out() -> None:
    assert make_examples([asked(answers=("1999",))], seed=0) == []
    assert make_examples([asked(answers=("x" * 200,), text="x" * 200)], seed=0) == []


@given(st.integers(0, 10_000), st.integers(0, 6000))
def test_of_a_long_text_a_stretch_is_shown_that_holds_the_answer(seed: int, place: int) -> None:
    text = "so it goes on " * 500
    text = text[:place] + " in 1884 " + text[place:]
    (found, *_) = make_examples([asked(text=text, others=())], seed=seed)
    ((start, end),) = found.spans
    assert found.text[start:end] == "1884"
    assert found.text in text
    assert len(found.text) < 1200


def test_spans_are_the_tokens_that_hold_the_answer(model_store: ModelStore) -> None:
    tokenizer = load_tokenizer(model_store.resolve(BASE).folder / "tokenizer.json")
    right = make_examples([asked(others=(), question="when was it opened")], seed=0)[0]
    (row,) = encode(tokenizer, [right])
    ((first, last),) = row.spans
    start = row.window.offsets[first - row.window.first][0]
    end = row.window.offsets[last - row.window.first][1]
    assert MILL[start:end].strip() == "1884"


def test_training_writes_an_adapter_by_which_passages_are_read(
    model_store: ModelStore, tmp_path: Path
) -> None:
    examples = [each for each in make_examples([asked(), asked()], seed=0) if each.kind == "right"]
    told: list[str] = []

    def watch(read: object) -> str:
        readings: list[Reading] = read(rows)  # type: ignore[operator]
        return MILL[readings[0].start : readings[0].end]

    base = model_store.resolve(BASE)
    rows: list[Encoded] = encode(load_tokenizer(base.folder / "tokenizer.json"), examples[:1])
    recipe = Recipe(epochs=12, batch=2, rank=4)
    train(base.folder, examples, tmp_path / "reader", recipe, say=told.append, watch=watch)
    assert told[0] == "2 examples, 12 steps"
    assert told[-1].endswith("1884")
    names = {path.name for path in (tmp_path / "reader").iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors", "head.safetensors"}
    assert str(base.folder) not in (tmp_path / "reader" / "adapter_config.json").read_text()
    store = ModelStore(tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / BASE).symlink_to(base.folder)
    reader = find_reader(store, engine="torch", folder=tmp_path / "reader")
    assert reader is not None
    (reading,) = reader.read("When was the Harrow mill opened?", [MILL]) or []
    assert MILL[reading.start : reading.end] == "1884"


@pytest.mark.parametrize(
    ("text", "language", "flags"),
    [
        (
            "In which year did Ada Bell open it, 1884?",
            "en",
            {"Ada": "name", "Bell": "name", "1884": "number"},
        ),
        ("1884年に東京で田中さんが開いた", "ja", {"1884": "number", "東京": "place", "田中": "person"}),
    ],
)
def test_words_are_known_for_numbers_and_names(text: str, language: str, flags: dict[str, str]) -> None:
    held = {word.text: word for word in words_of(text, language)}
    for word, flag in flags.items():
        assert getattr(held[word], flag), word
    assert all(text[word.start : word.end] == word.text for word in held.values())
