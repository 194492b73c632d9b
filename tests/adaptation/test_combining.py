"""Adapters added up by weight: exactly their sum, as one adapter."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adaptation.combining import Matrices, add_up, combine
from kernel.chat.language_model import LanguageModel
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.trained import BASE, train_on


@pytest.fixture(scope="module")
def base_folder(model_store: ModelStore) -> Path:
    return model_store.resolve(BASE).folder


@pytest.fixture(scope="module")
def adapters(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two adapters of different ranks and layers."""
    folder = tmp_path_factory.mktemp("adapters")
    train_on(
        base_folder, folder / "tea", [("Tea?", "Mint."), ("Cup?", "Blue.")], steps=3, rate=1e-2, layers=0.1
    )
    train_on(
        base_folder,
        folder / "rum",
        [("Rum?", "Dark."), ("Jug?", "Red.")],
        steps=3,
        rate=1e-2,
        rank=3,
        layers=0.2,
    )
    return folder


def logits(base_folder: Path, *folders: Path) -> list[torch.Tensor]:
    """Return what the base and each adapter say, at once, so that they differ by nothing else."""
    model = LanguageModel(BASE, base_folder, dtype="float32", threads=1)
    names: list[str | None] = [None, *(model.load_adapter(folder) for folder in folders)]
    ids = torch.tensor([model.tokenizer.encode_chat([{"role": "user", "content": "What is in the cup?"}])])
    found = []
    for name in names:
        with torch.inference_mode(), model._with_adapter(name) as chosen:
            found.append(chosen(input_ids=ids).logits)
    return found


@given(st.integers(1, 4), st.integers(1, 4), st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 99))
def test_the_product_of_the_sum_is_the_sum_of_the_products(
    first: int, second: int, one: float, other: float, seed: int
) -> None:
    drawn = np.random.default_rng(seed)

    def part(rank: int, *modules: str) -> Matrices:
        return {
            name: (
                drawn.normal(size=(rank, 5)).astype(np.float32),
                drawn.normal(size=(3, rank)).astype(np.float32),
            )
            for name in modules
        }

    parts = [part(first, "a", "b"), part(second, "b", "c")]
    summed = add_up(parts, [one, other])
    for module in "abc":
        expected = sum(
            weight * (held[module][1] @ held[module][0])
            for held, weight in zip(parts, (one, other), strict=True)
            if module in held
        )
        down, up = summed[module]
        assert down.shape[0] == first + second
        np.testing.assert_allclose(up @ down, expected, atol=1e-4)


def test_a_combination_loads_as_any_adapter_and_one_part_of_weight_one_says_what_it_says(
    base_folder: Path, adapters: Path
) -> None:
    combine([("tea", 1.0), ("rum", 1e-9)], adapters, "mostly-tea", base=BASE, base_folder=base_folder)
    card = combine([("tea", 1.0), ("rum", 1.0)], adapters, "both", base=BASE, base_folder=base_folder)
    assert (card.method, card.recipe) == ("parallel", {"parts": {"tea": 1.0, "rum": 1.0}, "rank": 5})
    base, tea, mostly, both = logits(
        base_folder, adapters / "tea", adapters / "mostly-tea", adapters / "both"
    )
    assert torch.allclose(mostly, tea, atol=1e-3)
    assert (both - tea).abs().max() > 10 * (mostly - tea).abs().max()
    assert (tea - base).abs().max() > 0.01


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([], "name different adapters"),
        ([("tea", 1.0), ("tea", 2.0)], "name different adapters"),
        ([("tea", 0.0)], "other than 0"),
        ([("tea", float("nan"))], "other than 0"),
        ([("nobody", 1.0)], "no adapter"),
    ],
)
def test_what_cannot_be_combined_is_said_in_one_line(
    base_folder: Path, adapters: Path, parts: list[tuple[str, float]], message: str
) -> None:
    before = sorted(path.name for path in adapters.iterdir())
    with pytest.raises(UsageError, match=message):
        combine(parts, adapters, "new", base=BASE, base_folder=base_folder)
    assert sorted(path.name for path in adapters.iterdir()) == before


def test_another_kind_of_adapter_and_a_name_that_is_taken_are_refused(
    base_folder: Path, adapters: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="there is an adapter 'tea'"):
        combine([("rum", 1.0)], adapters, "tea", base=BASE, base_folder=base_folder)
    shutil.copytree(adapters / "tea", tmp_path / "dora")
    config: dict[str, Any] = json.loads((tmp_path / "dora" / "adapter_config.json").read_text("utf-8"))
    (tmp_path / "dora" / "adapter_config.json").write_text(
        json.dumps(config | {"use_dora": True}), encoding="utf-8"
    )
    with pytest.raises(UsageError, match="no plain LoRA"):
        combine([("dora", 1.0)], tmp_path, "new", base=BASE, base_folder=base_folder)
