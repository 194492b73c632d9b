"""A student learns what its teacher would say; what that is worth is told against the same student without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from adaptation.finetuning.batches import collator_of
from adaptation.finetuning.building import load_base
from adaptation.finetuning.methods import layers_of
from adaptation.finetuning.packing import pack_rows
from adaptation.lab.distilling.distil import distil_model
from adaptation.lab.distilling.losses import softened_divergence, state_distance
from adaptation.lab.distilling.plan import MIXINGS, TEMPERATURES, DistilPlan
from adaptation.lab.distilling.students import spread_layers, student_of
from adaptation.lab.distilling.training import TaughtTrainer, train_student
from adaptation.lab.distilling.writing import written_rows
from adaptation.lab.held_rows import lab_rows, losses_of, perplexity, plain_rows
from adaptation.lab.models import read_card
from adaptation.training_sets.rows import ChatRow
from kernel.chat.chat_tokens import ChatTokenizer
from kernel.lab_models import list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.lab.small_models import WORDS, make_pairs, make_small
from tests.adaptation.trained import BASE

SHORT: dict[str, Any] = {"steps": 8, "rate": 3e-3, "window": 128, "rows": 4, "control": False}


@pytest.fixture(scope="module")
def whole(model_store: ModelStore) -> Path:
    torch.set_num_threads(1)
    return model_store.resolve(BASE).folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pairs(tmp_path_factory.mktemp("sets") / "colours")


@pytest.fixture(scope="module")
def teacher(whole: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of four layers that has learned the set, by long training on it."""
    folder = make_small(whole, tmp_path_factory.mktemp("models") / "teacher")
    model = load_base(folder, "full")
    rows = lab_rows(ChatTokenizer(folder), data, "train", window=128)
    held = lab_rows(ChatTokenizer(folder), data, "held_out", window=128)
    plan = DistilPlan(data, steps=60, rate=5e-3, window=128)
    train_student(model, rows, held, plan, folder.parent / "work")
    model.config.use_cache = True
    model.save_pretrained(folder)
    return folder


def test_the_divergence_is_nought_from_itself_and_keeps_its_gradient_whatever_the_temperature() -> None:
    torch.manual_seed(0)
    told = torch.randn(3, 50)
    assert float(softened_divergence(told, told, 2.0)) == pytest.approx(0, abs=1e-5)
    norms = []
    for temperature in (1.0, 8.0):
        said = torch.zeros(3, 50, requires_grad=True)
        softened_divergence(said, 0.01 * told, temperature).backward()  # type: ignore[no-untyped-call]
        assert said.grad is not None
        norms.append(float(said.grad.norm()))
    assert norms[0] == pytest.approx(norms[1], rel=0.02)


def test_states_are_compared_with_those_that_they_should_come_to_whatever_their_size() -> None:
    torch.manual_seed(0)
    above = [torch.randn(1, 4, 8) for _ in range(5)]
    below = [above[0], 7 * above[2] + 3, above[4]]
    assert float(state_distance(below, above, (2, 4))) == pytest.approx(0, abs=1e-4)
    assert float(state_distance(below, above, (1, 4))) > 0.1


def test_a_student_begins_with_layers_of_its_teacher_the_first_and_the_last_among_them(teacher: Path) -> None:
    assert spread_layers(30, 6) == [0, 6, 12, 17, 23, 29]
    assert spread_layers(4, 1) == [0]
    begun = student_of(teacher, 0.5)
    one, other = begun.make(), load_base(teacher, "full")
    assert begun.reaches == (3, 4)
    for own, place in zip(layers_of(one), (0, 3), strict=True):
        assert torch.equal(own.mlp.up_proj.weight, layers_of(other)[place].mlp.up_proj.weight)


def test_the_loss_mixes_the_teachers_word_with_the_rows_own_in_training_alone(
    teacher: Path, data: Path, tmp_path: Path
) -> None:
    from adaptation.finetuning.answers import answer_trainer

    model, above = load_base(teacher, "full"), load_base(teacher, "full")
    rows = lab_rows(ChatTokenizer(teacher), data, "train", window=128)[:4]
    plan = DistilPlan(data, mixing=0.25, steps=1)

    def kind(*args: Any, **kwargs: Any) -> TaughtTrainer:
        return TaughtTrainer(*args, teacher=above, teaching=plan.teaching, reaches=(1, 2, 3, 4), **kwargs)

    trainer: Any
    trainer, _ = answer_trainer(model, rows, rows, plan.recipe(), tmp_path, kind=kind)
    collator, size = collator_of(plan.recipe(), model)
    inputs = collator(pack_rows(rows, size=size)[:1])
    model.eval()
    own = float(trainer.compute_loss(model, dict(inputs)))
    model.train()
    taught = float(trainer.compute_loss(model, dict(inputs)))
    # It is its own teacher, so that only the rows' share is left.
    assert taught == pytest.approx(0.75 * own, rel=1e-3)


