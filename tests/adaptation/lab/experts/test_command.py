"""`tekio adapt experts` end to end, over a tiny base: a model or an adapter that is kept, and answers."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, MixtralForCausalLM

from adaptation.finetuning.command import Base
from adaptation.lab.experts.command import Mixture, make_mixture
from adaptation.lab.experts.picture import USE_FILE
from adaptation.lab.experts.recipe import ExpertRecipe
from adaptation.lab.models import read_card
from kernel.chat.adapters import AdapterCard, check_adapter
from kernel.chat.generation import Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.local_engines import LocalEngines
from kernel.chat.paged.serving import Serving
from kernel.lab_models import lab_variant, list_lab_models
from kernel.model_store import ModelStore
from retrieval.errors import UsageError
from tests.adaptation.conftest import PLACES, THINGS, make_base
from tests.adaptation.lab.small_models import WORDS
from tests.adaptation.trained import BASE

ASKED = [{"role": "user", "content": "Say tea."}]
RECIPE = ExpertRecipe(experts=4, parts=2, steps=4, rows=2, together=2, window=32, held_out=0.2, rate=1e-3)
LORA = replace(RECIPE, kind="lora", parts=1, rank=2, rate=1e-2)


@pytest.fixture(scope="module")
def base(model_store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Base:
    torch.set_num_threads(1)
    folder = make_base(model_store.resolve(BASE).folder, tmp_path_factory.mktemp("base") / BASE, words=WORDS)
    return Base(BASE, folder, "r1", ["en"])


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two domains: care of things, and where they stand."""
    folder = tmp_path_factory.mktemp("texts")
    for number, thing in enumerate(THINGS[:10]):
        place = PLACES[number % len(PLACES)]
        for domain, line in (
            ("care", f"The {thing} is oiled every {number + 2} weeks, and nobody lifts it alone. "),
            ("places", f"In {place} there are {number + 3} of them; the way leads past the {thing}. "),
        ):
            path = folder / domain / f"{thing}.txt"
            path.parent.mkdir(exist_ok=True)
            path.write_text(4 * line, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(base: Base, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Mixture:
    return make_mixture(base, texts, tmp_path_factory.mktemp("models") / "mixed", RECIPE)


@pytest.fixture(scope="module")
def lora(base: Base, texts: Path, tmp_path_factory: pytest.TempPathFactory) -> Mixture:
    return make_mixture(base, texts, tmp_path_factory.mktemp("adapters") / "routed", LORA)


def test_a_mixture_is_kept_as_a_model_of_transformers_with_its_card(made: Mixture, base: Base) -> None:
    read: Any = AutoModelForCausalLM.from_pretrained(made.folder)
    assert type(read) is MixtralForCausalLM
    assert read.config.num_experts_per_tok == 2
    assert read.config.num_local_experts == 4
    card = read_card(made.folder)
    assert (card.method, card.base, card.recipe["experts"]) == ("experts", BASE, 4)
    assert card.parameters == sum(weight.numel() for weight in read.parameters())
    assert (made.folder / USE_FILE).read_bytes().startswith(b"\x89PNG")
    assert list_lab_models(made.folder.parent) == ["mixed"]
    assert [path.name for path in made.folder.parent.iterdir()] == ["mixed"]  # no checkpoints are left


def test_it_is_held_against_a_dense_model_of_as_many_active_parameters(made: Mixture) -> None:
    sizes = made.figures["parameters"]
    assert sizes["equal"]
    assert sizes["mixture"] > sizes["active"]
    change = made.figures["against_dense"]
    low, high = change["difference_interval"]
    assert low <= change["difference"] <= high
    assert change["questions"] == 4  # two held-out texts of each domain
    assert set(made.figures["perplexity"]) == {"base", "dense", "mixture"}
    assert made.figures["perplexity"]["dense"] < made.figures["perplexity"]["base"]
    assert made.figures["perplexity"]["mixture"] < made.figures["perplexity"]["base"]


def test_the_use_of_experts_is_told_for_each_domain(made: Mixture) -> None:
    use = made.figures["experts"]
    assert sorted(use["shares"]) == ["care", "places"]
    assert all(sum(row) == pytest.approx(1, abs=1e-3) for rows in use["shares"].values() for row in rows)
    assert 0 < use["load_entropy"] <= 1
    json.dumps(made.figures)


def test_a_kept_mixture_answers_as_a_variant(made: Mixture) -> None:
    told = lab_variant("mixed", made.folder)
    assert told.engine == "local"
    serving = Serving(threads=1)
    engines = LocalEngines("mixed", made.folder, serving, engine="auto", dtype="float32", threads=1)
    with closing(engines):
        assert engines.engine_of() == "transformers"
        done = engines.bind(None).generator.start(ASKED, Sampling(max_new_tokens=4)).result()
    assert done.completion_tokens >= 1


def test_lora_experts_are_kept_as_an_adapter_that_answers(lora: Mixture, base: Base) -> None:
    card = AdapterCard.read(lora.folder)
    assert card is not None
    assert card.method == "lora-experts"
    assert card.training["parameters"] == lora.figures["parameters"]["mixture"]
    assert check_adapter(lora.folder, base=BASE, base_folder=base.folder) == card
    assert (lora.folder / USE_FILE).is_file()
    model = LanguageModel(BASE, base.folder, dtype="float32", threads=1)
    name = model.load_adapter(lora.folder)
    assert model.generate(ASKED, Sampling(max_new_tokens=4), adapter=name).completion_tokens >= 1


class KilledError(Exception):
    """The run ends here."""


def test_a_run_that_was_stopped_goes_on_and_comes_to_the_same(
    made: Mixture, base: Base, texts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mixed"

    def until_the_mixture_learns(said: str) -> None:
        if said.startswith("the mixture learns"):
            raise KilledError

    with pytest.raises(KilledError):
        make_mixture(base, texts, out, RECIPE, say=until_the_mixture_learns)
    assert not out.exists()
    with pytest.raises(UsageError, match="was stopped before its end: --resume"):
        make_mixture(base, texts, out, RECIPE)
    with pytest.raises(UsageError, match="had another model, set or numbers"):
        make_mixture(base, texts, out, replace(RECIPE, seed=1), resume=True)
    again = make_mixture(base, texts, out, RECIPE, resume=True)
    for figures in (again.figures, made.figures):
        figures.pop("seconds", None)
    assert again.figures == made.figures
    first, second = (
        AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (made.folder, out)
    )
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def test_texts_that_are_too_few_are_told_with_how_much_is_missing(
    base: Base, texts: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"64 are the least.*add [\d,]+ tokens"):
        make_mixture(base, texts, tmp_path / "m", replace(RECIPE, rows=64, together=64, window=64))
    assert not list(tmp_path.iterdir())


def test_a_mixture_that_does_not_fit_into_memory_is_told_before_anything_is_done(
    base: Base, texts: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "large"
    shutil.copytree(base.folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_size": 8192, "intermediate_size": 65536, "num_hidden_layers": 60}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    large = Base("large", folder)
    with pytest.raises(UsageError, match=r"takes [\d.]+ GB or more, and [\d.]+ GB are free"):
        make_mixture(large, texts, tmp_path / "out", replace(RECIPE, experts=64))
    assert not (tmp_path / "out").exists()


def test_what_looks_like_a_special_token_in_a_text_is_not_obeyed(base: Base) -> None:
    from adaptation.lab.experts.texts import text_encoder

    encode, end = text_encoder(base.folder)
    special = AutoTokenizer.from_pretrained(base.folder).convert_ids_to_tokens(end)
    assert end not in encode(f"before {special} after")
