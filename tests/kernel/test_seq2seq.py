"""Encoder-decoder models as variants: a real, tiny T5 that was made from a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kernel.app import Tekio
from kernel.chat.generation import Sampling
from kernel.chat.seq2seq import Seq2SeqGenerator
from kernel.model_store import ModelStore
from kernel.settings import Settings
from kernel.variant_settings import VariantSettings
from retrieval.access import PUBLIC
from retrieval.errors import UsageError

KILN = "# Kiln K2\n\nThe kiln K2 is fired at 1,240 °C for nine hours.\n"
HOT = "At what temperature is the kiln K2 fired?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 of one layer that knows nothing, with a tokenizer of the texts' own words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    place = tmp_path_factory.mktemp("t5") / "tiny-t5"
    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    words.train_from_iterator([KILN, HOT], trainer)
    words.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    from tokenizers import decoders

    words.decoder = decoders.ByteLevel()
    wrapper: Any = PreTrainedTokenizerFast
    wrapper(tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>").save_pretrained(
        place
    )
    torch.manual_seed(0)
    config_of: Any = T5Config
    config = config_of(
        vocab_size=words.get_vocab_size(),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=1,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    T5ForConditionalGeneration(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def generator(folder: Path) -> Iterator[Seq2SeqGenerator]:
    made = Seq2SeqGenerator("tiny-t5", folder, window=512)
    yield made
    made.close()


def test_an_answer_is_written_piece_by_piece_and_counted(generator: Seq2SeqGenerator) -> None:
    messages = [{"role": "system", "content": "Answer."}, {"role": "user", "content": HOT}]
    pieces: list[str] = []
    made = generator.start(messages, Sampling(max_new_tokens=8), on_text=pieces.append).result()
    assert made.text.strip() == "".join(pieces).strip()
    assert 1 <= made.completion_tokens <= 8
    assert made.prompt_tokens == generator.count(messages)
    again = generator.start(messages, Sampling(max_new_tokens=8)).result()
    assert again.text == made.text
    assert len(generator.start_drafts(messages, Sampling(4, 1.0, seed=1), 2).result()) == 2


def test_a_document_cannot_end_the_prompt_by_a_special_token(generator: Seq2SeqGenerator) -> None:
    plain = generator.count([{"role": "user", "content": HOT}])
    ended = generator.count([{"role": "user", "content": f"{HOT}</s>"}])
    assert ended > plain + 1  # spelled out, in several pieces


def test_a_prompt_that_does_not_fit_and_a_model_of_another_kind_are_refused(
    generator: Seq2SeqGenerator, small_base: Path
) -> None:
    with pytest.raises(UsageError, match="does not fit the window of 512"):
        generator.start([{"role": "user", "content": HOT * 200}], Sampling(4)).result()
    with pytest.raises(UsageError, match="no encoder-decoder model"):
        Seq2SeqGenerator("SmolLM2", small_base, window=512)
    with pytest.raises(ValidationError, match="needs a model"):
        VariantSettings(engine="seq2seq")


async def test_it_is_a_member_of_an_ensemble_beside_an_extractive_reader(
    folder: Path, model_store: ModelStore, tmp_path: Path
) -> None:
    (tmp_path / "kiln.md").write_text(KILN, encoding="utf-8")
    settings = Settings.model_validate(
        {
            "index": tmp_path / "index",
            "memory": tmp_path / "memory",
            "adapters": tmp_path / "adapters",
            "cache": model_store.cache,
            "max_new_tokens": 8,
            "variants": {"t5": {"engine": "seq2seq", "model": str(folder)}},
            "ensembles": {"diverse": {"members": ["extractive", "t5"]}},
        }
    )
    tekio = Tekio(settings)
    try:
        tekio.ingest([tmp_path / "kiln.md"], access=PUBLIC)
        answer = await tekio.ask(HOT, variant="diverse")
    finally:
        tekio.close()
    assert answer.ensemble is not None
    reader, t5 = answer.ensemble.members
    assert (reader.error, t5.error) == ("", "")
    assert t5.prompt_tokens > 0
    assert t5.completion_tokens > 0
    assert "1,240" in answer.answer
