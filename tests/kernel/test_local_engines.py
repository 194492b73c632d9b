"""Which engine computes the language model and its adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from kernel import language_models
from kernel.chat import local_engines
from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.gpu_memory import weights_mb
from kernel.chat.paged.serving import Serving
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.kernel.paged.random_adapter import make_adapter


def engines(folder: Path, engine: str = "auto", dtype: str = "auto", **serving: object) -> LocalEngines:
    serves = Serving(**{"precision": "auto", **serving})  # type: ignore[arg-type]
    return LocalEngines(folder.name, folder, serves, engine=engine, dtype=dtype, threads=1)  # type: ignore[arg-type]


def on_a_gpu(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    for module in (local_engines, language_models):
        monkeypatch.setattr(module, "has_gpu", lambda: there)


@pytest.mark.parametrize(("gpu", "expected"), [(False, "openvino:int8"), (True, "torch:auto")])
def test_many_are_served_by_openvino_on_processors_and_by_torch_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, small_base: Path, gpu: bool, expected: str
) -> None:
    on_a_gpu(monkeypatch, there=gpu)
    assert engines(small_base).revision(None) == expected


@pytest.mark.parametrize(
    ("engine", "dtype", "precision", "expected"),
    [
        ("openvino", "bfloat16", "auto", "openvino:bfloat16"),
        ("openvino", "bfloat16", "int4-weights", "openvino:int4-weights"),
        ("torch", "float32", "auto", "torch:float32"),
        ("torch", "float32", "int8", "torch:int8"),
        ("transformers", "float32", "int8", "transformers:float32"),
    ],
)
def test_weights_are_held_as_is_said_else_as_dtype_says(
    small_base: Path, engine: str, dtype: str, precision: str, expected: str
) -> None:
    assert engines(small_base, engine, dtype, precision=precision).revision(None) == expected


def test_what_an_engine_cannot_compute_goes_to_transformers_unless_it_was_asked_for(
    small_base: Path, tmp_path: Path
) -> None:
    dora = make_adapter(small_base, tmp_path / "dora")
    config = dora / "adapter_config.json"
    config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
    assert engines(small_base).engine_of(dora) == "transformers"
    for named in ("openvino", "torch"):
        with pytest.raises(UsageError, match=f"the engine {named} cannot compute"):
            engines(small_base, named).engine_of(dora)


def test_a_gpus_memory_is_planned_with_the_other_models_in_it(
    monkeypatch: pytest.MonkeyPatch, model_store: ModelStore
) -> None:
    settings = Settings(cache=model_store.cache, gpu_memory_share=0.5, kv_cache_mb=77)
    for gpu in (True, False):
        on_a_gpu(monkeypatch, there=gpu)
        serving = LanguageModels(settings, model_store).engines()._serving
        assert (serving.gpu_memory_share, serving.cache_mb) == (0.5, 77)
        embedder = model_store.resolve(settings.embedder).folder
        # The reading model takes as much again.
        assert serving.others_mb == (weights_mb([embedder, embedder]) if gpu else 0)
