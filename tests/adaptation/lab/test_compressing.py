"""The search finds the smallest variant within the limits, or says by how much the nearest misses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from adaptation.lab.compressing.limits import (
    Cost,
    Limits,
    bytes_in,
    loss_of,
    memory_needed,
    seconds_in,
    share_in,
)
from adaptation.lab.compressing.making import steps_of
from adaptation.lab.compressing.plan import CompressPlan
from adaptation.lab.compressing.search import Found, Tried, hand_over, search
from adaptation.lab.compressing.steps import Step, chains_of, name_of
from adaptation.lab.figures import ModelFigures, measure_model, quality_of
from adaptation.lab.models import LabCard, bytes_of, keep_written, read_card
from adaptation.lab.pruning.prune import prune_model
from kernel.lab_models import list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import TekioError, UsageError
from tests.adaptation.lab.small_models import make_pairs, make_small
from tests.adaptation.trained import BASE


@pytest.mark.parametrize(("text", "wanted"), [("200MB", 200_000_000), ("1.5GiB", 3 << 29), ("64 kb", 64_000)])
def test_sizes_are_read_as_people_write_them(text: str, wanted: int) -> None:
    assert bytes_in(text) == wanted


def test_times_and_shares_are_read_as_people_write_them() -> None:
    assert (seconds_in("500ms"), seconds_in("2 s")) == (0.5, 2.0)
    assert (share_in("2%"), share_in("0.02"), share_in("0")) == (0.02, 0.02, 0.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("200", "", ""), "--memory is a size such as 200MB"),
        (("0MB", "", ""), "--memory is a size"),
        (("", "fast", ""), "--latency is a time such as 500ms"),
        (("", "", "120%"), "--max-loss is a share such as 2%"),
        (("", "", "2"), "--max-loss is a share"),
        (("", "", ""), "there is no limit to search by"),
    ],
)
def test_limits_that_are_none_are_told_by_their_option(given: tuple[str, str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Limits.read(*given)


def test_by_how_much_limits_are_missed_is_told_in_their_units() -> None:
    limits, cost = Limits(100_000_000, 0.5, 0.02), Cost(150_000_000, 0.6, 0.05, "f1")
    assert limits.misses(cost) == pytest.approx({"memory": 0.5, "latency": 0.2, "max-loss": 1.5})
    assert limits.told(cost) == [
        "150.0 MB of memory, 50.0 MB too much",
        "600 ms an answer, 100 ms too long",
        "5.0 % of f1 lost, 3.0 points too many",
    ]
    assert Limits(memory=200_000_000).misses(cost) == {}


def test_one_that_lost_most_of_its_answers_is_farther_off_than_one_that_is_slow() -> None:
    limits = Limits(None, 0.5, 0.02)
    figured = figures()
    slow = Tried("slow", Cost(1, 1.4, 0.0, "f1"), figured)
    broken = Tried("broken", Cost(1, 0.4, 0.87, "f1"), figured)
    assert Found(figured, [broken, slow]).nearest(limits) == slow


def test_a_loss_is_measured_where_none_is_allowed() -> None:
    assert Limits(None, None, 0.0).misses(Cost(1, 1.0, 0.03, "f1")) == pytest.approx({"max-loss": 3.0})


def figures(perplexity: float = 10.0, seconds: float = 0.1, f1: list[float] | None = None) -> ModelFigures:
    return ModelFigures(
        perplexity=perplexity,
        bytes_on_disk=0,
        prefill_tokens_per_second=1.0,
        decode_tokens_per_second=1.0,
        answer_seconds=seconds,
        quality={} if f1 is None else {"f1": quality_of(f1)},
    )


def test_a_loss_is_of_answers_where_there_are_some_else_of_perplexity() -> None:
    by, loss = loss_of(figures(f1=[1.0, 0.6]), figures(f1=[0.8, 0.6]))
    assert (by, round(loss, 6)) == ("f1", 0.125)
    by, loss = loss_of(figures(10.0), figures(10.5, f1=[1.0]))
    assert (by, round(loss, 6)) == ("perplexity", 0.05)


@pytest.mark.parametrize("fallen", ["format", "refused"])
def test_a_model_that_gains_in_right_words_and_no_longer_keeps_to_forms_or_refuses_has_lost_that(
    fallen: str,
) -> None:
    before, after = figures(f1=[0.1]), figures(f1=[0.13])
    for figure in ("format", "refused"):
        before.quality[figure] = quality_of([1.0, 1.0])
        after.quality[figure] = quality_of([0.0, 0.0] if figure == fallen else [1.0, 1.0])
    assert loss_of(before, after) == (fallen, 1.0)
    assert Limits(None, None, 0.02).misses(Cost(1, 1.0, 1.0, fallen))


def test_memory_is_that_of_weights_keys_and_values(model_store: ModelStore, tmp_path: Path) -> None:
    folder = make_small(model_store.resolve(BASE).folder, tmp_path / "small")
    assert memory_needed(folder, 100) == bytes_of(folder) + 2 * 4 * 2 * 16 * 100


def nothing(source: Path, out: Path) -> Path:
    raise AssertionError("it is not made")


def test_chains_have_one_step_of_a_kind_in_either_order_and_rounding_last() -> None:
    steps = [
        Step("p", "prune", nothing),
        Step("d", "distil", nothing),
        Step("q", "quantise", nothing),
        Step("r", "quantise", nothing),
    ]
    names = [name_of(chain) for chain in chains_of(steps)]
    assert names[:4] == ["q", "r", "p", "d"]
    assert set(names[4:]) == {
        *("p--q", "p--r", "d--q", "d--r", "p--d", "d--p"),
        *("p--d--q", "p--d--r", "d--p--q", "d--p--r"),
    }
    assert len(names) == len(set(names))


class Toy:
    """Models that are a file of so many bytes, each step a share of it, and what they lose."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made, self.asked = folder, list[str](), list[str]()
        self.base = self._write(folder / "uncut", 1000, 0.0)

    def step(self, name: str, kind: Any, share: float, loss: float) -> Step:
        def make(source: Path, out: Path) -> Path:
            size, lost = self._read(source)
            self.made.append(out.name)
            return self._write(out, int(share * size), lost + loss)

        return Step(name, kind, make)

    def measure(self, folder: Path, with_answers: bool) -> ModelFigures:
        _, lost = self._read(folder)
        if with_answers:
            self.asked.append(folder.name)
        return figures(10 * (1 + lost), f1=[1.0 - lost] if with_answers else None)

    def steps(self) -> list[Step]:
        return [
            self.step("half", "prune", 0.5, 0.015),
            self.step("small", "distil", 0.4, 0.03),
            self.step("int8", "quantise", 0.25, 0.001),
            self.step("int4", "quantise", 0.15, 0.02),
        ]

    def _write(self, folder: Path, size: int, lost: float) -> Path:
        def write(work: Path) -> None:
            (work / "model.safetensors").write_bytes(bytes(size))
            (work / "config.json").write_text(f'{{"lost": {lost}}}', encoding="utf-8")

        return keep_written(
            folder, write, LabCard(name=folder.name, method="toy", parameters=size), force=True
        )

    def _read(self, folder: Path) -> tuple[int, float]:
        import json

        lost = json.loads((folder / "config.json").read_text("utf-8"))["lost"]
        return (folder / "model.safetensors").stat().st_size, lost


