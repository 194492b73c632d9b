"""LoRA adapters, stacked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kernel.chat.paged.lora import Lora, is_plain_lora, read_lora, stacked
from retrieval.errors import UsageError

RANDOM = np.random.default_rng(0)
CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 8}


def lora(rank: int, **widths: int) -> Lora:
    parts = {
        name: (
            RANDOM.standard_normal((rank, 6), dtype=np.float32),
            RANDOM.standard_normal((width, rank), dtype=np.float32),
        )
        for name, width in widths.items()
    }
    return Lora("", rank, parts)


def test_each_row_gets_what_its_own_adapter_adds_and_the_base_nothing() -> None:
    first, second = lora(2, q=5, v=3), lora(3, q=5, k=3)
    found = stacked([first, second], ["q", "k", "v"], [5, 3, 3])
    assert found is not None
    down, up = found
    state = RANDOM.standard_normal((3, 6), dtype=np.float32)
    masks = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], np.float32)
    added = (state @ down.T * np.tile(masks, 3)) @ up.T
    np.testing.assert_allclose(
        added[0, :5], state[0] @ first.parts["q"][0].T @ first.parts["q"][1].T, rtol=1e-4
    )
    np.testing.assert_allclose(
        added[0, 8:], state[0] @ first.parts["v"][0].T @ first.parts["v"][1].T, rtol=1e-4
    )
    np.testing.assert_allclose(
        added[1, 5:8], state[1] @ second.parts["k"][0].T @ second.parts["k"][1].T, rtol=1e-4
    )
    assert (added[0, 5:8] == 0).all()
    assert (added[1, 8:] == 0).all()
    assert (added[2] == 0).all()


def test_layers_that_no_adapter_changes_have_nothing_beside_them() -> None:
    assert stacked([lora(2, q=5)], ["o"], [6]) is None
    assert stacked([], ["q"], [5]) is None


def write(folder: Path, tensors: dict[str, tuple[int, int]], **config: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | config), encoding="utf-8")
    ones = {f"base_model.model.{name}": np.ones(shape, np.float32) for name, shape in tensors.items()}
    save_file(ones, folder / "adapter_model.safetensors")
    return folder


LAYER = "model.layers.0.self_attn.q_proj"
WHOLE = {f"{LAYER}.lora_A.weight": (4, 6), f"{LAYER}.lora_B.weight": (5, 4)}


def test_the_scale_is_in_the_matrix_up(tmp_path: Path) -> None:
    assert (read_lora(write(tmp_path, WHOLE), "").parts[LAYER][1] == 2).all()
    assert (read_lora(write(tmp_path, WHOLE, use_rslora=True), "").parts[LAYER][1] == 4).all()


def test_half_an_adapter_and_layers_of_another_model_are_refused(tmp_path: Path) -> None:
    for tensors in (
        {f"{LAYER}.lora_A.weight": (4, 6)},
        {
            "model.layers.0.attn.c_attn.lora_A.weight": (4, 6),
            "model.layers.0.attn.c_attn.lora_B.weight": (5, 4),
        },
    ):
        with pytest.raises(UsageError, match="does not fit the base"):
            read_lora(write(tmp_path, tensors), "")


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"rank_pattern": {"q_proj": 8}},
        {"modules_to_save": ["lm_head"]},
    ],
)
def test_other_kinds_are_left_to_transformers(tmp_path: Path, config: dict[str, object]) -> None:
    assert is_plain_lora(write(tmp_path / "plain", WHOLE))
    assert not is_plain_lora(write(tmp_path / "other", WHOLE, **config))
    assert not is_plain_lora(tmp_path / "none")
