import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.late_vectors import TokenCodec
from retrieval.sentence_transformer import SentenceTransformerEmbedder

SIZE = 64


def tokens(seed: int, count: int, offset: float = 2.0) -> NDArray[np.float32]:
    """Token vectors that all point much the same way, as those of an embedder do."""
    drawn = np.random.default_rng(seed).standard_normal((count, SIZE)) + offset
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def exact_scores(query: NDArray[np.float32], passages: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Late interaction by the whole vectors, without their mean."""

    def centred(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        left = vectors - CODEC.mean
        return np.asarray(left / np.linalg.norm(left, axis=1, keepdims=True), np.float32)

    asked = centred(query)
    return np.array([(asked @ centred(each).T).max(axis=1).mean() for each in passages], np.float32)


CODEC = TokenCodec.fit(tokens(0, 500))


def test_a_token_takes_a_bit_a_value() -> None:
    assert len(CODEC.pack(tokens(1, 10))) == 10 * SIZE // 8


@given(st.integers(0, 1000))
def test_the_packed_score_is_near_the_exact_one(seed: int) -> None:
    query, passages = tokens(seed, 5), [tokens(seed + 1, 30), tokens(seed + 2, 30)]
    exact = exact_scores(query, passages)
    packed = CODEC.scores(query, [CODEC.pack(passage) for passage in passages])
    assert np.abs(exact - packed).max() < 0.25


def test_a_passage_that_holds_the_query_comes_first_and_one_without_tokens_last() -> None:
    query = tokens(5, 6)
    passages = [tokens(6, 40), np.concatenate([tokens(7, 20), query]), tokens(8, 0)]
    scores = CODEC.scores(query, [CODEC.pack(passage) for passage in passages])
    assert np.argsort(-scores).tolist() == [1, 0, 2]
    assert scores[2] == -1


def test_the_codec_survives_being_written() -> None:
    again = TokenCodec.from_bytes(CODEC.to_bytes())
    passage = tokens(9, 12)
    assert again.pack(passage) == CODEC.pack(passage)


def test_passages_are_embedded_and_packed_in_one_go(embedder: SentenceTransformerEmbedder) -> None:
    texts = [
        "The valve is cleaned once a week.",
        "弁は週に一度清掃する。",
        "The valve is cleaned once a week.",
        "",
    ]
    codec = embedder.token_codec()
    made = embedder.embed_packed(texts, codec)
    assert np.allclose(made.vectors, embedder.embed_passages(texts), atol=1e-5)
    assert made.late[0] == made.late[2]
    vector, asked = embedder.embed_query("How often is the valve cleaned?")
    assert np.allclose(vector, embedder.embed_queries(["How often is the valve cleaned?"])[0], atol=1e-5)
    scores = codec.scores(asked, [packed or b"" for packed in made.late])
    assert scores.argmax() in (0, 2)
    assert scores[3] == -1
