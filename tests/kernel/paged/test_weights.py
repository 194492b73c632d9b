"""Weights from mapped files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kernel.chat.paged.weights import Weights
from retrieval.errors import TekioError


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_each_type_is_read_as_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    values = torch.randn(3, 5).to(dtype)
    save_file({"a": values, "b": torch.zeros(2, dtype=dtype)}, tmp_path / "model.safetensors")
    weights = Weights(tmp_path)
    assert weights.names() == ["a", "b"]
    assert "a" in weights
    assert "c" not in weights
    np.testing.assert_array_equal(weights.get("a"), values.float().numpy())


def test_several_files_are_one_model(tmp_path: Path) -> None:
    for name in "ab":
        save_file({name: torch.ones(2)}, tmp_path / f"model-{name}.safetensors")
    assert Weights(tmp_path).names() == ["a", "b"]


def test_a_file_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.ones(1000)}, path)
    whole = path.read_bytes()
    for size in (len(whole) - 10, 40, 4, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(TekioError, match=r"model\.safetensors is damaged"):
            Weights(tmp_path)


def test_a_header_that_is_none_is_named(tmp_path: Path) -> None:
    header = json.dumps([1]).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(TekioError, match="is damaged"):
        Weights(tmp_path)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(TekioError, match="no weights in"):
        Weights(tmp_path)
    save_file({"a": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(TekioError, match="no weights named b"):
        Weights(tmp_path).get("b")


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1, dtype=torch.int64)}, tmp_path / "model.safetensors")
    with pytest.raises(TekioError, match="type I64"):
        Weights(tmp_path).get("a")