def _pull(teacher: Path, data: Path, work: Path, prompts: float) -> float:
    """Return how a student's loss changes with what it says within a prompt, before anything is learned of the rows."""
    from adaptation.finetuning.answers import answer_trainer

    begun = student_of(teacher, 0.5)
    model, above = begun.make(), load_base(teacher, "full")
    rows = lab_rows(ChatTokenizer(teacher), data, "train", window=128)[:2]
    plan = DistilPlan(data, mixing=1.0, temperature=1.0, prompts=prompts, steps=1)

    def kind(*args: Any, **kwargs: Any) -> TaughtTrainer:
        return TaughtTrainer(*args, teacher=above, teaching=plan.teaching, **kwargs)

    trainer: Any
    trainer, _ = answer_trainer(model, rows, rows, plan.recipe(), work, kind=kind)
    collator, size = collator_of(plan.recipe(), model)
    inputs = collator(pack_rows(rows, size=size)[:1])
    model.train()
    shapes: list[int] = []
    model.lm_head.register_forward_hook(lambda module, given, found: shapes.append(found.shape[1]))
    loss = float(trainer.compute_loss(model, dict(inputs)).detach())
    assert shapes[0] == (inputs["input_ids"].shape[1] + 1 if prompts else inputs["labels"].shape[1])
    return loss


def test_what_a_teacher_says_of_prompts_is_learned_beside_what_it_says_of_answers(
    teacher: Path, data: Path, tmp_path: Path
) -> None:
    answers, both, twice = (_pull(teacher, data, tmp_path, prompts) for prompts in (0.0, 1.0, 2.0))
    assert both > answers
    assert twice - answers == pytest.approx(2 * (both - answers), rel=0.01)


def test_a_taught_student_is_better_than_the_same_without_a_teacher_and_is_a_variant(
    teacher: Path, data: Path, tmp_path: Path
) -> None:
    plan = DistilPlan(data, steps=24, rate=3e-3, window=128, mixing=0.9, temperature=1.0, keep_control=True)
    card = distil_model(teacher, None, tmp_path / "models" / "student", plan)
    told = card.figures["test"]
    assert set(told) >= {"teacher", "student", "control", "untaught", "student_against_control"}
    assert told["student"]["loss"] < told["untaught"]["loss"]
    assert told["student_against_control"]["rows"] >= 2
    low, high = told["student_against_control"]["difference_interval"]
    assert low <= told["student"]["loss"] - told["control"]["loss"] <= high
    made = AutoModelForCausalLM.from_pretrained(tmp_path / "models" / "student")
    assert (len(layers_of(made)), made.config.num_hidden_layers, made.config.use_cache) == (2, 2, True)
    assert card == read_card(tmp_path / "models" / "student")
    kept = ["student", "student-control"]
    assert list_lab_models(tmp_path / "models") == kept
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == kept, (
        "nothing is left beside them"
    )


def test_states_are_learned_too(teacher: Path, data: Path, tmp_path: Path) -> None:
    card = distil_model(teacher, None, tmp_path / "student", DistilPlan(data, "hidden", **SHORT))
    told = card.figures["test"]
    assert told["student"]["loss"] < told["untaught"]["loss"]


def test_a_student_of_another_kind_with_other_words_learns_what_the_teacher_writes(
    whole: Path, teacher: Path, data: Path, tmp_path: Path
) -> None:
    other = make_other_kind(make_other_words(whole, tmp_path / "other"))
    plan = DistilPlan(data, "sequences", new_tokens=24, **SHORT)
    card = distil_model(teacher, other, tmp_path / "student", plan)
    told = card.figures["test"]
    assert told["student"]["loss"] < told["untaught"]["loss"]
    assert "teacher" not in told, "its losses are of other tokens"
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "student").config.model_type == "gpt2"
    for way in ("logits", "hidden"):
        with pytest.raises(UsageError, match="other words than its teacher"):
            distil_model(teacher, other, tmp_path / "never", DistilPlan(data, way, **SHORT))


