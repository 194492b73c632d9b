"""Which embedder the settings name, and what is put before its texts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from kernel.embedders import embedder_source, find_embedder, resolve_embedder
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.model_folder import prompts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of an encoder, as far as it is read without loading it."""
    made = tmp_path / "embedders" / "mine-e5"
    (made / "1_Pooling").mkdir(parents=True)
    files: dict[str, object] = {
        "config.json": {"hidden_size": 8, "max_position_embeddings": 64},
        "modules.json": [
            {"type": "sentence_transformers.models.Transformer", "path": ""},
            {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
        ],
        "1_Pooling/config.json": {"pooling_mode": "mean"},
        "config_sentence_transformers.json": {"prompts": {"query": "ask: ", "document": "tell: "}},
    }
    for name, content in files.items():
        (made / name).write_text(json.dumps(content))
    return made


def settings_of(tmp_path: Path, embedder: str) -> Settings:
    return Settings(
        embedders=tmp_path / "embedders",
        cache=tmp_path / "cache",
        index=tmp_path / "index",
        embedder=embedder,
        embedder_engine="torch",
        offline=True,
    )


def test_the_folders_own_prompts_win_over_its_name(tmp_path: Path, folder: Path) -> None:
    settings = settings_of(tmp_path, str(folder))
    signature = find_embedder(settings, ModelStore(settings.cache)).signature
    assert (signature.query_prefix, signature.passage_prefix) == ("ask: ", "tell: ")


@pytest.mark.parametrize("stated", [{}, {"prompts": {}}, {"prompts": {"query": "", "document": ""}}])
def test_the_name_decides_where_the_folder_says_nothing(
    tmp_path: Path, folder: Path, stated: dict[str, object]
) -> None:
    (folder / "config_sentence_transformers.json").write_text(json.dumps(stated))
    settings = settings_of(tmp_path, str(folder))
    signature = find_embedder(settings, ModelStore(settings.cache)).signature
    assert (signature.query_prefix, signature.passage_prefix) == ("query: ", "passage: ")


def test_the_prompt_of_a_passage_goes_by_either_name(folder: Path) -> None:
    file = folder / "config_sentence_transformers.json"
    file.write_text(json.dumps({"prompts": {"query": "q", "passage": "p"}}))
    assert prompts(folder) == ("q", "p")
    file.write_text(json.dumps({"prompts": {"query": "q", "document": "d"}}))
    assert prompts(folder) == ("q", "d")
    file.unlink()
    assert prompts(folder) is None


def test_a_trained_embedder_has_one_name_however_it_is_named(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [
        resolve_embedder(settings, ModelStore(settings.cache))
        for settings in (
            settings_of(tmp_path, "mine-e5"),
            settings_of(tmp_path, str(folder)),
            settings_of(tmp_path, "embedders/mine-e5"),
        )
    ]
    assert {(each.name, each.folder) for each in found} == {("mine-e5", folder.resolve())}
    assert ModelStore(tmp_path / "cache").is_present(embedder_source(settings_of(tmp_path, "mine-e5")))
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    settings = settings_of(tmp_path, str(elsewhere))
    assert resolve_embedder(settings, ModelStore(settings.cache)).name == str(elsewhere)


def test_the_revision_follows_the_weights_and_not_the_card(tmp_path: Path, folder: Path) -> None:
    settings = settings_of(tmp_path, "mine-e5")

    def revision() -> str:
        return resolve_embedder(settings, ModelStore(settings.cache)).revision

    (folder / "model.safetensors").write_bytes(b"weights")
    first = revision()
    (folder / "tekio_embedder.json").write_text("{}")
    assert revision() == first
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert revision() != first
