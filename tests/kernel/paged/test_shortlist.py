"""A draft that guesses among its commonest words: faster, and what is written stays the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from kernel.chat.generation import Sampling
from kernel.chat.paged.choosing import Chooser
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.model import PagedModel
from kernel.chat.paged.rejection import holding, left_over
from kernel.chat.paged.shortlist import FILE, common_words, write_common_words
from kernel.chat.paged.step import Row
from kernel.chat.paged.torch_model import TorchPagedModel
from kernel.language_models import LanguageModels
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from tests.kernel.paged.test_generator import LONG, QUESTIONS, ask, texts

Make = Callable[..., BatchedGenerator]
WORDS = np.arange(0, 4000, 2)


@pytest.fixture
def draft(small_base: Path, tmp_path: Path) -> Path:
    """The base itself, which tells the first of its words as the commonest."""
    folder = tmp_path / "draft"
    shutil.copytree(small_base, folder)
    write_common_words(folder, {word: 5000 - word for word in range(4000)})
    return folder


def test_the_commonest_words_come_first_and_of_equals_the_lower(tmp_path: Path) -> None:
    write_common_words(tmp_path, {9: 2, 4: 7, 1: 2, 30: 1})
    assert common_words(tmp_path, 2).tolist() == [1, 4]
    assert common_words(tmp_path, 99).tolist() == [1, 4, 9, 30]


@pytest.mark.parametrize("held", ["", "{}", "[]", "[[1]]", "[-1]", '["a"]'])
def test_a_damaged_list_is_told(tmp_path: Path, held: str) -> None:
    (tmp_path / FILE).write_text(held, encoding="utf-8")
    with pytest.raises(UsageError, match="is no list of words"):
        common_words(tmp_path, 4)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_logits_of_some_words_are_those_that_all_have(small_base: Path, precision: str) -> None:
    rows = [Row(list(range(40, 60)), 0, range(1))]
    whole, few = (
        PagedModel(small_base, precision=precision, threads=1, cache_mb=16, words=words).run(rows)[0]
        for words in (None, WORDS)
    )
    np.testing.assert_allclose(few, whole[:, WORDS], rtol=1e-3, atol=1e-3)


def test_torch_computes_the_same_words(small_base: Path) -> None:
    rows = [Row(list(range(40, 60)), 0, range(1))]
    whole, few = (
        TorchPagedModel(small_base, precision="float32", threads=1, cache_mb=16, words=words).run(rows)[0]
        for words in (None, WORDS)
    )
    np.testing.assert_allclose(few, whole[:, WORDS], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_guesses_among_few_words_change_no_token(make: Make, draft: Path, engine: str) -> None:
    held = {"engine": engine, "precision": "float32"}
    alone = make(**held, guessed=0)
    guessed = make(**held, draft=draft, draft_words=300, from_text=False)
    expected = texts([ask(alone, question, LONG).result(60) for question in QUESTIONS])
    assert texts([ask(guessed, question, LONG).result(60) for question in QUESTIONS]) == expected
    state = guessed.state()
    assert 0 < state.accepted_tokens < state.drafted_tokens, "some words are not among them"


def test_what_is_sampled_stays_distributed_as_the_larger_model_has_it() -> None:
    random = np.random.default_rng(0)
    wanted = random.dirichlet(np.ones(12))
    logits = np.full(12, -np.inf, np.float32)
    logits[[1, 4, 7]] = random.normal(size=3)
    guessed = Chooser(Sampling(temperature=1.0, seed=0)).shares(logits)
    assert set(np.flatnonzero(guessed)) == {1, 4, 7}
    held = guessed * holding(wanted, guessed)
    np.testing.assert_allclose(held + (1 - held.sum()) * left_over(wanted, guessed), wanted)


def test_a_draft_without_a_list_or_of_other_words_is_told(make: Make, small_base: Path, draft: Path) -> None:
    with pytest.raises(UsageError, match="does not tell its commonest words"):
        make(draft=small_base, draft_words=10).load()
    write_common_words(draft, {10**6: 1})
    with pytest.raises(UsageError, match=r"names words that .* has not"):
        make(draft=draft, draft_words=10).load()


def test_the_words_of_the_settings_are_not_those_of_a_variants_own_draft(
    model_store: ModelStore, small_base: Path, draft: Path
) -> None:
    settings = Settings(
        cache=model_store.cache,
        generator=str(small_base),
        generator_engine="openvino",
        draft=str(draft),
        draft_words=1000,
        kv_cache_mb=16,
        threads=1,
    )
    models = LanguageModels(settings, model_store)
    for own in ("", str(small_base)):
        with closing(models.apart("", "int8", own)[0]) as engines:
            engines.load()
    (draft / FILE).unlink()
    with closing(models.apart("", "int8")[0]) as engines, pytest.raises(UsageError, match="commonest words"):
        engines.load()
    with closing(models.apart("", "int8", str(small_base))[0]) as engines:
        engines.load()


def test_a_draft_is_asked_where_the_text_gives_no_guess(make: Make, draft: Path) -> None:
    chat = "Say it again: one two three four five six seven, one two three four five six seven, one two"
    both, text = make(draft=draft, draft_words=1000), make()
    sampling = Sampling(max_new_tokens=32)
    assert ask(both, chat, sampling).result(60).text == ask(text, chat, sampling).result(60).text
    assert both.state().accepted_tokens >= text.state().accepted_tokens
    assert both.state().drafted_tokens > text.state().drafted_tokens
