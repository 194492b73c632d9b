from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from adaptation.finetuning.watching import Progress
from adaptation.lab.figures import log_likelihood
from adaptation.lab.models import read_card
from adaptation.lab.scratch.planning import plan_of
from adaptation.lab.scratch.preparing import prepare, tokenized, windows
from adaptation.lab.scratch.pretraining import pretrain
from adaptation.lab.scratch.recipe import PretrainRecipe, changed, read_recipe
from kernel.lab_models import lab_variant, list_lab_models
from retrieval.errors import UsageError
from tests.adaptation.lab.small_corpus import tiny_recipe, write_corpus


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("texts") / "corpus")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def with_model(recipe: PretrainRecipe, **model: Any) -> PretrainRecipe:
    """Return a recipe of another architecture."""
    return recipe.model_copy(update={"model": recipe.model.model_copy(update=model)})


def quiet(text: str) -> None:
    """Say nothing."""


def test_a_model_from_scratch_is_kept_with_its_figures_and_writes(corpus: Path, tmp_path: Path) -> None:
    recipe = changed(tiny_recipe(corpus, steps=60), ["task.question=The pump number"])
    card = pretrain(recipe, tmp_path / "models" / "own", say=quiet)
    figures = card.figures
    first = figures["training"]["held_out_before"]
    assert figures["held_out"]["loss"] < 0.8 * first, "it learned"
    assert 1 < figures["ngram"]["perplexity"] < 500
    assert figures["reached"] == (figures["measured"] < figures["ngram"]["perplexity"])
    assert figures["plan"]["chosen"]["parameters"] == card.parameters
    assert figures["sample"]["answer"]
    assert 0 <= figures["calibration"]["error"] <= 1
    assert any("tokens are few for" in notice for notice in figures["notices"])
    folder = tmp_path / "models" / "own"
    assert read_card(folder).figures["measured"] == pytest.approx(figures["measured"])
    assert (folder / "curve.png").stat().st_size > 1000
    assert not list(folder.parent.glob(".*"))
    assert list_lab_models(folder.parent) == ["own"]
    assert lab_variant("own", folder).engine == "local"


def test_a_kept_model_answers_by_the_engine_of_variants(corpus: Path, tmp_path: Path) -> None:
    from contextlib import closing

    from kernel.chat.generation import Sampling
    from kernel.chat.local_engines import LocalEngines
    from kernel.chat.paged.serving import Serving

    folder = tmp_path / "models" / "own"
    pretrain(tiny_recipe(corpus, steps=2), folder, say=quiet)
    with closing(
        LocalEngines(
            "own",
            folder,
            Serving(precision="float32", cache_mb=64),
            engine="auto",
            dtype="float32",
            threads=1,
        )
    ) as engines:
        generator = engines.bind(None).generator
        done = generator.start([{"role": "user", "content": "The pump"}], Sampling(max_new_tokens=5)).result()
        assert 1 <= done.completion_tokens <= 5
        # A prompt that is longer than what it learned from is read as well as a short one: it looks back as far only.
        text = "The pump number 4 stands in the archive behind the fan and is painted green. " * 2
        ids = engines.tokenizer.encode_text(text)
        assert 32 < len(ids) < 120
        assert log_likelihood(generator, ids) / (len(ids) - 2) > -2 * math.log(500)


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    optimiser: str, corpus: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(corpus, steps=16, dropout=0.2, optimiser=optimiser)
    pretrain(recipe, tmp_path / "whole", say=quiet)

    def stop(progress: Progress) -> None:
        if progress.step == 11:
            raise KeyboardInterrupt

    out = tmp_path / "models" / "parted"
    with pytest.raises(KeyboardInterrupt):
        pretrain(recipe, out, say=quiet, show=stop)
    assert not out.exists()
    with pytest.raises(UsageError, match="stopped before its end: --resume"):
        pretrain(recipe, out, say=quiet)
    with pytest.raises(UsageError, match="another recipe or other texts"):
        pretrain(recipe.with_training(rate=1e-4), out, resume=True, say=quiet)
    steps: list[int] = []
    pretrain(recipe, out, resume=True, say=quiet, show=lambda progress: steps.append(progress.step))
    assert steps[0] == 11, "it began at a checkpoint"
    expected, found = (load_file(each / "model.safetensors") for each in (tmp_path / "whole", out))
    assert expected.keys() == found.keys()
    assert all(torch.allclose(expected[name], found[name], atol=1e-6) for name in expected)
    assert read_card(out).figures["held_out"]["loss"] == pytest.approx(
        read_card(tmp_path / "whole").figures["held_out"]["loss"], abs=1e-5
    )


