"""An embedder trained on an index for a few steps, and the index embedded anew by it."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from adaptation.corpus import Part, read_corpus, split
from adaptation.retriever.card import Change, read_card
from adaptation.retriever.command import adapt_retriever
from adaptation.retriever.layer import fit_layer, with_layer
from adaptation.retriever.memory import Choice, Example, Memory
from adaptation.retriever.questions import make_questions
from adaptation.retriever.training import Recipe
from kernel.app import Tekio
from kernel.embedders import find_embedder
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.database import Database
from retrieval.errors import IndexMissingError, IndexSignatureError, TekioError, UsageError
from retrieval.passages import PassageIndex

FEW = Recipe(minutes=1, most_steps=4, batch=8, learning_rate=1e-3)


def weights(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(folder / "model.safetensors")


def test_training_writes_a_folder_that_anybody_can_load(small: Settings, tiny_embedder: Path) -> None:
    from sentence_transformers import SentenceTransformer

    lines: list[str] = []
    card = adapt_retriever(small, "mine", FEW, say=lines.append)
    folder = small.embedders / "mine"
    assert [path.name for path in small.embedders.iterdir()] == ["mine"]
    assert card == read_card(folder)
    assert (card.name, card.base, card.steps, card.passages) == ("mine", str(tiny_embedder), 4, 24)
    assert set(card.held_out) == {"ndcg@10", "mrr@10"}
    assert card.arguments["seed"] == 0
    assert card.versions["torch"]
    config = json.loads((folder / "config_sentence_transformers.json").read_text())
    assert config["prompts"] == {"query": "ask: ", "passage": "tell: ", "document": "tell: "}
    assert len(SentenceTransformer(str(folder), device="cpu").encode("a pump")) == 32
    trained = find_embedder(small.model_copy(update={"embedder": "mine"}), ModelStore(small.cache))
    assert trained.max_tokens == 160
    before, after = weights(tiny_embedder), weights(folder)
    assert set(before) == set(after)
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert bool(moved) == (card.share > 0)
    assert not any("word_embeddings" in name for name in moved)
    assert (folder / "2_Dense" / "model.safetensors").is_file() == card.layer
    assert any("mean reciprocal rank" in line for line in lines)


def test_the_same_seed_gives_the_same_weights(small: Settings) -> None:
    for name in ("one", "two"):
        adapt_retriever(small, name, FEW)
    one, two = weights(small.embedders / "one"), weights(small.embedders / "two")
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_what_is_measured_on_is_neither_learned_from_nor_chosen_by(small: Settings) -> None:
    embedder = find_embedder(small, ModelStore(small.cache))
    with closing(PassageIndex(small.index, embedder.signature)) as index:
        corpus = read_corpus(index)
    parts = split(corpus, seed=5)
    groups = [
        {each.passage.group for each in make_questions(corpus, parts, part, seed=5, each=9, most=999)}
        for part in Part
    ]
    assert all(groups)
    assert groups[0].isdisjoint(groups[1] | groups[2])
    assert groups[1].isdisjoint(groups[2])


def test_the_index_is_embedded_anew_by_the_name_or_the_folder(small: Settings) -> None:
    adapt_retriever(small, "mine", FEW)
    with closing(Tekio(small)) as tekio:
        before = asyncio.run(tekio.search("the pump", top_k=3))
    with closing(Tekio(small)) as tekio:
        assert tekio.reembed("mine") == 24
    for name in ("mine", str(small.embedders / "mine")):
        with closing(Tekio(small.model_copy(update={"embedder": name}))) as tekio:
            found = asyncio.run(tekio.search("the pump", top_k=3))
            assert tekio.embedder.signature.query_prefix == "ask: "
            assert tekio.embedder.signature.model == "mine"
            assert {each.id for each in found}.isdisjoint(each.id for each in before)
            # What was embedded anew is what an ingest would embed: nothing is embedded again.
            assert tekio.ingest([small.index.parent / "documents"]).unchanged == 24
    with closing(Tekio(small)) as tekio, pytest.raises(IndexSignatureError, match="back to 'mine'"):
        asyncio.run(tekio.search("the pump"))


def test_texts_are_embedded_anew_as_an_ingest_embeds_them(small: Settings) -> None:
    adapt_retriever(small, "mine", FEW)
    with closing(Tekio(small)) as tekio:
        tekio.reembed("mine")
    new = small.model_copy(update={"embedder": "mine"})
    fresh = new.model_copy(update={"index": small.index.parent / "fresh"})
    with closing(Tekio(fresh)) as tekio:
        tekio.ingest([small.index.parent / "documents"])
        signature = tekio.embedder.signature

    def digests(folder: Path) -> dict[str, tuple[bytes, bytes]]:
        with closing(PassageIndex(folder, signature)) as index:
            assert isinstance(index.database, Database)
            query = (
                "SELECT json_extract(data, '$.text'), digest, codes FROM rows_passages"
                " JOIN late_passages USING (id)"
            )
            return {text: (digest, codes) for text, digest, codes in index.database.connection.execute(query)}

    assert digests(new.index) == digests(fresh.index)


def test_a_layer_is_computed_as_sentence_transformers_does_and_leaves_tokens_alone(
    small: Settings, tiny_embedder: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    random = np.random.default_rng(3)
    first, second = (random.normal(0, 1, (32, 32)).astype(np.float32) for _ in range(2))
    texts = ["the pump in the harbour", "Nobody moves the valve", "ladder"]
    plain = SentenceTransformer(str(tiny_embedder), device="cpu")
    vectors = plain.encode(texts, prompt="tell: ")
    once = with_layer(plain, first)
    twice = with_layer(once, second)
    for model, layer in ((once, first), (twice, first @ second)):
        folder = tmp_path / f"with-{id(model)}"
        model.save_pretrained(str(folder), create_model_card=False)
        wanted = vectors @ layer
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        embedder = find_embedder(small.model_copy(update={"embedder": str(folder)}), ModelStore(small.cache))
        base = find_embedder(small, ModelStore(small.cache))
        assert np.allclose(embedder.embed_passages(texts), wanted, atol=1e-5)
        assert np.allclose(SentenceTransformer(str(folder)).encode(texts, prompt="tell: "), wanted, atol=1e-5)
        vector, tokens = embedder.embed_query(texts[0])
        assert np.allclose(vector, embedder.embed_queries(texts[:1])[0], atol=1e-6)
        assert np.array_equal(tokens, base.embed_query(texts[0])[1])


def test_a_layer_is_kept_only_where_it_answers_better() -> None:
    """Questions differ from their passages in directions that say nothing, which a layer can take away."""
    random = np.random.default_rng(4)

    def unit(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    meaning = random.normal(0, 1, (400, 16))
    noise = np.array([0.0] * 8 + [1.0] * 8)
    passages = unit(meaning)
    asked = unit(meaning * (1 - noise) + noise * random.normal(0, 1.5, (400, 16)))
    places = {row: row for row in range(400)}
    memory = Memory(passages, places, np.arange(400))
    none = np.empty(0, np.int64)
    examples = [Example(row, none, none, np.empty(0, np.float32)) for row in range(400)]
    left_out = [np.array([row]) for row in range(300, 400)]
    choice = Choice([], passages[300:], left_out)
    layer = fit_layer(asked[:300], examples[:300], memory, choice, asked[300:], seed=1)
    assert layer is not None
    assert choice.quality(asked[300:], memory, layer) > choice.quality(asked[300:], memory) + 0.05
    right = Choice([], passages[300:], left_out)
    assert fit_layer(passages[:300], examples[:300], memory, right, passages[300:], seed=1) is None


@pytest.mark.parametrize(
    "name", ["", "../up", "a/b", "-x", "名前", "x" * 65, "dots.", "multilingual-e5-small"]
)
def test_a_name_that_is_none_is_refused_before_anything_is_done(small: Settings, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        adapt_retriever(small, name, FEW)
    assert not small.embedders.exists()


def test_an_embedder_is_not_replaced_unless_told_to(small: Settings) -> None:
    adapt_retriever(small, "mine", FEW)
    before = weights(small.embedders / "mine")
    with pytest.raises(UsageError, match="choose another --name, or give --force"):
        adapt_retriever(small, "mine", FEW)
    adapt_retriever(small, "mine", Recipe(most_steps=2, batch=8, seed=1, learning_rate=1e-3), force=True)
    after = weights(small.embedders / "mine")
    assert not all(np.array_equal(before[name], after[name]) for name in before)


def test_the_embedder_of_the_index_is_never_written_over(small: Settings) -> None:
    adapt_retriever(small, "mine", FEW)
    with closing(Tekio(small)) as tekio:
        tekio.reembed("mine")
    with pytest.raises(UsageError, match="embedded by 'mine' itself"):
        adapt_retriever(small.model_copy(update={"embedder": "mine"}), "mine", FEW, force=True)


def test_an_embedder_without_weights_that_torch_reads_is_refused(small: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(small.embedder, folder)
    settings = small.model_copy(update={"embedder": str(folder), "index": tmp_path / "other"})
    with closing(Tekio(settings)) as tekio:
        tekio.ingest([tmp_path / "documents"])
    (folder / "model.safetensors").rename(folder / "model.onnx")
    embedder = find_embedder(settings, ModelStore(settings.cache))
    with closing(PassageIndex(settings.index, None)) as index:
        index.replace_embedder(embedder.signature, index.codec())
    with pytest.raises(UsageError, match="no weights that torch reads"):
        adapt_retriever(settings, "mine", FEW)


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_left(small: Settings) -> None:
    small.embedders.write_text("a file in its place")
    with pytest.raises(TekioError, match="could not be written"):
        adapt_retriever(small, "mine", FEW)


def test_an_index_that_is_missing_is_named_before_a_model_is_looked_for(small: Settings) -> None:
    nowhere = small.model_copy(update={"index": small.index.parent / "nowhere", "embedder": "no-such-model"})
    with pytest.raises(IndexMissingError, match="run `ingest PATH` first"):
        adapt_retriever(nowhere, "mine", FEW)


def test_a_change_is_a_gain_only_beyond_chance() -> None:
    random = np.random.default_rng(1)
    base = random.random(200)
    assert Change.of(base, base + 0.05).is_gain
    same = Change.of(base, base)
    assert not same.is_gain
    assert not same.is_loss
    assert Change.of(base, base - 0.05).is_loss
    noise = Change.of(base, base + random.normal(0, 0.5, 200))
    assert not noise.is_gain
