"""A real llama.cpp server, where one is on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.chat.llama.finding import HOW_TO_GET, ServerProgram, find_server
from kernel.model_store import ModelStore
from retrieval.errors import TekioError


@pytest.fixture(scope="session")
def program() -> ServerProgram:
    found = find_server()
    if found is None:
        pytest.skip(f"llama.cpp's server is not on this machine: {HOW_TO_GET}")
    return found


@pytest.fixture(scope="session")
def base_file(model_store: ModelStore) -> Iterator[Path]:
    try:
        yield model_store.gguf("SmolLM2-135M-Instruct")
    except TekioError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def lora_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA over the default model that changes what it writes: random matrices in every layer's values."""
    import gguf
    import numpy as np

    file = tmp_path_factory.mktemp("lora") / "loud.gguf"
    random = np.random.default_rng(3)
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 16.0)
    for layer in range(30):
        name = f"blk.{layer}.attn_v.weight"
        writer.add_tensor(f"{name}.lora_a", random.normal(0, 0.1, (8, 576)).astype(np.float16))
        writer.add_tensor(f"{name}.lora_b", random.normal(0, 0.1, (192, 8)).astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file