def make_other_words(whole: Path, folder: Path) -> Path:
    """Make a small model whose tokenizer gives two words each other's ids."""
    make_small(whole, folder, num_hidden_layers=2)
    path = folder / "tokenizer.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    words = held["model"]["vocab"]
    words["Ġthe"], words["Ġis"] = words["Ġis"], words["Ġthe"]
    path.write_text(json.dumps(held), encoding="utf-8")
    return folder


def make_other_kind(folder: Path) -> Path:
    """Put a GPT-2 of two layers in the place of a folder's model."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=WORDS, n_embd=32, n_layer=2, n_head=2, n_positions=256, bos_token_id=1, eos_token_id=2
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def test_what_the_teacher_wrote_before_a_kill_is_not_written_again(
    teacher: Path, data: Path, tmp_path: Path
) -> None:
    rows = [row for row in plain_rows(data, "train") if isinstance(row, ChatRow)][:4]
    journal = tmp_path / "written.jsonl"
    journal.write_text(json.dumps([rows[0].id, "A kept answer."]) + '\n["cut', encoding="utf-8")
    said: list[str] = []
    made = written_rows(teacher, rows, journal, new_tokens=24, say=said.append)
    assert made[0].answer == "A kept answer."
    assert said[-1] == "the teacher wrote 3 of 3 answers"
    assert [row.messages[:-1] for row in made] == [
        row.messages[:-1] for row in rows if row.id in {m.id for m in made}
    ]
    again: list[str] = []
    assert written_rows(teacher, rows, journal, new_tokens=24, say=again.append) == made
    assert not again


def test_a_search_takes_the_pair_with_the_lowest_held_out_loss(
    teacher: Path, data: Path, tmp_path: Path
) -> None:
    plan = DistilPlan(data, search=2, **(SHORT | {"steps": 8}))
    card = distil_model(teacher, None, tmp_path / "student", plan)
    trials = card.figures["search"]
    assert len(trials) == len(TEMPERATURES) * len(MIXINGS)
    best = min(trials, key=lambda each: each["loss"])
    assert (card.recipe["temperature"], card.recipe["mixing"]) == (best["temperature"], best["mixing"])


def test_a_run_that_was_killed_goes_on_to_the_same_student(teacher: Path, data: Path, tmp_path: Path) -> None:
    plan = DistilPlan(data, **SHORT)

    def kill(progress: Any) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        distil_model(teacher, None, tmp_path / "broken", plan, show=kill)
    assert not (tmp_path / "broken").exists()
    distil_model(teacher, None, tmp_path / "broken", plan, resume=True)
    distil_model(teacher, None, tmp_path / "unbroken", plan)
    broken, unbroken = (load_file(tmp_path / name / "model.safetensors") for name in ("broken", "unbroken"))
    assert all(torch.equal(broken[name], weight) for name, weight in unbroken.items())


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"way": "osmosis"}, "no way to distil 'osmosis'"),
        ({"mixing": 0.0}, "0 asks no teacher"),
        ({"layers": 1.0}, "fewer layers than its teacher"),
        ({"temperature": 0.0}, "--temperature is 0.1 to 100"),
        ({"control": False, "keep_control": True}, "--keep-control goes with --control"),
        ({"way": "sequences", "search": 4}, "--search is of temperature and mixing"),
    ],
)
def test_a_number_out_of_range_is_told_by_its_option(
    teacher: Path, data: Path, tmp_path: Path, chosen: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        distil_model(teacher, None, tmp_path / "never", DistilPlan(data, **chosen))


def test_states_of_another_width_are_told(whole: Path, teacher: Path, data: Path, tmp_path: Path) -> None:
    narrow = make_small(whole, tmp_path / "narrow", hidden_size=32, num_hidden_layers=2)
    with pytest.raises(UsageError, match="have 32 values and its teacher's 64"):
        distil_model(teacher, narrow, tmp_path / "never", DistilPlan(data, "hidden"))


def test_the_losses_of_rows_are_those_of_their_answers(teacher: Path, data: Path) -> None:
    model = load_base(teacher, "full").eval()
    rows = lab_rows(ChatTokenizer(teacher), data, "test", window=128)[:3]
    found = losses_of(model, rows)
    for row, loss in zip(rows, found, strict=True):
        ids = torch.tensor([[*row.prompt, *row.answer]])
        labels = torch.tensor([[-100] * len(row.prompt) + list(row.answer)])
        with torch.inference_mode():
            assert loss == pytest.approx(float(model(input_ids=ids, labels=labels).loss), rel=1e-4)
    counts = np.array([len(row.answer) for row in rows])
    assert perplexity(found, rows) == pytest.approx(np.exp((found * counts).sum() / counts.sum()))