@pytest.mark.parametrize("kind", ["encoder", "encoder-decoder"])
def test_other_architectures_are_trained_too(kind: str, corpus: Path, tmp_path: Path) -> None:
    recipe = with_model(tiny_recipe(corpus, steps=30), kind=kind)
    card = pretrain(recipe, tmp_path / kind, say=quiet)
    assert card.figures["held_out"]["loss"] < card.figures["training"]["held_out_before"]
    gram = card.figures["ngram"]["perplexity"]
    assert (gram is None) == (kind == "encoder"), "an n-gram fills in no masks"
    if kind == "encoder":
        with pytest.raises(UsageError, match="writes no text"):
            lab_variant(kind, tmp_path / kind)
    else:
        assert lab_variant(kind, tmp_path / kind).engine == "seq2seq"


def test_with_retrieval_each_window_is_read_behind_one_of_another_text(corpus: Path, tmp_path: Path) -> None:
    recipe = with_model(tiny_recipe(corpus), retrieval=True)
    texts = prepare(recipe, quiet)
    learned, held_out = windows(tokenized(texts, recipe.tokenizer, quiet), recipe)
    found = [window for window in learned if window.before]
    assert len(found) > len(learned) // 4
    of_texts: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for window in learned:  # several texts may hold the same words
        of_texts.setdefault(window.ids, []).append(window.texts)
    for window in found:
        places = of_texts[window.before]
        assert any(last < window.texts[0] or first > window.texts[1] for first, last in places)
    assert {window.before for window in held_out} <= {*of_texts, ()}
    card = pretrain(recipe, tmp_path / "augmented", say=quiet)
    plain = pretrain(tiny_recipe(corpus), tmp_path / "plain", say=quiet)
    assert card.figures["held_out"]["tokens"] == plain.figures["held_out"]["tokens"], (
        "neighbours are not scored"
    )


def test_the_plan_tells_the_costs_before_anything_is_trained(corpus: Path) -> None:
    plan = plan_of(changed(tiny_recipe(corpus), ["tokenizer.kind=best", "tokenizer.size=1600"]), quiet)
    told = json.loads(json.dumps(plan.as_dict()))
    assert {fit["tokenizer"] for fit in told["tokenizers"]} == {"bpe", "sentencepiece"}
    assert told["chosen"] in told["architectures"]
    assert told["chosen"]["flops"] == told["chosen"]["flops_a_token"] * 8 * 4 * 32


def test_what_is_held_out_is_of_texts_that_are_not_learned(corpus: Path) -> None:
    found = prepare(tiny_recipe(corpus), quiet)
    learned, held_out = ({text.name for text in part} for part in (found.learned, found.held_out))
    assert not learned & held_out
    assert {text.language for text in found.held_out} == {"en", "ja"}


def test_a_corpus_that_is_too_small_is_told_with_how_much_is_needed(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"too small: [\d,]+ tokens to learn from, where 81,920 are needed"):
        pretrain(tiny_recipe(corpus, batch=256), tmp_path / "own", say=quiet)
    single = tmp_path / "single"
    single.mkdir()
    (single / "only.md").write_text("One text, and no other beside it.\n")
    with pytest.raises(UsageError, match="cleaning left 1 of 1 texts, 2 are the least"):
        pretrain(tiny_recipe(single), tmp_path / "own", say=quiet)
    assert [path.name for path in tmp_path.iterdir()] == ["single"], "nothing is left behind"


def test_a_name_that_is_taken_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    with pytest.raises(UsageError, match="there is a model 'own'"):
        pretrain(tiny_recipe(tmp_path / "nowhere"), tmp_path / "own", say=quiet)


def test_the_recipe_that_ships_with_the_project_is_valid() -> None:
    recipe = read_recipe(Path(__file__).parents[4] / "data" / "pretrain.toml")
    assert all(source.exists() for source in recipe.data.sources)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("[training]\nrate = 2", "training.rate: Input should be less than or equal to 1"),
        ("[training]\nspeed = 2", "training.speed: Extra inputs are not permitted"),
        ("[training", "is no TOML"),
    ],
)
def test_a_recipe_that_is_wrong_is_told_in_a_line(written: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(written)
    with pytest.raises(UsageError, match=why) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_setting_of_an_unknown_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'speed=3' is no setting of a recipe"):
        changed(PretrainRecipe(), ["speed=3"])


def test_a_tokenizer_that_is_kept_gives_the_very_same_tokens(corpus: Path, tmp_path: Path) -> None:
    recipe = changed(tiny_recipe(corpus), ["tokenizer.kind=best", "tokenizer.size=1600"])
    texts = prepare(recipe, quiet)
    said: list[str] = []
    first = tokenized(texts, recipe.tokenizer, said.append, kept=tmp_path / "tokenizer.json")
    assert len(said) == 2
    again = tokenized(texts, recipe.tokenizer, said.append, kept=tmp_path / "tokenizer.json")
    assert len(said) == 2, "none is trained again"
    assert (first.learned.ids == again.learned.ids).all()
    assert (first.name, first.fits) == (again.name, again.fits)