def test_the_smallest_within_the_limits_is_found_and_larger_ones_are_not_asked(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    found = search(toy.base, toy.steps(), Limits(memory=400, loss=0.025), toy.measure, tmp_path / "work")
    assert found.best is not None
    assert found.best.name == "half--int8", "125 bytes; int4 has 150, and what is smaller lost too much"
    assert found.best.cost is not None
    assert (found.best.cost.memory, round(found.best.cost.loss, 4)) == (125, 0.016)
    tried = {each.name: each for each in found.tried}
    assert not tried["half--int4"].fits
    assert "half" not in toy.asked, "it takes too much memory, whatever it answers"
    assert tried["small--int8"].cost is not None
    assert not tried["small--int8"].fits
    out = hand_over(
        found.best, tmp_path / "work", tmp_path / "models" / "mine", LabCard(name="mine", method="t")
    )
    assert (read_card(out).bytes, read_card(out).parameters) == (125, 125)
    assert list_lab_models(tmp_path / "models") == ["mine"]


def test_where_none_fits_the_nearest_is_named(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    limits = Limits(memory=100, loss=0.005)
    found = search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "work")
    assert found.best is None
    nearest = found.nearest(limits)
    assert nearest is not None
    assert nearest.cost is not None
    assert limits.told(nearest.cost)
    worst = [max(limits.misses(each.cost).values()) for each in found.tried if each.cost is not None]
    assert max(limits.misses(nearest.cost).values()) == min(worst)


def test_a_model_that_lost_all_is_gone_on_with_by_a_teacher_alone(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    steps = [
        toy.step("much", "prune", 0.1, 0.9),
        toy.step("small", "distil", 0.9, -0.5),
        toy.step("int8", "quantise", 0.25, 0.0),
    ]
    found = search(toy.base, steps, Limits(loss=0.02), toy.measure, tmp_path / "work")
    tried = {each.name: each for each in found.tried}
    assert tried["much--int8"].why == "much lost 90 % already"
    assert tried["much--small"].cost is not None
    assert "much--int8" not in toy.made


def test_a_step_that_fails_is_told_and_the_others_are_tried(tmp_path: Path) -> None:
    toy = Toy(tmp_path)

    def broken(source: Path, out: Path) -> Path:
        raise TekioError("memory ran out")

    steps = [Step("broken", "prune", broken), toy.step("int8", "quantise", 0.25, 0.0)]
    found = search(toy.base, steps, Limits(memory=900), toy.measure, tmp_path / "work")
    told = {each.name: each.why for each in found.tried}
    assert told["broken"] == "memory ran out"
    assert told["broken--int8"] == "it would be made of broken, which was left out"
    assert found.best is not None
    assert found.best.name == "int8"


def test_a_search_that_was_killed_goes_on_behind_what_it_had_to_the_same_end(tmp_path: Path) -> None:
    toy, limits = Toy(tmp_path), Limits(memory=400, loss=0.025)
    whole = search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "whole", digest="d")
    say: Callable[[str], None] = stop_at("5 of")
    with pytest.raises(KeyboardInterrupt):
        search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "work", digest="d", say=say)
    with pytest.raises(UsageError, match="--resume goes on with it"):
        search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "work", digest="d")
    with pytest.raises(UsageError, match="another model, set or other limits"):
        search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "work", digest="e", resume=True)
    toy.made.clear()
    again = search(toy.base, toy.steps(), limits, toy.measure, tmp_path / "work", digest="d", resume=True)
    assert [each.as_dict() for each in again.tried] == [each.as_dict() for each in whole.tried]
    assert "half" not in toy.made
    with pytest.raises(UsageError, match="no such search was stopped"):
        search(toy.base, [], limits, toy.measure, tmp_path / "none", resume=True)


