"""A cross-encoder that reads question and passage together, over a real, tiny one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from retrieval.cross_encoder import CrossEncoderReranker
from retrieval.errors import UsageError
from retrieval.passages import PassageIndex
from retrieval.ranking import RERANKED, Ranked, reranked
from tests.retrieval.test_passages import AXES, SIGNATURE, put


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers, whose weights are chance."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    torch.manual_seed(1)
    place = tmp_path_factory.mktemp("cross")
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"abcdefghijklmnopqrstuvwxyz",
        "valve",
        "pump",
        "seal",
    ]
    (place / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(place / "vocab.txt")).save_pretrained(place)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    config.num_labels = 1
    BertForSequenceClassification(config).save_pretrained(place)
    return place


def test_texts_are_scored_as_the_model_scores_them(folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    texts = ["the valve", "a pump and a seal", "", "弁"]
    scores = CrossEncoderReranker(folder, model="tiny")("valve", texts)
    right = CrossEncoder(str(folder)).predict([("valve", text) for text in texts])
    assert scores == pytest.approx(right, abs=1e-5)
    assert len(set(scores.tolist())) > 1
    assert CrossEncoderReranker(folder, model="tiny")("valve", []).shape == (0,)


def test_the_passages_come_in_its_order_and_say_so(folder: Path, tmp_path: Path) -> None:
    index = PassageIndex(tmp_path / "index", SIGNATURE, create=True)
    for number, text in enumerate(("the valve", "a valve and a pump", "valve seal seal", "valve b c d")):
        put(index, f"d{number}", text, number)
    reranker = CrossEncoderReranker(folder, model="tiny")
    found = index.search("valve", AXES[0], top_k=4, rerank=reranker)
    texts = [f"{each.title}\n{each.text}" for each in found]
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert [each.score for each in found] == pytest.approx(reranker("valve", texts).tolist(), abs=1e-5)
    assert [each.legs["cross"].rank for each in found] == [1, 2, 3, 4]
    assert found[0].legs["cross"].weight == 1
    plain = index.search("valve", AXES[0], top_k=4, mode="keyword", rerank=reranker)
    assert "cross" not in plain[0].legs  # one leg alone was asked for


def test_those_behind_the_best_stay_behind_them() -> None:
    said = {"dense": np.linspace(1, 0, RERANKED + 10, dtype=np.float32)}
    ranked = [Ranked(n, float(said["dense"][n]), said, n, {"dense": 1.0}) for n in range(RERANKED + 10)]
    again = reranked(ranked, lambda ids: -np.arange(len(ids), 0, -1, dtype=np.float32))
    assert [item.id for item in again] == [*range(RERANKED - 1, -1, -1), *range(RERANKED, RERANKED + 10)]
    assert [item.score for item in again] == sorted((item.score for item in again), reverse=True)
    assert again[0].legs()["dense"].score == pytest.approx(said["dense"][RERANKED - 1])
    assert reranked([], lambda ids: np.empty(0, np.float32)) == []


@pytest.mark.parametrize(
    "change", [{"num_labels": 2, "id2label": {"0": "a", "1": "b"}}, {"architectures": ["BertModel"]}]
)
def test_another_kind_of_model_is_told(folder: Path, tmp_path: Path, change: dict[str, object]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UsageError, match="no reranker"):
        CrossEncoderReranker(tmp_path, model="other")


def test_a_folder_without_a_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json"):
        CrossEncoderReranker(tmp_path, model="nothing")
