"""A GPU's memory, shared out among the models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from kernel.chat.paged.gpu_memory import GpuMemory, weights_mb
from retrieval.errors import TekioError


def test_keys_and_values_get_what_the_models_and_their_work_leave() -> None:
    memory = GpuMemory(total=24_000, free=23_500, share=0.5)
    assert memory.budget == 12_000
    assert memory.working == 1_200
    assert memory.for_cache(3_000, 1_000) == 12_000 - 1_200 - 3_000 - 1_000
    assert memory.for_cache(3_000, 1_000, wanted=512) == 512


def test_what_other_processes_hold_is_not_counted_on() -> None:
    memory = GpuMemory(total=24_000, free=8_000, share=0.9)
    assert memory.budget == 8_000
    assert memory.for_cache(3_000, 1_000) == 8_000 - 1_024 - 4_000


@pytest.mark.parametrize(("weights", "wanted"), [(7_000, 0), (3_000, 5_000)])
def test_too_little_memory_says_what_takes_it_and_what_to_do(weights: int, wanted: int) -> None:
    with pytest.raises(TekioError, match="raise gpu_memory_share, set kv_cache_mb lower, or take a smaller"):
        GpuMemory(total=8_000, free=8_000, share=0.9).for_cache(weights, 500, wanted=wanted)


def test_weights_are_counted_as_they_are_in_memory(tmp_path: Path) -> None:
    for name, dtype in (("whole", np.float32), ("half", np.float16)):
        (tmp_path / name).mkdir()
        save_file({"a": np.zeros((1024, 1024), dtype)}, tmp_path / name / "model.safetensors")
    (tmp_path / "older").mkdir()
    (tmp_path / "older" / "pytorch_model.bin").write_bytes(bytes(3 << 20))
    assert weights_mb([tmp_path / "whole", tmp_path / "half", tmp_path / "older"]) == 4 + 4 + 6
