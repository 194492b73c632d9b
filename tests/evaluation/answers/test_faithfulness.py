"""Faithfulness by a real, tiny entailment model, and relevance by the real embedder."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.answers.faithfulness import Entailment, OwnCheck, Relevance, claims
from retrieval.errors import UsageError
from retrieval.sentence_transformer import SentenceTransformerEmbedder
from tests.evaluation.answers.making import answer, citation

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the pump is oiled on monday gold it .".split()


def entailment_model(place: Path, labels: dict[int, str], favourite: int) -> Path:
    """A BERT of one layer that gives every pair the same class."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    place.mkdir()
    (place / "vocab.txt").write_text("\n".join(WORDS))
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        id2label=labels,
        label2id={name: number for number, name in labels.items()},
    )
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[favourite] = 5.0
    model.save_pretrained(place)
    BertTokenizer(str(place / "vocab.txt")).save_pretrained(place)
    return place


NLI = {0: "contradiction", 1: "ENTAILMENT", 2: "neutral"}


def test_the_class_that_is_called_entailment_counts(tmp_path: Path) -> None:
    yes = Entailment(entailment_model(tmp_path / "yes", NLI, 1), model="nli", revision="r1")
    no = Entailment(entailment_model(tmp_path / "no", NLI, 0), model="nli", revision="r1")
    assert yes.method == "entailment by nli (r1)"
    assert (yes(answer()), no(answer())) == (1.0, 0.0)
    assert yes(answer(refused=True)) is None
    assert yes(answer(passages=[])) is None


def test_another_model_is_no_entailment_model(tmp_path: Path) -> None:
    folder = entailment_model(tmp_path / "other", {0: "good", 1: "bad"}, 0)
    with pytest.raises(UsageError, match="its classes are good, bad"):
        Entailment(folder, model="other", revision="r")


def test_our_own_check_counts_the_sentences_that_are_not_listed() -> None:
    said = answer(
        "It is oiled on Monday [1]. It is gold.",
        citations=[citation("d", 0, 28)],
        unsupported=["It is gold."],
    )
    assert claims(said) == ["It is oiled on Monday.", "It is gold."]
    assert OwnCheck()(said) == 0.5
    assert OwnCheck()(answer(refused=True)) is None


def test_an_answer_to_the_question_is_nearer_than_one_to_another(
    embedder: SentenceTransformerEmbedder,
) -> None:
    relevance = Relevance(embedder)
    to_it = relevance("When is the pump oiled?", answer("The pump is oiled on Monday."))
    to_another = relevance("Who was the first emperor of Rome?", answer("The pump is oiled on Monday."))
    assert to_it is not None
    assert to_another is not None
    assert to_it > to_another + 0.05
    assert relevance("When?", answer(refused=True)) is None
    assert relevance.method == "cosine by multilingual-e5-small of the question and the answer"


def test_questions_that_a_model_writes_are_compared_in_place_of_the_answer(
    embedder: SentenceTransformerEmbedder,
) -> None:
    asked: list[str] = []

    def write(messages: object) -> str:
        asked.append(str(messages))
        return "1. When is the pump oiled?\nQuestion 2: When is the pump oiled?"

    found = Relevance(embedder, write=write, writer="w r1")("When is the pump oiled?", answer())
    assert found == pytest.approx(1.0, abs=0.01)
    assert "oiled on Monday" in asked[0]
