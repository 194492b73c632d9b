"""Every engine gives the vectors of its family, whatever the batch and whatever the text."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from kernel.model_store import ModelStore
from retrieval.engines import export
from retrieval.engines.catalog import AUTO, ENGINES, FLOAT, find_engine
from retrieval.engines.cpu import vector_instructions
from retrieval.errors import TekioError, UsageError
from retrieval.model_folder import pooling
from retrieval.sentence_transformer import SentenceTransformerEmbedder

ROOT = Path(__file__).parents[2]
TEXTS = [
    "日本の首都は東京です。",
    "The pump is inspected every 2,000 hours of operation by the maintenance team.",
    "ワクチンは2度から8度で保管し、凍結させないこと。",
    "A completed form stays valid for 48 hours. " * 12,
    "就業規則の定めにより、従業員は年次有給休暇を取得することができる。" * 8,
    "x",
]
# The least cosine to float32 that was measured, less a margin.
LEAST = {
    "torch-int8": 0.95,
    "onnx": 0.99999,
    "onnx-int8": 0.98,
    "openvino": 0.99999,
    "openvino-bf16": 0.9999,
    "openvino-int8": 0.99,
}


def make(model_store: ModelStore, name: str, **options: int) -> SentenceTransformerEmbedder:
    model = model_store.resolve("multilingual-e5-small")
    return SentenceTransformerEmbedder(
        model.folder,
        model=model.name,
        revision=model.revision,
        query_prefix="query: ",
        passage_prefix="passage: ",
        engine=ENGINES[name],
        exports=model_store.cache / "exports" / f"{model.folder.name}-{model.revision[:16]}",
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def exact(model_store: ModelStore) -> np.ndarray:
    return make(model_store, "torch").embed_passages(TEXTS)


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "torch"])
def test_an_engine_gives_the_vectors_of_its_family_in_any_batch(
    model_store: ModelStore, exact: np.ndarray, name: str
) -> None:
    for package in (*ENGINES[name].packages, *ENGINES[name].export_needs):
        pytest.importorskip(package)
    embedder = make(model_store, name)
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors * exact).sum(axis=1).min() > LEAST[name]
    assert (ENGINES[name].family == FLOAT) == (ENGINES[name].precision != "int8")
    assert embedder.signature.engine == ENGINES[name].family
    alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])
    # Scales of activations that are found as they come depend on what is in the batch.
    tolerance = 0.97 if name in ("onnx-int8", "torch-int8") else 0.99999
    assert (vectors * alone).sum(axis=1).min() > tolerance
    tokens = embedder.embed_tokens(TEXTS[:2], prefix="passage: ")
    assert [len(each.vectors) == len(each.offsets) > 5 for each in tokens] == [True, True]


def test_texts_of_the_same_tokens_are_computed_once(
    model_store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = make(model_store, "openvino-int8")
    encoder = embedder._encoder()
    seen: list[int] = []
    real = encoder.states
    monkeypatch.setattr(encoder, "states", lambda batch: seen.append(len(batch)) or real(batch))  # type: ignore[func-returns-value]
    vectors = embedder.embed_passages(["Two  words", "Two words", "Two\nwords", "Other words", "Two words"])
    assert sum(seen) == 2
    assert np.array_equal(vectors[0], vectors[4])
    assert np.array_equal(vectors[0], vectors[2])


def test_what_is_computed_together_is_of_like_length_and_bounded(model_store: ModelStore) -> None:
    embedder = make(model_store, "openvino", batch_tokens=100)
    lengths = [7, 60, 8, 30, 31, 200, 9, 10, 10, 10]
    batches = list(embedder._batches(lengths))
    assert sorted(place for batch in batches for place in batch) == list(range(10))
    for batch in batches:
        longest = max(lengths[place] for place in batch)
        assert len(batch) == 1 or longest * len(batch) <= 100
    assert batches[0] == [5]


@pytest.fixture(scope="module")
def any_text_embedder(model_store: ModelStore) -> SentenceTransformerEmbedder:
    return make(model_store, "openvino-int8")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)
@example("")
@example("\0" * 10)
@example("\ud800\udfff")
@example("a" * 1_000_000)
@example("漢字" * 500_000)
@example("\u0301" * 5_000)
@example("👩‍👩‍👧‍👦" * 300)
def test_any_text_gives_a_vector_of_length_one(
    any_text_embedder: SentenceTransformerEmbedder, text: str
) -> None:
    vector = any_text_embedder.embed_passages([text])[0]
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_searching_needs_no_torch(model_store: ModelStore) -> None:
    model = model_store.resolve("multilingual-e5-small")
    make(model_store, "openvino-int8").warm_up()  # is made, if it was not
    script = (
        "import sys; from pathlib import Path\n"
        "from retrieval.engines.catalog import ENGINES\n"
        "from retrieval.sentence_transformer import SentenceTransformerEmbedder\n"
        f"embedder = SentenceTransformerEmbedder(Path({str(model.folder)!r}), model='e5', revision='r',"
        " engine=ENGINES['openvino-int8'],"
        f" exports=Path({str(model_store.cache / 'exports' / f'{model.folder.name}-{model.revision[:16]}')!r}))\n"
        "print(embedder.embed_queries(['hello']).shape, 'torch' in sys.modules)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert process.stdout == "(1, 384) False\n"


def test_auto_is_the_fastest_for_the_processor_and_keeps_to_what_an_index_holds() -> None:
    vnni, bf16 = ("avx2", "avx512_vnni"), ("avx2", "avx512_vnni", "avx512_bf16")
    assert find_engine(AUTO, instructions=bf16).name == "openvino-int8"
    assert find_engine(AUTO, instructions=bf16, family=FLOAT).name == "openvino-bf16"
    assert find_engine(AUTO, instructions=vnni, family=FLOAT).name == "openvino"
    assert find_engine(AUTO, instructions=(), family=FLOAT).name == "torch"
    assert find_engine(AUTO, instructions=(), family="openvino-int8").name == "openvino-int8"
    assert find_engine(AUTO, instructions=bf16, plain=False).name == "torch"
    assert isinstance(vector_instructions(), tuple)


def test_an_engine_that_is_unknown_or_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="there are auto, torch"):
        find_engine("tensorflow", instructions=())
    monkeypatch.setattr("retrieval.engines.catalog.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install onnxruntime"):
        find_engine("onnx", instructions=())
    assert find_engine(AUTO, instructions=("avx2", "avx512_vnni")).name == "torch"
    with pytest.raises(UsageError, match=r"the index was made by .*'openvino-int8', which needs openvino:"):
        find_engine(AUTO, instructions=("avx2", "avx512_vnni"), family="openvino-int8")


def test_an_index_of_integer_vectors_needs_nothing_that_only_makes_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval.engines.catalog.find_spec", lambda name: None if name == "nncf" else name)
    assert (
        find_engine(AUTO, instructions=("avx2", "avx512_vnni"), family="openvino-int8").name
        == "openvino-int8"
    )
    assert find_engine(AUTO, instructions=("avx2", "avx512_vnni")).name == "openvino"


def test_an_export_that_cannot_be_made_or_stored_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TekioError, match="could not be made") as caught:
        export.exported(tmp_path, tmp_path / "exports", ENGINES["openvino"], "")
    assert "\n" not in str(caught.value)
    assert not [path for path in (tmp_path / "exports").iterdir() if path.name != ".lock"]
    (tmp_path / "file").write_text("")
    with pytest.raises(TekioError, match="could not be stored"):
        export.exported(tmp_path, tmp_path / "file" / "exports", ENGINES["openvino"], "")


def test_two_at_once_make_an_export_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make_slowly(kind: str, folder: Path, target: Path, prefix: str) -> None:
        made.append(kind)
        threading.Event().wait(0.5)
        target.mkdir()
        (target / "model.xml").write_text("")
        export.write_sizes(target)

    monkeypatch.setattr(export, "_make", make_slowly)
    work = threading.Thread(target=export.exported, args=(tmp_path, tmp_path / "x", ENGINES["openvino"], ""))
    work.start()
    file = export.exported(tmp_path, tmp_path / "x", ENGINES["openvino-bf16"], "")
    work.join()
    assert file.is_file()
    assert made == ["openvino"]


def test_an_export_that_lost_a_part_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        work = Path(command[5])
        (work / "model.xml").write_text("graph")
        (work / "model.bin").write_bytes(b"weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("retrieval.engines.export.subprocess.run", run)
    said: list[str] = []
    file = export.exported(tmp_path, tmp_path / "x", ENGINES["openvino"], "", said.append)
    weights = file.with_suffix(".bin")
    damages: list[Callable[[], None]] = [
        lambda: os.truncate(weights, 3),
        weights.unlink,
        (file.parent / "sizes.json").unlink,
    ]
    for damage in damages:
        said.clear()
        damage()
        assert export.exported(tmp_path, tmp_path / "x", ENGINES["openvino"], "", said.append) == file
        assert weights.read_bytes() == b"weights"
        assert len(said) == 1
        assert export.exported(tmp_path, tmp_path / "x", ENGINES["openvino"], "", said.append) == file
        assert len(said) == 1
    assert not list((tmp_path / "x").glob(".*.tmp"))


def test_the_export_reports_its_use_to_nobody() -> None:
    code = export._START.split(";")[:2]
    script = ";".join([*code, "import openvino.tools.ovc.telemetry_utils as t; print(t.tm.__name__)"])
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


def test_the_pooling_of_a_folder_is_read_in_both_forms(tmp_path: Path) -> None:
    modules = '[{"type": "a.Transformer", "path": ""}, {"type": "b.Pooling", "path": "1_Pooling"}%s]'
    (tmp_path / "1_Pooling").mkdir()
    config = tmp_path / "1_Pooling" / "config.json"
    (tmp_path / "modules.json").write_text(modules % ', {"type": "c.Normalize", "path": "2"}')
    for stated, expected in (
        ('{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}', "mean"),
        ('{"pooling_mode": "cls"}', "cls"),
        ('{"pooling_mode": "lasttoken"}', None),
        ('{"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true}', None),
    ):
        config.write_text(stated)
        assert pooling(tmp_path) == expected
    config.write_text('{"pooling_mode": "mean"}')
    (tmp_path / "modules.json").write_text(modules % ', {"type": "c.Dense", "path": "2"}')
    assert pooling(tmp_path) is None
    (tmp_path / "modules.json").unlink()
    assert pooling(tmp_path) is None


def test_numpy_computes_on_the_calling_thread_once_an_engine_is_there(model_store: ModelStore) -> None:
    """Its threads would wait spinning, on the cores that the engine needs for the next batch."""
    make(model_store, "openvino-int8").warm_up()
    pools = {pool["prefix"]: pool["num_threads"] for pool in threadpool_info() if "numpy" in pool["filepath"]}
    assert list(pools.values()) == [1]
