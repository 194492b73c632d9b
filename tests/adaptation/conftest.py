"""A tiny embedder and language model, made here, and an index of small documents: real parts, at a size of no cost."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.app import Tekio
from kernel.settings import Settings

PLACES = "the harbour, the boiler room, the north gate, the archive, the cold store, the workshop".split(", ")
THINGS = (
    "pump valve filter ladder lamp cable trolley scale printer drill sieve mixer freezer fan oven saw press crane "
    "hose tank meter alarm radio winch"
).split()
_SENTENCES = (
    "The {thing} number {n} stands in {place} behind the {other} and is painted green.",
    "Its inspection takes place every {n} weeks under the eyes of the {other} keeper.",
    "When the {thing} makes a noise, the shift leader closes {place} and calls {n} people.",
    "Nobody moves the {thing} without the {other} being switched off for {n} minutes.",
)


def write_documents(folder: Path, count: int = 24) -> Path:
    """Write small documents, each about a thing of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        thing, other = THINGS[number % len(THINGS)], THINGS[(number * 7 + 3) % len(THINGS)]
        place = PLACES[number % len(PLACES)]
        sentences = [
            line.format(thing=thing, other=other, place=place, n=number + 2 + row)
            for row, line in enumerate(_SENTENCES)
        ]
        title = f"Care of the {thing} in {place} {number}"
        (folder / f"doc-{number:02}.md").write_text(f"# {title}\n\n{' '.join(sentences)}\n", "utf-8")
    return folder


def make_embedder(folder: Path, *, prompts: tuple[str, str] = ("ask: ", "tell: "), seed: int = 0) -> Path:
    """Make a sentence-transformers folder: two layers, 32 dimensions, words for pieces."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted(
        {word for line in _SENTENCES for word in line.lower().replace(",", "").replace(".", "").split()}
        | {word for place in PLACES for word in place.split()}
        | set(THINGS)
        | {str(number) for number in range(40)}
        | {"ask", "tell", "care", "of", ":", ".", ","}
    )
    vocabulary = {word: row for row, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
    )
    plain = folder.parent / f"{folder.name}-plain"
    BertModel(config, add_pooling_layer=False).save_pretrained(plain)
    pieces: Any = PreTrainedTokenizerFast
    pieces(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=160,
    ).save_pretrained(plain)
    modules = [Transformer(str(plain), max_seq_length=160), Pooling(32, "mean"), Normalize()]
    model = SentenceTransformer(modules=modules, prompts={"query": prompts[0], "document": prompts[1]})
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def cut_words(folder: Path, count: int) -> None:
    """Leave the tokenizer of a folder the words of the first numbers, and the merges that make them.

    A table of all words of the default model, 49,152, takes most of the time of a model of a few layers.
    """
    path = folder / "tokenizer.json"
    held = json.loads(path.read_text(encoding="utf-8"))
    words = held["model"]["vocab"]
    held["model"]["vocab"] = {word: number for word, number in words.items() if number < count}
    held["model"]["merges"] = [pair for pair in held["model"]["merges"] if words["".join(pair)] < count]
    path.write_text(json.dumps(held), encoding="utf-8")


def make_base(whole: Path, folder: Path, *, words: int = 0) -> Path:
    """Make a language model of two layers that knows nothing, and ends each answer with its first word.

    Args:
        whole: folder of the default model, of which it has the tokenizer.
        folder: of the new one.
        words: that it has, the first of those of the default model; 0: all.
    """
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.xml", "*.bin"))
    config = AutoConfig.from_pretrained(whole)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    if words:
        cut_words(folder, words)
        config.vocab_size = words
    for name, value in (small | {"num_attention_heads": 2, "num_key_value_heads": 2}).items():
        setattr(config, name, value)
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    ends = {"eos_token_id": list(range(config.vocab_size))}
    (folder / "generation_config.json").write_text(json.dumps(ends), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny embedder, made once; do not write to it."""
    return make_embedder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def small(tmp_path: Path, tiny_embedder: Path) -> Settings:
    """Settings with an index of small documents, embedded by the tiny embedder."""
    settings = Settings(
        index=tmp_path / "index",
        embedders=tmp_path / "embedders",
        cache=tmp_path / "cache",
        embedder=str(tiny_embedder),
        embedder_engine="torch",
        chunk_tokens=96,
        offline=True,
    )
    with closing(Tekio(settings)) as tekio:
        report = tekio.ingest([write_documents(tmp_path / "documents")])
    assert report.added == 24, report
    return settings
