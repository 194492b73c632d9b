"""A model that reads whether a text says what a sentence claims, over a real, tiny one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kernel.answering.claims.entailment import EntailmentReader
from retrieval.errors import UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers and three classes, whose weights are chance."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    torch.manual_seed(1)
    place = tmp_path_factory.mktemp("entailment")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz", "valve", "pump"]
    (place / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(place / "vocab.txt")).save_pretrained(place)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    config.num_labels = 3
    config.id2label = {0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"}
    config.label2id = {name: place for place, name in config.id2label.items()}
    BertForSequenceClassification(config).save_pretrained(place)
    return place


def test_texts_are_read_as_the_model_reads_them_with_the_claim_behind(folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    texts = ["the valve", "a pump", "弁"]
    read = EntailmentReader(folder, model="tiny")("a valve", texts)
    right = CrossEncoder(str(folder)).predict([(text, "a valve") for text in texts], apply_softmax=True)
    assert [says for says, _ in read] == pytest.approx(right[:, 1].tolist(), abs=1e-5)
    assert [denies for _, denies in read] == pytest.approx(right[:, 0].tolist(), abs=1e-5)
    assert EntailmentReader(folder, model="tiny")("a valve", []) == []


@pytest.mark.parametrize("names", [{}, {"0": "LABEL_0"}, {"0": "positive", "1": "negative"}])
def test_a_model_of_other_classes_is_told(tmp_path: Path, names: dict[str, str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": names}), encoding="utf-8")
    with pytest.raises(UsageError, match="no entailment model"):
        EntailmentReader(tmp_path, model="other")


def test_a_folder_without_a_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        EntailmentReader(tmp_path, model="nothing")
