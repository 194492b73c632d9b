"""Layers taken out of the reading model, and what is left taught by the whole one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from adaptation.finetuning.watching import Progress
from adaptation.lab.pruning.reader_healing import PAD_STEP, distance, divergence, rate_at
from adaptation.lab.pruning.reader_plan import ReaderPlan, layers_reached
from adaptation.lab.pruning.readers import drawn_batches, fewer_layers, load_reader, prune_reader
from adaptation.span_reader.training import collate
from kernel.model_store import ModelStore
from kernel.reading_model import ReaderFiles, find_reader, own_reader
from retrieval.errors import UsageError
from retrieval.token_counter import load_tokenizer
from tests.adaptation.lab.small_reader import asked_about, make_reader

PLAN = ReaderPlan(heal=24, rate=2e-3, rows=8)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ReaderFiles:
    torch.set_num_threads(1)
    return make_reader(tmp_path_factory.mktemp("readers") / "small")


@given(st.integers(2, 48), st.floats(0.01, 0.99))
def test_the_layers_that_stay_are_evenly_apart_and_the_last_is_among_them(layers: int, share: float) -> None:
    reached = layers_reached(layers, share)
    assert reached[-1] == layers
    assert 0 < len(reached) < layers
    steps = np.diff([0, *reached])
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1


def test_half_of_twelve_layers_are_every_second() -> None:
    assert layers_reached(12, 0.5) == [2, 4, 6, 8, 10, 12]
    with pytest.raises(UsageError, match="one layer"):
        layers_reached(1, 0.5)


def test_states_are_as_far_as_all_that_they_vary_where_they_are_the_mean_alone() -> None:
    wanted = torch.randn(200, 8) * 3 + 5
    assert float(distance(wanted, wanted)) == 0.0
    assert float(distance(wanted.mean(0).expand_as(wanted), wanted)) == pytest.approx(1.0)


def test_answers_seen_alike_are_no_nats_apart_whatever_stands_where_none_may() -> None:
    seen = torch.randn(3, 12, 2)
    may = torch.zeros(3, 12, dtype=torch.bool)
    may[:, 0] = may[:, 4:9] = True
    said = torch.where(may[..., None], seen, torch.randn(3, 12, 2))
    assert float(divergence(said, seen, may)) == pytest.approx(0.0, abs=1e-6)
    assert float(divergence(-said, seen, may)) > 0.1


def test_layers_given_one_after_the_other_compute_what_the_encoder_does(small: ReaderFiles) -> None:
    whole = load_reader(small)
    every = fewer_layers(whole, [1, 2, 3, 4])
    tokenizer = load_tokenizer(small.folder / "tokenizer.json")
    (rows, *_) = drawn_batches(tokenizer, asked_about(20), PLAN)
    batch = collate(rows, 1, PAD_STEP)
    assert batch["mask"].min() == 0, "some of it is padding"
    states, seen = whole(batch["ids"], batch["mask"])
    own, said = every([states[0]], batch["mask"])
    real = batch["mask"].bool()
    for one, other in zip(own, states[1:], strict=True):
        assert torch.allclose(one[real], other[real], atol=1e-5)
    assert torch.allclose(said[real], seen[real], atol=1e-4)


def test_questions_are_made_up_of_the_passages_and_of_other_texts(small: ReaderFiles) -> None:
    tokenizer = load_tokenizer(small.folder / "tokenizer.json")
    asked = asked_about(30)

    def read(made_up: float, *texts: str) -> set[tuple[str, str]]:
        plan = ReaderPlan(heal=40, rows=4, made_up=made_up)
        rows = [row.example for batch in drawn_batches(tokenizer, asked, plan, texts) for row in batch]
        return {(row.question, row.text) for row in rows if row.kind == "right"}

    own = {each.question for each in asked}
    assert {question for question, _ in read(0.0)} == own
    assert {question for question, _ in read(1.0)} > own
    text = "A siphon was mended by Mr. Kondo in 1931 behind the old mill."
    assert text in {passage for _, passage in read(1.0, text)}
    assert text not in {passage for _, passage in read(0.0, text)}


def test_the_rate_falls_twice_to_nothing() -> None:
    rates = [rate_at(step, 200, 50) for step in range(201)]
    assert max(rates[:50]) > 2
    assert rates[49] < 0.4
    assert max(rates[50:]) <= 1
    assert rates[200] == 0
    assert rate_at(0, 3, 0) > 0


def test_half_of_the_layers_are_taught_to_read_as_the_whole_one(small: ReaderFiles, tmp_path: Path) -> None:
    said: list[str] = []
    card = prune_reader(
        small, tmp_path / "quick", PLAN, asked_about(80), asked_about(12, group="h"), say=said.append
    )
    held = card.figures["held_out"]
    assert card.figures["taken"] == 0.5
    assert held["healed"]["nats"] < 0.6 * held["pruned"]["nats"]
    assert held["healed"]["rows"] == held["pruned"]["rows"] >= 12
    assert said[0].startswith("50% of the layers taken out: ")
    config = json.loads((tmp_path / "quick" / "config.json").read_text("utf-8"))
    assert config["num_hidden_layers"] == 2
    assert str(small.folder) not in json.dumps(config)
    names = load_file(tmp_path / "quick" / "model.safetensors")
    assert {name.split(".")[2] for name in names if "encoder.layer" in name} == {"0", "1"}
    reader = find_reader(
        ModelStore(tmp_path / "cache", offline=True), own=own_reader("quick", tmp_path), engine="torch"
    )
    assert reader is not None
    asked = asked_about(3)[2]
    (found,) = reader.read(asked.question, [asked.text]) or []
    assert 0 <= found.start < found.end <= len(asked.text)


def test_a_healing_that_was_stopped_goes_on_to_the_same_model(small: ReaderFiles, tmp_path: Path) -> None:
    sets = asked_about(80), asked_about(12, group="h")

    def kill(progress: Progress) -> None:
        if progress.step == 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prune_reader(small, tmp_path / "broken", PLAN, *sets, show=kill)
    assert not (tmp_path / "broken").exists()
    with pytest.raises(UsageError, match="--resume goes on with it"):
        prune_reader(small, tmp_path / "broken", PLAN, *sets)
    with pytest.raises(UsageError, match="another model, set or numbers"):
        prune_reader(small, tmp_path / "broken", ReaderPlan(heal=24, rows=4), *sets, resume=True)
    prune_reader(small, tmp_path / "broken", PLAN, *sets, resume=True)
    prune_reader(small, tmp_path / "unbroken", PLAN, *sets)
    for file in ("model.safetensors", "head.safetensors"):
        broken, whole = (load_file(tmp_path / name / file) for name in ("broken", "unbroken"))
        assert all(torch.equal(broken[name], weight) for name, weight in whole.items())


def test_what_an_earlier_run_made_is_taught_further(small: ReaderFiles, tmp_path: Path) -> None:
    sets = asked_about(80), asked_about(12, group="h")
    first = prune_reader(small, tmp_path / "quick", PLAN, *sets)
    begun = own_reader("quick", tmp_path)
    more = ReaderPlan(heal=24, rate=1e-3, rows=8, seed=5)
    card = prune_reader(small, tmp_path / "further", more, *sets, begun=begun)
    held = card.figures["held_out"]
    assert set(held) == {"begun", "healed"}
    # What is kept is in half precision, and other rows are drawn by another seed.
    assert held["begun"]["nats"] == pytest.approx(first.figures["held_out"]["healed"]["nats"], rel=0.2)
    assert held["healed"]["nats"] < held["begun"]["nats"]
    assert card.recipe["student"] == "quick"


def test_one_that_did_not_come_of_the_model_is_not_taught_further(small: ReaderFiles, tmp_path: Path) -> None:
    sets = asked_about(80), asked_about(12, group="h")
    for other in (make_reader(tmp_path / "other", layers=2, seed=1), small):
        with pytest.raises(UsageError, match="is no earlier pruning of this reading model to 2 layers"):
            prune_reader(small, tmp_path / "further", PLAN, *sets, begun=other)
    assert not (tmp_path / "further").exists()


def test_what_cannot_be_pruned_is_said_in_a_line(small: ReaderFiles, tmp_path: Path) -> None:
    many, held = asked_about(40), asked_about(12, group="h")
    with pytest.raises(UsageError, match="9 questions can be learned from"):
        prune_reader(small, tmp_path / "quick", PLAN, asked_about(9), held)
    with pytest.raises(UsageError, match="0 examples are held out"):
        prune_reader(small, tmp_path / "quick", PLAN, many, [])
    one = make_reader(tmp_path / "one", layers=1)
    with pytest.raises(UsageError, match="one layer"):
        prune_reader(one, tmp_path / "quick", PLAN, many, held)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one"]


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"share": 0.0}, "above 0 and below 1"),
        ({"share": 1.0}, "above 0 and below 1"),
        ({"heal": -1}, "--heal is at least 0"),
        ({"rows": 0}, "--rows is at least 1"),
        ({"rate": 0.0}, "--rate is above 0"),
        ({"made_up": -1.0}, "--made-up is from 0 to 100, not -1"),
        ({"made_up": 1000.0}, "--made-up is from 0 to 100, not 1000"),
    ],
)
def test_numbers_out_of_range_are_named_as_their_options(chosen: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        ReaderPlan(**chosen).check()  # type: ignore[arg-type]
