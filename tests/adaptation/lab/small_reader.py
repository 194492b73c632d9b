"""A small reading model and questions for it: real parts, at a size of no cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adaptation.span_reader.examples import Asked
from kernel.reading_model import HEAD, ReaderFiles

THINGS = "pump valve filter ladder lamp cable trolley scale printer drill sieve mixer".split()


def asked_about(count: int, *, group: str = "g") -> list[Asked]:
    """Return questions, each with a passage that answers it and another that does not."""

    def told(number: int) -> str:
        thing = THINGS[number % len(THINGS)]
        return f"the {thing} was bought in {1900 + number % 90} by ada and it is green"

    return [
        Asked(
            f"when was the {THINGS[number % len(THINGS)]} bought",
            (str(1900 + number % 90),),
            told(number),
            "en",
            f"{group}{number}",
            (told(number + 1),),
        )
        for number in range(count)
    ]


def make_reader(folder: Path, *, layers: int = 4, seed: int = 0) -> ReaderFiles:
    """Make a reading model of so many layers, 32 states wide, words for pieces."""
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel

    words = {word for each in asked_about(90) for word in f"{each.question} {each.text}".split()} | {
        "query",
        ":",
    }
    vocabulary = {word: row for row, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *sorted(words)])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(seed)
    config: Any = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=160,
        pad_token_id=1,
        initializer_range=0.2,  # so that layers do something
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({"weight": torch.randn(2, 32), "bias": torch.zeros(2)}, folder / HEAD)
    return ReaderFiles(folder, folder / HEAD, f"small-{layers}-{seed}")


def write_questions(folder: Path, count: int, *, group: str = "g") -> Path:
    """Write so many questions as a set in the form of BEIR, each over a document of its own."""
    asked = asked_about(count, group=group)
    (folder / "qrels").mkdir(parents=True)
    corpus, queries, judged = [], [], ["query-id\tcorpus-id\tscore"]
    for number, each in enumerate(asked):
        for name, text in (("right", each.text), ("other", each.others[0])):
            corpus.append({"_id": f"{name}{number}", "title": each.group, "text": text})
        queries.append({"_id": f"q{number}", "text": each.question, "answers": list(each.answers)})
        judged.append(f"q{number}\tright{number}\t1")
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)))
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n")
    return folder
