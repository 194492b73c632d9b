"""Weights in 8 and 4 bits: what the folder holds is what every engine computes with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.weights import Weights
from kernel.chat.quantised import (
    CODES,
    GROUP,
    INPUT_SCALE,
    LOWS,
    SCALES,
    Form,
    decoded,
    form_of,
    four_bit_codes,
    in_eight_bits,
    in_four_bits,
    load_causal,
)
from retrieval.errors import TekioError

RANDOM = np.random.default_rng(7)


def values_of(rows: int = 6, columns: int = 96) -> NDArray[np.float32]:
    return (RANDOM.standard_normal((rows, columns)) * 0.05).astype(np.float32)


def test_eight_bits_lose_half_a_step_at_most_and_use_the_whole_range() -> None:
    values = values_of()
    parts = in_eight_bits(values)
    assert parts[CODES].dtype == np.int8
    assert (np.abs(parts[CODES]).max(axis=1) == 127).all()
    lost = np.abs(decoded(parts[CODES], parts[SCALES]) - values)
    assert (lost <= parts[SCALES] / 2 + 1e-7).all()


def test_four_bits_lose_half_a_step_of_their_group_at_most() -> None:
    values = values_of()
    parts = in_four_bits(values)
    assert parts[CODES].shape == (6, 48)
    codes = four_bit_codes(parts[CODES])
    assert (codes.min(), codes.max()) == (0, 15)
    lost = np.abs(decoded(parts[CODES], parts[SCALES], parts[LOWS]) - values).reshape(6, -1, GROUP)
    assert (lost.max(axis=2) <= 0.52 * parts[SCALES].astype(np.float32) + 1e-5).all()


def test_what_was_rounded_once_is_rounded_to_the_same_codes_again() -> None:
    first = in_four_bits(values_of(64, 256))
    again = in_four_bits(decoded(first[CODES], first[SCALES], first[LOWS]))
    np.testing.assert_array_equal(four_bit_codes(again[CODES]), four_bit_codes(first[CODES]))
    whole = in_eight_bits(values_of(64, 256))
    np.testing.assert_array_equal(in_eight_bits(decoded(whole[CODES], whole[SCALES]))[CODES], whole[CODES])


@pytest.mark.parametrize("value", [0.0, 0.25])
def test_rows_of_one_value_stay_what_they_are(value: float) -> None:
    values = np.full((2, GROUP), value, np.float32)
    four, eight = in_four_bits(values), in_eight_bits(values)
    np.testing.assert_allclose(decoded(four[CODES], four[SCALES], four[LOWS]), values, atol=1e-6)
    np.testing.assert_allclose(decoded(eight[CODES], eight[SCALES]), values, atol=1e-6)


def write_parts(folder: Path, name: str, parts: dict[str, NDArray[Any]]) -> None:
    tensors = {f"{name}{suffix}": part for suffix, part in parts.items()}
    save_file(tensors | {"norm.weight": np.ones(3, np.float32)}, folder / "model.safetensors")


def test_weights_in_few_bits_are_read_by_the_name_of_the_weight(tmp_path: Path) -> None:
    values = values_of()
    parts = in_four_bits(values)
    write_parts(tmp_path, "layer", parts | {INPUT_SCALE: np.array([0.5], np.float32)})
    held = Weights(tmp_path)
    assert held.names() == ["layer.weight", "norm.weight"]
    assert "layer.weight" in held
    assert "layer.bias" not in held
    np.testing.assert_array_equal(held.get("layer.weight"), decoded(parts[CODES], parts[SCALES], parts[LOWS]))
    assert (held.input_scale("layer"), held.input_scale("norm")) == (0.5, None)
    assert held.count() == values.size + 3


def test_only_forms_that_are_known_are_taken_for_one(tmp_path: Path) -> None:
    assert form_of(tmp_path) is None
    for told, form in (
        ({}, None),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, None),
        ({"quantization_config": {"quant_method": "tekio", "precision": "int3"}}, None),
        (
            {"quantization_config": Form("int8-weights", static=True).as_config()},
            Form("int8-weights", static=True),
        ),
        ({"quantization_config": Form("int4-weights", rank=8).as_config()}, Form("int4-weights", rank=8)),
        (
            {"quantization_config": Form("int4-weights").as_config() | {"correction_rank": "8; import os"}},
            Form("int4-weights"),
        ),
    ):
        (tmp_path / "config.json").write_text(json.dumps(told), encoding="utf-8")
        assert form_of(tmp_path) == form


def rounded_copy(base: Path, out: Path, form: Form, scales: dict[str, float] | None = None) -> Path:
    """Write the base in a form, as the lab does."""
    from adaptation.lab.quantising.writing import write_quantised

    out.mkdir()
    write_quantised(load_causal(base, dtype=torch.float32), base, out, form, scales)
    return out


IDS = [504, 2905, 28, 253, 1123, 1277, 314, 260]


def by_transformers(folder: Path) -> NDArray[np.float32]:
    model = load_causal(folder, dtype=torch.float32).eval()
    with torch.inference_mode():
        found: NDArray[np.float32] = model(input_ids=torch.tensor([IDS])).logits[0].numpy()
    return found


def by_openvino(folder: Path, precision: str) -> NDArray[np.float32]:
    from kernel.chat.paged.model import PagedModel
    from kernel.chat.paged.step import Row

    model = PagedModel(folder, precision=precision, threads=1, cache_mb=16, kv_precision="f32")
    (found,) = model.run([Row(IDS, 0, (0,), None, len(IDS))])
    return found.copy()


def error_of(found: NDArray[np.float32], wanted: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("form", [Form("int8-weights"), Form("int4-weights")])
def test_both_engines_compute_with_the_codes_of_the_folder(
    small_base: Path, tmp_path: Path, form: Form
) -> None:
    folder = rounded_copy(small_base, tmp_path / "rounded", form)
    assert Architecture.read(folder).layers == 4
    plain = by_transformers(small_base)
    wanted = by_transformers(folder)
    assert 0.0005 < error_of(wanted, plain) < 0.5, "rounding changes something, and little"
    assert error_of(by_openvino(folder, form.precision), wanted) < 1e-3


def test_what_corrects_codes_is_added_by_every_engine_in_every_precision(
    small_base: Path, tmp_path: Path
) -> None:
    from adaptation.lab.quantising.correcting import correct
    from adaptation.lab.quantising.writing import write_quantised

    model = load_causal(small_base, dtype=torch.float32)
    correct(model, 8)
    folder = tmp_path / "corrected"
    folder.mkdir()
    form = Form("int4-weights", rank=8)
    write_quantised(model, small_base, folder, form)
    held = Weights(folder)
    module = "model.layers.1.mlp.up_proj"
    parts = held.correction(module)
    assert parts is not None
    assert not [name for name in held.names() if "correction" in name]
    assert held.count() == Weights(small_base).count()
    codes = held.get(f"{module}.weight", corrected=False)
    np.testing.assert_allclose(held.get(f"{module}.weight"), codes + parts[1] @ parts[0], atol=1e-7)
    wanted = by_transformers(folder)
    assert error_of(by_openvino(folder, "int4-weights"), wanted) < 1e-3
    assert error_of(by_openvino(folder, "float32"), wanted) < 1e-3


def test_inputs_are_rounded_by_the_steps_of_the_folder_by_both_engines(
    small_base: Path, tmp_path: Path
) -> None:
    from adaptation.lab.quantising.calibrating import find_input_scales

    scales = find_input_scales(load_causal(small_base, dtype=torch.float32), [IDS])
    form = Form("int8-weights", static=True)
    folder = rounded_copy(small_base, tmp_path / "static", form, scales)
    wanted = by_transformers(folder)
    assert 0.001 < error_of(wanted, by_transformers(small_base)) < 0.5
    # A value halfway between two steps may be rounded otherwise, where sums are ordered otherwise.
    assert error_of(by_openvino(folder, form.precision), wanted) < 0.05


def test_the_head_stays_tied_to_the_words(small_base: Path, tmp_path: Path) -> None:
    folder = rounded_copy(small_base, tmp_path / "rounded", Form("int8-weights"))
    model = load_causal(folder, dtype=torch.float32)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert Weights(folder).count() < 50_000_000, "the table of words stands in it once"


def test_a_part_that_is_missing_is_named(small_base: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    folder = rounded_copy(small_base, tmp_path / "rounded", Form("int4-weights"))
    path = folder / "model.safetensors"
    tensors = load_file(path)
    lost = {name: each for name, each in tensors.items() if "layers.1.mlp.up_proj" not in name}
    path.unlink()
    save_file(lost, path)
    with pytest.raises(TekioError, match=r"no weights named model\.layers\.1\.mlp\.up_proj\.weight"):
        load_causal(folder, dtype=torch.float32)