def stop_at(text: str) -> Callable[[str], None]:
    def say(line: str) -> None:
        if line.startswith(text):
            raise KeyboardInterrupt

    return say


def test_time_that_is_over_ends_the_search_with_what_was_found(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    found = search(toy.base, toy.steps(), Limits(memory=900), toy.measure, tmp_path / "work", minutes=1e-9)
    assert found.cut
    assert [each.name for each in found.tried] == ["base"]


def test_what_may_be_tried_is_read_as_people_write_it(tmp_path: Path) -> None:
    plan = CompressPlan.read("dynamic,int4:8", "layers:0.5, neurons:0.25", "none", data=tmp_path)
    assert plan.quantise == ("dynamic", "int4:8")
    assert plan.prune == (("layers", 0.5), ("neurons", 0.25))
    assert plan.students == ()
    for given, said in (
        (("int2", "none", "none"), "no method 'int2'"),
        (("none", "tails:0.5", "none"), "no way to prune 'tails'"),
        (("none", "layers", "none"), "a share of --prune is above 0 and below 1"),
        (("none", "none", "1"), "a share of --students"),
        (("int4:much", "none", "none"), "a rank of --quantise is a whole number, such as int4:32"),
        (("dynamic:8", "none", "none"), "--rank belongs to int4 and qat"),
        (("int4:99999", "none", "none"), "--rank is from 0 to 1,024"),
    ):
        with pytest.raises(UsageError, match=said):
            CompressPlan.read(*given)


def test_real_steps_are_pruned_and_rounded_of_a_real_model(model_store: ModelStore, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    base = make_small(model_store.resolve(BASE).folder, tmp_path / "small")
    data = make_pairs(tmp_path / "colours")
    plan = CompressPlan(
        data=data, quantise=("int8",), prune=(("layers", 0.5),), students=(), heal=0, window=128
    )
    taught: list[str] = []

    def distil(*given: Any, **more: Any) -> None:
        taught.append("never")

    steps = steps_of(plan, base, prune=prune_model, distil=distil, say=lambda text: None)
    assert [step.name for step in steps] == ["int8", "layers0.5"]

    def measure(folder: Path, with_answers: bool) -> ModelFigures:
        return measure_model(folder, ["The pump is red."], apart=False, new_tokens=1, threads=1)

    found = search(base, steps, Limits(memory=memory_needed(base) // 2, loss=0.5), measure, tmp_path / "work")
    assert found.best is not None
    assert found.best.name == "layers0.5--int8"
    assert read_card(tmp_path / "work" / found.best.name).method == "quantise int8"
    assert not taught


def test_without_rows_only_rounding_that_needs_none_is_tried(tmp_path: Path) -> None:
    said: list[str] = []
    steps = steps_of(CompressPlan(), tmp_path, prune=nothing, distil=nothing, say=said.append)
    assert [step.name for step in steps] == ["dynamic", "int4", "int4r32"]
    assert said == [
        "without --data nothing is pruned or distilled, since that needs rows to heal and to learn by"
    ]
