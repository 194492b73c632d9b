"""The embedder on the two models that packages carry."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from kernel.model_store import ModelStore
from retrieval.embedding import Embedder
from retrieval.errors import TekioError
from retrieval.sentence_transformer import SentenceTransformerEmbedder, TokenVectors

ROOT = Path(__file__).parents[2]
TEXTS = [
    "日本の首都は東京です。",
    "",
    "The pump is inspected every 2,000 hours.",
    "ﾎﾟﾝﾌﾟ\ud800の\0点検",
    "長い文章。" * 400,
]


@pytest.fixture(scope="module")
def folder(model_store: ModelStore) -> Path:
    return model_store.resolve("multilingual-e5-small").folder


@pytest.fixture(scope="module")
def embedder(folder: Path) -> SentenceTransformerEmbedder:
    return make(folder)


def make(folder: Path, batch_tokens: int | None = None) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(
        folder,
        model="e5",
        revision="r",
        query_prefix="query: ",
        passage_prefix="passage: ",
        batch_tokens=batch_tokens,
    )


def test_signature_and_limit_are_known_before_anything_is_loaded(folder: Path) -> None:
    embedder: Embedder = make(folder)
    assert embedder.signature.dimension == 384
    assert embedder.signature.normalized
    assert (embedder.signature.query_prefix, embedder.signature.passage_prefix) == ("query: ", "passage: ")
    assert embedder.max_tokens == 512


def test_counting_tokens_does_not_load_torch(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from retrieval.sentence_transformer import SentenceTransformerEmbedder\n"
        f"embedder = SentenceTransformerEmbedder(Path({str(folder)!r}), model='e5', revision='r')\n"
        "print(embedder.count_tokens(['hello world', '']), 'torch' in sys.modules)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    assert process.stdout == "[3, 0] False\n"


def test_vectors_are_float32_of_length_one_in_the_order_of_the_texts(
    embedder: SentenceTransformerEmbedder,
) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    alone = np.concatenate([embedder.embed_passages([text]) for text in TEXTS])
    assert (vectors * alone).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_no_texts_give_no_rows(embedder: SentenceTransformerEmbedder) -> None:
    assert embedder.embed_queries([]).shape == (0, 384)
    assert embedder.embed_tokens([], prefix="query: ") == []
    assert embedder.count_tokens([]) == []


def test_queries_and_passages_differ_by_their_prefix(embedder: SentenceTransformerEmbedder) -> None:
    query, passage = embedder.embed_queries(["東京"])[0], embedder.embed_passages(["東京"])[0]
    assert query @ passage < 0.999


def test_question_finds_its_passage_across_languages(embedder: SentenceTransformerEmbedder) -> None:
    passages = embedder.embed_passages(["ポンプは二千時間ごとに点検する。", "社員食堂は正午に開く。"])
    question = embedder.embed_queries(["How often is the pump inspected?"])[0]
    assert passages[0] @ question > passages[1] @ question


def test_text_beyond_the_limit_is_cut_by_tokens(embedder: SentenceTransformerEmbedder) -> None:
    long = "long " * 3000
    cut = " ".join(["long"] * 507)  # the limit less two special tokens and the three of the prefix
    assert embedder.embed_queries([long])[0] @ embedder.embed_queries([cut])[0] == pytest.approx(1, abs=1e-4)


def test_the_tokens_of_a_text_beyond_the_limit_are_computed_in_parts(
    embedder: SentenceTransformerEmbedder,
) -> None:
    text = " ".join(f"word{number}" for number in range(500))
    tokens = embedder.embed_tokens([text], prefix="query: ")[0]
    assert len(tokens.vectors) > 1000
    assert tokens.offsets[0].tolist()[0] == 0
    assert tokens.offsets[-1].tolist()[1] == len(text)
    assert "".join(text[start:end] for start, end in tokens.offsets) == text.replace(" ", "")


def test_token_vectors_point_at_the_characters_they_stand_for(embedder: SentenceTransformerEmbedder) -> None:
    text = "  日本の首都 is  Tokyo ㈱"
    tokens = embedder.embed_tokens([text], prefix="query: ")[0]
    pieces = [text[start:end] for start, end in tokens.offsets]
    assert pieces[:2] == ["日本の", "首都"]
    assert "Tokyo" in pieces
    assert all(piece.strip() == piece != "" for piece in pieces)
    assert tokens.vectors.shape == (len(pieces), 384)
    assert np.linalg.norm(tokens.vectors, axis=1) == pytest.approx(1, abs=1e-5)


def test_token_vectors_are_the_encoders_output_before_pooling(embedder: SentenceTransformerEmbedder) -> None:
    import torch

    batch = embedder._encode(["query: 日本の首都は東京です。"])
    states = torch.from_numpy(embedder._encoder().states([batch[0].ids])[0])
    pooled = torch.nn.functional.normalize(states.mean(0), dim=0).numpy()
    assert pooled @ embedder.embed_queries(["日本の首都は東京です。"])[0] == pytest.approx(1, abs=1e-5)
    tokens = embedder.embed_tokens(["日本の首都は東京です。"], prefix="query: ")[0]
    expected = torch.nn.functional.normalize(states[5:-1], dim=-1).numpy()
    assert np.abs(tokens.vectors - expected).max() < 1e-5


def test_token_vectors_do_not_depend_on_the_batch(embedder: SentenceTransformerEmbedder) -> None:
    together = embedder.embed_tokens(TEXTS, prefix="passage: ")
    for text, tokens in zip(TEXTS, together, strict=True):
        alone: TokenVectors = embedder.embed_tokens([text], prefix="passage: ")[0]
        assert np.array_equal(alone.offsets, tokens.offsets)
        assert np.abs(alone.vectors - tokens.vectors).max(initial=0) < 1e-4


def test_threads_load_one_model_and_agree(folder: Path) -> None:
    embedder = make(folder, batch_tokens=64)
    results: list[tuple[int, np.ndarray]] = []

    def work(number: int) -> None:
        embedder.count_tokens(TEXTS)
        results.append((id(embedder._encoder()), embedder.embed_passages(TEXTS[:3])))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert len({identity for identity, _ in results}) == 1
    assert all(np.allclose(vectors, results[0][1], atol=1e-5) for _, vectors in results)


def test_limit_of_the_folder_holds_although_its_tokenizer_says_to_pad(model_store: ModelStore) -> None:
    minilm = model_store.resolve("all-MiniLM-L6-v2")
    embedder = SentenceTransformerEmbedder(minilm.folder, model=minilm.name, revision=minilm.revision)
    assert embedder.max_tokens == 256
    assert embedder.count_tokens(["hello world", "word " * 300]) == [2, 300]
    assert embedder.embed_queries(["hello"]).shape == (1, 384)


def test_folder_that_is_no_model_is_an_error_of_one_line(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(TekioError, match="name the folder of an embedding model"):
        make(tmp_path)
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(TekioError, match=r"tokenizer\.json cannot be read"):
        make(tmp_path).count_tokens(["a"])
    with pytest.raises(TekioError, match="cannot be loaded"):
        make(tmp_path)._encoder()


def test_questions_embedded_together_are_those_embedded_one_by_one(
    embedder: SentenceTransformerEmbedder,
) -> None:
    together = embedder.embed_each(TEXTS)
    assert len(together) == len(TEXTS)
    for text, (vector, tokens) in zip(TEXTS, together, strict=True):
        alone, own = embedder.embed_query(text)
        assert tokens.shape == own.shape
        assert float(vector @ alone) > 0.9999
    assert embedder.embed_each([]) == []
