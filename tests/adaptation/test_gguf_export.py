"""An adapter written as GGUF says the same as its own files."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from adaptation.export import export_gguf
from adaptation.gguf_export import interleaved
from retrieval.errors import UsageError
from tests.adaptation.trained import BASE, train_on

PAIRS = [("Say tea.", "Arr, tea!"), ("Say rum.", "Arr, rum!")]
CHOSEN = {"steps": 2, "rank": 4, "rate": 1e-2}


@pytest.fixture(scope="module")
def adapter(small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_on(small_base, tmp_path_factory.mktemp("adapters") / "pirate", PAIRS, **CHOSEN)


def test_every_matrix_is_there_under_the_name_that_llama_cpp_has_for_it(
    small_base: Path, adapter: Path, tmp_path: Path
) -> None:
    folder = export_gguf(BASE, small_base, adapter, tmp_path / "out")
    reader = gguf.GGUFReader(folder / "pirate.gguf")
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert (fields["general.architecture"], fields["general.type"]) == ("llama", "adapter")
    assert (fields["adapter.type"], fields["adapter.lora.alpha"]) == ("lora", 8.0)
    held = load_file(adapter / "adapter_model.safetensors")
    tensors = {tensor.name: np.array(tensor.data, np.float32) for tensor in reader.tensors}
    assert len(tensors) == len(held)
    place = "base_model.model.model.layers.2."
    for ours, theirs in (
        ("mlp.down_proj.lora_A", "ffn_down.weight.lora_a"),
        ("mlp.down_proj.lora_B", "ffn_down.weight.lora_b"),
        ("self_attn.v_proj.lora_B", "attn_v.weight.lora_b"),
        ("self_attn.q_proj.lora_A", "attn_q.weight.lora_a"),
    ):
        expected = held[f"{place}{ours}.weight"].float().numpy()
        assert np.allclose(tensors[f"blk.2.{theirs}"], expected, atol=1e-3), ours
    queries = held[f"{place}self_attn.q_proj.lora_B.weight"].float().numpy()
    found = tensors["blk.2.attn_q.weight.lora_b"]
    assert np.allclose(found[1], queries[32], atol=1e-3), (
        "the second half of a head's rows goes between the first"
    )
    assert np.allclose(found[2], queries[1], atol=1e-3)


@given(st.integers(1, 9), st.integers(1, 8), st.integers(1, 3))
def test_rows_are_only_put_in_another_order_within_their_head(heads: int, half: int, columns: int) -> None:
    rows = np.arange(heads * 2 * half * columns, dtype=np.float32).reshape(-1, columns)
    turned = interleaved(rows, heads)
    for head in range(heads):
        own = slice(head * 2 * half, (head + 1) * 2 * half)
        assert {tuple(row) for row in turned[own]} == {tuple(row) for row in rows[own]}
        assert np.array_equal(turned[own][0::2], rows[own][:half])


def test_what_gguf_has_no_form_for_is_refused_in_a_line(small_base: Path, tmp_path: Path) -> None:
    for method in ("dora", "ia3"):
        folder = train_on(small_base, tmp_path / method, PAIRS, method=method, **CHOSEN)
        with pytest.raises(UsageError, match=r"do not load") as caught:
            export_gguf(BASE, small_base, folder, tmp_path / "out")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_architecture_is_named(small_base: Path, adapter: Path, tmp_path: Path) -> None:
    from adaptation.gguf_export import write_gguf

    other = tmp_path / "base"
    other.mkdir()
    config = json.loads((small_base / "config.json").read_text(encoding="utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"model_type": "rwkv"}), encoding="utf-8")
    with pytest.raises(UsageError, match="architecture 'rwkv' cannot be written as GGUF"):
        write_gguf(adapter, other, tmp_path / "x.gguf")
