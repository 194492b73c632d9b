"""A model that the lab made is a variant under its name as soon as it is whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.chat.quantised import Form
from kernel.composed.describing import describe_variants
from kernel.lab_models import (
    LAB_CARD,
    READER_HEAD,
    find_lab_model,
    lab_engine,
    lab_variant,
    list_lab_models,
    list_lab_variants,
)
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError


def card_beside(folder: Path) -> None:
    (folder / LAB_CARD).write_text(json.dumps({"name": folder.name, "method": "test"}), encoding="utf-8")


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    for name, config in (
        ("writer", {"architectures": ["LlamaForCausalLM"]}),
        ("reader", {"architectures": ["BertForMaskedLM"]}),
        ("both", {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}),
        (
            "light",
            {
                "architectures": ["LlamaForCausalLM"],
                "quantization_config": Form("int4-weights").as_config(),
            },
        ),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config), encoding="utf-8")
        card_beside(folder / name)
    return folder


def test_only_whole_models_are_listed(models: Path) -> None:
    (models / "half").mkdir()
    (models / "half" / LAB_CARD).write_text("{}", encoding="utf-8")
    (models / "other").mkdir()
    (models / "other" / "config.json").write_text("{}", encoding="utf-8")
    shutil.copytree(models / "writer", models / ".writer.tmp")
    assert list_lab_models(models) == ["both", "light", "reader", "writer"]
    assert find_lab_model("writer", models) == models / "writer"
    assert find_lab_model("half", models) is None
    assert find_lab_model("../models/writer", models) is None
    assert list_lab_models(models / "nowhere") == []


def test_a_model_that_writes_no_text_is_kept_and_is_no_variant(models: Path, tmp_path: Path) -> None:
    assert list_lab_variants(models) == ["both", "light", "writer"]
    settings = Settings(index=tmp_path / "index", adapters=tmp_path / "adapters", models=models)
    assert settings.named_variants == ["both", "light", "writer"]
    kinds = {name: describe_variants([name], settings)[0].kind for name in settings.named_variants}
    assert kinds == {"both": "seq2seq", "light": "local", "writer": "local"}


def test_a_model_answers_as_its_kind_and_its_weights_want(models: Path) -> None:
    assert lab_variant("writer", models / "writer").precision == "auto"
    light = lab_variant("light", models / "light")
    assert (light.engine, light.precision) == ("local", "int4-weights")
    assert lab_variant("both", models / "both").engine == lab_engine(models / "both") == "seq2seq"
    with pytest.raises(UsageError, match=r"'reader' writes no text \(BertForMaskedLM\)"):
        lab_variant("reader", models / "reader")
    (models / "reader" / READER_HEAD).touch()
    with pytest.raises(UsageError, match=r"reads passages and writes no text: `reading_model = \"reader\"`"):
        lab_variant("reader", models / "reader")


def test_base_and_draft_may_be_a_model_of_the_lab_by_its_name(models: Path, tmp_path: Path) -> None:
    found = Settings(draft="light", models=models, generator="writer")
    assert (found.generator, found.draft) == (str(models / "writer"), str(models / "light"))
    assert Settings(generator="writer", models=models / "nowhere").generator == "writer", (
        "as the hub names it"
    )


def test_a_variant_may_name_a_model_of_the_lab(
    small_base: Path, model_store: ModelStore, tmp_path: Path
) -> None:
    shutil.copytree(small_base, tmp_path / "models" / "cut")
    card_beside(tmp_path / "models" / "cut")
    settings = Settings(models=tmp_path / "models", generator=str(small_base), cache=model_store.cache)
    with closing(LanguageModels(settings, model_store).apart("cut", "float32", "cut")[0]) as engines:
        assert engines.folder == tmp_path / "models" / "cut"


def test_two_variants_of_one_name_are_refused(models: Path, tmp_path: Path) -> None:
    settings = Settings(
        index=tmp_path / "index",
        adapters=tmp_path / "adapters",
        models=models,
        variants={"writer": {"engine": "local"}},
    )
    app = Tekio(settings)
    try:
        with pytest.raises(UsageError, match="two variants are named 'writer'"):
            app.variants()
    finally:
        app.close()


@pytest.fixture
def tekio(model_store: ModelStore, small_base: Path, tmp_path: Path) -> Iterator[Tekio]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "kiln.md").write_text(
        "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n"
    )
    shutil.copytree(small_base, tmp_path / "models" / "cut")
    card_beside(tmp_path / "models" / "cut")
    settings = Settings(
        index=tmp_path / "index",
        memory=tmp_path / "memory",
        adapters=tmp_path / "adapters",
        models=tmp_path / "models",
        cache=model_store.cache,
        generator=str(small_base),
        precision="float32",
        max_new_tokens=6,
        min_confidence=0.0,
        reading=False,
        answer_cache=False,
        kv_cache_mb=32,
    )
    app = Tekio(settings)
    app.ingest([tmp_path / "docs"])
    yield app
    app.close()


async def test_it_is_asked_by_its_name(tekio: Tekio) -> None:
    assert tekio.variants() == ["base", "extractive", "cut"]
    assert next(each for each in tekio.variant_descriptions() if each.name == "cut").kind == "local"
    answer = await tekio.ask("At what temperature is the kiln K2 fired?", variant="cut")
    assert answer.usage.completion_tokens > 0, "it wrote, whether or not what it wrote was supported"
    assert tekio._start().variants.get("cut").revision.startswith("local:")
    tekio.keep_default_variant("cut")
    assert tekio.default_variant() == "cut"
