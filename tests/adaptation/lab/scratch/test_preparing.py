from __future__ import annotations

from pathlib import Path

from adaptation.lab.scratch.preparing import Corpus, kept_tokenizer, prepare
from adaptation.lab.scratch.recipe import Words
from tests.adaptation.lab.small_corpus import tiny_recipe, write_corpus

WORDS = Words(kind="bpe", size=500)


def parted(texts: Path, seed: int) -> Corpus:
    return prepare(tiny_recipe(texts, seed=seed), lambda text: None)


def test_a_tokenizer_that_learned_of_texts_that_are_measured_on_is_not_taken_again(tmp_path: Path) -> None:
    texts = write_corpus(tmp_path / "corpus")
    one, other = parted(texts, 0), parted(texts, 1)
    assert {text.text for text in one.learned} & {text.text for text in other.held_out}
    assert kept_tokenizer(tmp_path, one, WORDS) != kept_tokenizer(tmp_path, other, WORDS)


def test_a_tokenizer_of_the_same_texts_and_size_is_taken_again(tmp_path: Path) -> None:
    texts = write_corpus(tmp_path / "corpus")
    file = kept_tokenizer(tmp_path, parted(texts, 0), WORDS)
    assert file == kept_tokenizer(tmp_path, parted(texts, 0), WORDS)
    assert file != kept_tokenizer(tmp_path, parted(texts, 0), Words(kind="bpe", size=600))
