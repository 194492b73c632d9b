"""A model of the lab is kept whole or not at all, with a card that says what it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from adaptation.lab.models import LabCard, bytes_of, check_model_name, keep_model, keep_written, read_card
from kernel.lab_models import LAB_CARD, list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import TekioError, UsageError
from tests.adaptation.lab.small_models import make_small
from tests.adaptation.trained import BASE


@pytest.fixture(scope="module")
def small(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_small(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("models") / "small")


def card(name: str = "mine", **more: Any) -> LabCard:
    return LabCard(name=name, method="test", base="small", **more)


def test_what_is_kept_loads_again_and_its_card_tells_its_size(small: Path, tmp_path: Path) -> None:
    model: Any = AutoModelForCausalLM.from_pretrained(small)
    tokenizer = AutoTokenizer.from_pretrained(small)
    folder = keep_model(tmp_path / "mine", model, tokenizer, card(recipe={"seed": 3}))
    told = read_card(folder)
    assert told.parameters == sum(each.numel() for each in model.parameters())
    assert told.bytes == bytes_of(folder) == (folder / "model.safetensors").stat().st_size
    assert told.made.startswith("20")
    assert told.recipe == {"seed": 3}
    again: Any = AutoModelForCausalLM.from_pretrained(folder)
    assert all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True))
    assert (folder / "chat_template.jinja").is_file()
    assert str(small) not in (folder / "config.json").read_text("utf-8")
    assert list_lab_models(tmp_path) == ["mine"]


def written(text: str) -> Any:
    def write(work: Path) -> None:
        (work / "config.json").write_text(text, encoding="utf-8")

    return write


def test_a_taken_name_is_refused_and_replaced_by_force_alone(tmp_path: Path) -> None:
    keep_written(tmp_path / "mine", written('{"first": 1}'), card())
    with pytest.raises(UsageError, match="there is a model 'mine'"):
        keep_written(tmp_path / "mine", written("{}"), card())
    keep_written(tmp_path / "mine", written('{"second": 2}'), card(), force=True)
    assert (tmp_path / "mine" / "config.json").read_text("utf-8") == '{"second": 2}'
    assert [path.name for path in tmp_path.iterdir()] == ["mine"], "nothing is left beside it"


def test_what_fails_while_it_is_written_leaves_the_old_one(tmp_path: Path) -> None:
    keep_written(tmp_path / "mine", written('{"first": 1}'), card())

    def full(work: Path) -> None:
        (work / "config.json").write_text("{", encoding="utf-8")
        raise OSError(28, os.strerror(28))

    with pytest.raises(TekioError, match=r"could not be written to .*mine \(No space left on device\)"):
        keep_written(tmp_path / "mine", full, card(), force=True)
    assert (tmp_path / "mine" / "config.json").read_text("utf-8") == '{"first": 1}'
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("name", ["", "../up", "a b", "base", "Extractive", "ends.", ".hidden", "x" * 65])
def test_names_that_could_be_no_variant_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name"):
        check_model_name(name, tmp_path)


def test_a_card_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"has no {LAB_CARD}"):
        read_card(tmp_path)
    (tmp_path / LAB_CARD).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match="is not valid: Field required"):
        read_card(tmp_path)
