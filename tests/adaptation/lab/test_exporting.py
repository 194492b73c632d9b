"""An exported model is run once, and finds the same tokens likeliest as the model that it was made of."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from adaptation.lab.exporting.export import export_model
from adaptation.lab.exporting.onnx_file import onnx_logits
from adaptation.lab.exporting.ran import logits_of
from adaptation.lab.quantising.plan import QuantisePlan
from adaptation.lab.quantising.quantise import quantise_model
from kernel.chat.paged.weights import Weights
from kernel.chat.quantised import CODES, four_bit_codes, in_four_bits, load_causal
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.lab.small_models import make_small
from tests.adaptation.trained import BASE


@pytest.fixture(scope="module")
def small(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_small(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def light(small: Path) -> Path:
    return quantise_model(small, small.parent / "light", QuantisePlan(method="int4"))


@pytest.mark.parametrize(("form", "least"), [("onnx", 0.99), ("gguf", 0.9)])
def test_floats_are_exported_and_run(small: Path, tmp_path: Path, form: str, least: float) -> None:
    ran = export_model(small, tmp_path / "out", form)
    assert ran.same >= least, "F16 of GGUF may turn a close race"
    assert ran.bytes == (tmp_path / "out" / f"model.{form}").stat().st_size
    assert isinstance(ran.text, str)
    assert (tmp_path / "out" / "tokenizer.json").is_file()
    here = str(Path(torch.__file__).parents[1]).encode()
    assert here not in (tmp_path / "out" / f"model.{form}").read_bytes(), "no paths of this machine"


@pytest.mark.parametrize(("form", "least"), [("onnx", 0.3), ("gguf", 0.8)])
def test_four_bits_are_exported_in_about_as_many_and_run(
    small: Path, light: Path, tmp_path: Path, form: str, least: float
) -> None:
    ran = export_model(light, tmp_path / "out", form)
    # The words that GGUF spells out, and the table that ONNX has twice, weigh much in so small a model.
    assert ran.bytes < 0.6 * 4 * Weights(light).count()
    assert ran.same >= least
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name.startswith("plain")) == []


def test_gguf_has_the_codes_of_the_folder(light: Path, tmp_path: Path) -> None:
    export_model(light, tmp_path / "out", "gguf")
    reader = gguf.GGUFReader(tmp_path / "out" / "model.gguf")
    found = {tensor.name: tensor for tensor in reader.tensors}
    down = found["blk.1.ffn_down.weight"]
    assert down.tensor_type == gguf.GGMLQuantizationType.Q4_1
    held = Weights(light)
    values = gguf.dequantize(down.data, down.tensor_type)
    np.testing.assert_array_equal(
        four_bit_codes(in_four_bits(values)[CODES]),
        four_bit_codes(held.raw("model.layers.1.mlp.down_proj.codes")),
    )
    assert found["token_embd.weight"].tensor_type == gguf.GGMLQuantizationType.Q8_0
    assert reader.fields["tokenizer.ggml.pre"].contents() == "smollm"
    assert reader.fields["llama.block_count"].contents() == 4


@pytest.fixture(scope="module")
def corrected(small: Path) -> Path:
    return quantise_model(small, small.parent / "corrected", QuantisePlan(method="int4", rank=8))


def test_layers_whose_four_bits_are_corrected_have_eight_in_gguf(corrected: Path, tmp_path: Path) -> None:
    ran = export_model(corrected, tmp_path / "out", "gguf")
    assert ran.same >= 0.8
    types = {tensor.tensor_type for tensor in gguf.GGUFReader(tmp_path / "out" / "model.gguf").tensors}
    assert types == {gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32}


def test_onnx_has_four_bits_and_what_corrects_them_beside_them(corrected: Path, tmp_path: Path) -> None:
    import onnx

    ran = export_model(corrected, tmp_path / "out", "onnx")
    graph = onnx.load(str(tmp_path / "out" / "model.onnx")).graph
    kinds = [node.op_type for node in graph.node]
    assert kinds.count("MatMulNBits") == 28, "each layer"
    assert kinds.count("MatMulInteger") == 2 * 28 + 1, "two narrow products of each, and the head"
    text = [504, 1905, 28, 253, 1123, 1277, 314, 260, 5, 900, 33, 12]
    found = onnx_logits(tmp_path / "out" / "model.onnx")(text)
    wanted = logits_of(load_causal(corrected, dtype=torch.float32), text)
    near = torch.nn.functional.cosine_similarity(torch.from_numpy(found), torch.from_numpy(wanted), dim=-1)
    assert float(near.mean()) > 0.95
    assert ran.bytes < 0.7 * 4 * Weights(corrected).count()


def test_what_cannot_be_exported_is_told(small: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exported as onnx or gguf, not as 'tflite'"):
        export_model(small, tmp_path / "out", "tflite")
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        export_model(small, tmp_path / "taken", "onnx")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text(json.dumps({"model_type": "gpt_neox"}), encoding="utf-8")
    with pytest.raises(UsageError, match="the kind 'gpt_neox' cannot be written as GGUF here"):
        export_model(other, tmp_path / "out", "gguf")
    assert not (tmp_path / "out").exists()
