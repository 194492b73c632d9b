"""How likely a text is: what engines tell of what they wrote is what transformers' logits say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from kernel.chat.chat_tokens import ChatTokenizer
from kernel.chat.generation import Generation, Sampling
from kernel.chat.language_model import LanguageModel
from kernel.chat.paged.generator import BatchedGenerator
from kernel.chat.paged.mixing import Mixture
from kernel.chat.paged.serving import Serving
from kernel.model_store import ModelStore

CHAT = [
    {
        "role": "user",
        "content": "The kiln K2 is fired at 1,240 degrees for nine hours. At what temperature is the kiln K2 fired?",
    }
]
SAMPLINGS = (
    Sampling(max_new_tokens=12),
    Sampling(max_new_tokens=8, temperature=0.9, top_p=0.9, seed=3, repetition_penalty=1.1),
)


@pytest.fixture(scope="module")
def model(model_store: ModelStore) -> LanguageModel:
    """The default model, whole."""
    found = model_store.resolve("SmolLM2-135M-Instruct")
    return LanguageModel(found.name, found.folder, dtype="float32", threads=2)


@pytest.fixture(scope="module")
def engine(model_store: ModelStore) -> Iterator[BatchedGenerator]:
    """The default model in batches."""
    folder = model_store.resolve("SmolLM2-135M-Instruct").folder
    serving = Serving(precision="float32", cache_mb=64, threads=2)
    one = BatchedGenerator(folder.name, folder, serving, ChatTokenizer(folder))
    yield one
    one.close()


def by_hand(model: LanguageModel, made: Generation) -> float:
    """Return the mean log-probability of a text that was written, by transformers over the whole of it."""
    tokenizer = model.tokenizer
    ids = tokenizer.encode_text(made.text)
    if made.finish_reason == "stop":
        ids = [*ids, tokenizer.stop_ids[0]]
    assert len(ids) == made.completion_tokens
    return model.log_likelihood(tokenizer.encode_chat(CHAT), ids) / len(ids)


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=["greedy", "sampled"])
def test_what_was_written_is_as_likely_as_transformers_says(
    model: LanguageModel, engine: BatchedGenerator, sampling: Sampling
) -> None:
    made = engine.start(CHAT, sampling).result(120)
    assert made.mean_log_probability is not None
    assert made.mean_log_probability == pytest.approx(by_hand(model, made), abs=0.03)
    again = engine.start(CHAT, sampling).result(120)  # of what was kept, and with other guesses
    assert again.mean_log_probability == pytest.approx(made.mean_log_probability, abs=1e-6)


def test_a_text_that_is_dictated_is_as_likely_as_transformers_says_behind_a_prompt_that_is_kept(
    model: LanguageModel, engine: BatchedGenerator
) -> None:
    own = engine.start(CHAT, SAMPLINGS[0]).result(120)
    texts = [own.text, "The kiln K2 is fired at 900 degrees.", "Nobody knows; ask Zanzibar, purple lamps."]
    told = []
    for text in texts:
        made = engine.start_dictation(CHAT, text, most_tokens=12).result(120)
        ids = [*model.tokenizer.encode_text(text), model.tokenizer.stop_ids[0]][:12]
        assert text.startswith(made.text)
        assert made.completion_tokens == len(ids)
        likely = model.log_likelihood(model.tokenizer.encode_chat(CHAT), ids) / len(ids)
        assert made.mean_log_probability == pytest.approx(likely, abs=0.05)
        assert made.reused_tokens >= made.prompt_tokens - 34, "its prompt is not read again"
        assert made.mean_log_probability is not None
        told.append(made.mean_log_probability)
    assert told == sorted(told, reverse=True)
    whole = engine.start_dictation(CHAT, texts[2], most_tokens=64).result(120)
    assert (whole.text, whole.finish_reason) == (texts[2], "stop")


def test_one_at_a_time_tells_it_too_but_for_penalised_scores(small_base: Path) -> None:
    model = LanguageModel("base", small_base, dtype="float32", threads=2)
    for sampling in (
        Sampling(max_new_tokens=4),
        Sampling(max_new_tokens=4, temperature=0.9, top_p=0.9, seed=3),
    ):
        made = model.generate(CHAT, sampling)
        assert made.mean_log_probability == pytest.approx(by_hand(model, made), abs=1e-3)
    penalised = Sampling(max_new_tokens=2, repetition_penalty=1.1)
    assert model.generate(CHAT, penalised).mean_log_probability is None


@pytest.mark.parametrize("of", ["openvino", "torch"])
def test_a_mixture_tells_how_likely_it_was_to_the_mixture(small_base: Path, adapter: Path, of: str) -> None:
    serving = Serving(engine=of, precision="float32", cache_mb=64, threads=2)  # type: ignore[arg-type]
    engine = BatchedGenerator(small_base.name, small_base, serving, ChatTokenizer(small_base))
    name = engine.load_adapter(adapter)
    weights = (0.7, 0.3)
    made = engine.start(
        CHAT, Sampling(max_new_tokens=10), mixture=Mixture("linear", (None, name), weights)
    ).result(60)
    ids, logits = engine.logits_behind(CHAT, made.text, [None, name])
    engine.close()
    both = sum(share * np.exp(log_softmax(each, axis=1)) for share, each in zip(weights, logits, strict=True))
    count = made.completion_tokens
    chosen = np.log(both[np.arange(count), ids[:count]])
    assert made.mean_log_probability == pytest.approx(float(chosen.mean()), abs=0.03)
