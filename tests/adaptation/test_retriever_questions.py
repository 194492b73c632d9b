"""Made-up questions and hard negatives: what is asked of whom, and what is no wrong answer."""

from __future__ import annotations

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.corpus import Corpus, Material, Part, plain_words, read_corpus, split
from adaptation.retriever.candidates import mine
from adaptation.retriever.memory import examples_of, read_memory
from adaptation.retriever.questions import Kind, make_questions
from kernel.app import Tekio
from kernel.embedders import find_embedder
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from tests.adaptation.conftest import write_documents


def corpus_of(*texts: tuple[int, str, str]) -> Corpus:
    """A corpus of (group, title, text)."""
    passages = {
        number: Material(number, group, title, (), text)
        for number, (group, title, text) in enumerate(texts, start=1)
    }
    return Corpus(passages, "")


PASSAGE = (
    "The relief valve of the north boiler opens at nine bar. Whoever finds it open closes the gas tap first. "
    "ボイラーの逃し弁は毎月点検し、結果を台帳に記入する。担当者は署名を忘れないこと。"
)


def test_a_sentence_that_is_asked_for_is_taken_out_of_its_passage() -> None:
    corpus = corpus_of((1, "Boilers of the north house", PASSAGE))
    made = make_questions(corpus, {1: Part.TRAIN}, Part.TRAIN, seed=1, each=9, most=9)
    sentences = [question for question in made if question.kind is Kind.SENTENCE]
    assert sentences
    for question in sentences:
        assert question.text in PASSAGE
        assert question.text not in question.rest
        assert question.rest.startswith("Boilers of the north house\n")
    assert {question.kind for question in made} >= {Kind.TITLE, Kind.WORDS}


def test_a_question_of_words_holds_words_of_one_sentence_alone() -> None:
    corpus = corpus_of((1, "t", PASSAGE))
    made = make_questions(corpus, {1: Part.TRAIN}, Part.TRAIN, seed=1, each=9, most=9)
    for question in made:
        if question.kind is Kind.WORDS:
            left = plain_words(PASSAGE).replace(" ", "")
            assert all(word in left for word in question.text.split())


def test_a_title_of_several_passages_asks_for_none() -> None:
    title = "The handbook of the boiler house"
    corpus = corpus_of((1, title, "One sentence alone."), (2, title, "Another sentence alone."))
    assert make_questions(corpus, {1: Part.TRAIN, 2: Part.TRAIN}, Part.TRAIN, seed=1, each=9, most=9) == []


def test_questions_are_the_same_for_a_seed_and_others_for_another() -> None:
    corpus = corpus_of(*((number, f"t{number}", PASSAGE) for number in range(5)))
    parts = dict.fromkeys(range(5), Part.TRAIN)

    def made(seed: int) -> list[str]:
        return [each.text for each in make_questions(corpus, parts, Part.TRAIN, seed=seed, each=2, most=8)]

    assert made(1) == made(1) != made(2)
    assert len(made(1)) == 8


@given(
    groups=st.lists(st.integers(1, 60), min_size=20, max_size=200),
    seed=st.integers(0, 1000),
)
def test_every_document_has_one_use_and_each_use_has_documents(groups: list[int], seed: int) -> None:
    corpus = corpus_of(*((group, "", "x") for group in groups))
    parts = split(corpus, seed=seed)
    assert set(parts) == set(groups)
    if len(parts) >= 20:
        uses = list(parts.values())
        assert min(uses.count(Part.MEASURE), uses.count(Part.CHOOSE)) >= 4
        assert uses.count(Part.TRAIN) > len(uses) / 2


def test_documents_with_a_text_in_common_are_used_together(small: Settings) -> None:
    folder = small.index.parent / "documents"
    text = (folder / "doc-03.md").read_text("utf-8")
    (folder / "copy.md").write_text(text.upper(), "utf-8")
    with closing(Tekio(small)) as tekio:
        tekio.ingest([folder])
    embedder = find_embedder(small, ModelStore(small.cache))
    with closing(PassageIndex(small.index, embedder.signature)) as index:
        corpus = read_corpus(index)
    of_both = {each.group for each in corpus.passages.values() if plain_words(each.text) in plain_words(text)}
    assert len(corpus.passages) == 25
    assert len(of_both) == 1


def test_no_negative_is_of_the_questions_document_or_holds_its_words(small: Settings) -> None:
    folder = small.index.parent / "documents"
    original = (folder / "doc-03.md").read_text("utf-8")
    (folder / "near.md").write_text(
        f"# Another title of its own here\n\nAn opening. {original[40:]}", "utf-8"
    )
    with closing(Tekio(small)) as tekio:
        tekio.ingest([folder])
    embedder = find_embedder(small, ModelStore(small.cache))
    with closing(PassageIndex(small.index, embedder.signature)) as index:
        corpus = read_corpus(index)
        parts = split(corpus, seed=3)
        questions = make_questions(corpus, parts, Part.TRAIN, seed=3, each=3, most=100)
        found = mine(index, corpus, questions, embedder.embed_query, seconds=60)
        memory = read_memory(index, corpus)
    assert {each.question.passage.group for each in found}.isdisjoint(
        group for group, part in parts.items() if part is not Part.TRAIN
    )
    assert any(found_for.ids for found_for in found)
    for found_for, example in zip(found, examples_of(found, memory), strict=True):
        question = found_for.question
        for row_id in found_for.ids:
            assert corpus.passages[row_id].group != question.passage.group
            if question.kind is not Kind.WORDS:
                assert plain_words(question.text) not in plain_words(corpus.passages[row_id].whole)
        assert memory.places[question.passage.id] == example.own
        assert example.own not in example.negatives
        assert list(found_for.scores) == sorted(found_for.scores, reverse=True)


def test_an_index_too_small_to_learn_from_says_so(small: Settings) -> None:
    few = small.model_copy(update={"index": small.index.parent / "few"})
    with closing(Tekio(few)) as tekio:
        tekio.ingest([write_documents(small.index.parent / "few-documents", 5)])
    embedder = find_embedder(few, ModelStore(few.cache))
    with (
        closing(PassageIndex(few.index, embedder.signature)) as index,
        pytest.raises(UsageError, match="5 different documents, fewer than the 20"),
    ):
        read_corpus(index)
