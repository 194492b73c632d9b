"""Architectures to choose from, and what each costs before anything is trained.

Sources: Vaswani et al., 2017 (encoder-decoder, here as T5); Devlin et al., 2019 (encoder, BERT); Jiang et al., 2023
(decoder, Mistral); FLOPs as Kaplan et al., "Scaling Laws for Neural Language Models", 2020, and Chowdhery et al.,
"PaLM", 2022, appendix B. Importing this imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from adaptation.finetuning.memory import kept_a_token
from adaptation.lab.scratch.recipe import Kind
from adaptation.lab.scratch.tokenizing import END, PAD, SPECIAL
from retrieval.errors import UsageError
from retrieval.model_building import building_in_turn

KINDS: tuple[Kind, ...] = get_args(Kind)
_STATE = 16
"""Bytes a weight takes while AdamW learns: itself, its gradient and two moments in float32, in mixed precision too."""
_HALF = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """A size of the network; an encoder-decoder has the layers twice."""

    name: str
    layers: int
    hidden: int
    heads: int
    inner: int


SHAPES: Mapping[str, Shape] = {
    shape.name: shape
    for shape in (
        Shape("nano", 2, 64, 2, 176),
        Shape("micro", 4, 128, 4, 344),
        Shape("mini", 6, 256, 4, 688),
        Shape("small", 8, 384, 6, 1024),
        Shape("medium", 12, 768, 12, 2048),
        Shape("large", 24, 1024, 16, 2816),
    )
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a configuration costs.

    Attributes:
        kind: of architecture.
        size: its row of the table.
        layers: of each stack.
        hidden: size of the hidden states.
        parameters: all weights; embeddings that are the output too count once.
        embeddings: of them, those of the vocabulary and of positions.
        bytes: on disk in float32.
        memory: bytes while it learns: weights, gradients, moments and activations of a batch.
        flops_a_token: that learning from a token takes, forward and back.
        flops: of the whole training.
    """

    kind: str
    size: str
    layers: int
    hidden: int
    parameters: int
    embeddings: int
    bytes: int
    memory: int
    flops_a_token: int
    flops: float

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def shape_of(size: str) -> Shape:
    """Return a shape by its name.

    Raises:
        UsageError: there is none.
    """
    if size not in SHAPES:
        raise UsageError(f"there is no size '{size}'; there are {', '.join(SHAPES)}")
    return SHAPES[size]


def config_of(
    kind: Kind, shape: Shape, *, vocabulary: int, positions: int, seen: int = 0, dropout: float = 0.0
) -> Any:
    """Return transformers' configuration.

    Args:
        kind: of architecture.
        shape: its size.
        vocabulary: tokens of the tokenizer.
        positions: tokens of a prompt, at most.
        seen: tokens that a decoder learns to look back on; it looks no further in use, so that prompts may be longer
            than what it learned from. 0 sets no bound.
        dropout: of an encoder or encoder-decoder; a decoder has none of its own, see `with_dropout`.
    """
    from transformers import BertConfig, MistralConfig, T5Config

    pad, end = SPECIAL.index(PAD), SPECIAL.index(END)
    made: Any
    if kind == "decoder":
        made = MistralConfig
        return made(
            vocab_size=vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=positions,
            # One more than it learns from: then torch's kernel without a mask is taken while it learns.
            sliding_window=seen + 1 if seen else None,
            tie_word_embeddings=True,
            pad_token_id=pad,
            bos_token_id=end,
            eos_token_id=end,
        )
    if kind == "encoder":
        made = BertConfig
        return made(
            vocab_size=vocabulary,
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            max_position_embeddings=positions,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
            pad_token_id=pad,
        )
    made = T5Config
    return made(
        vocab_size=vocabulary,
        d_model=shape.hidden,
        d_kv=shape.hidden // shape.heads,
        d_ff=shape.inner,
        num_layers=shape.layers,
        num_heads=shape.heads,
        feed_forward_proj="gated-gelu",
        dropout_rate=dropout,
        pad_token_id=pad,
        eos_token_id=end,
        decoder_start_token_id=pad,
    )


def empty_model(kind: Kind, config: Any) -> Any:
    """Return a model of a configuration, with weights drawn from torch's generator."""
    with building_in_turn():
        return _class_of(kind).from_config(config)


def loaded(kind: Kind, folder: Path) -> Any:
    """Return a model that was written to a folder."""
    with building_in_turn():
        return _class_of(kind).from_pretrained(folder, local_files_only=True)


def _class_of(kind: Kind) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    classes: dict[str, Any] = {
        "decoder": AutoModelForCausalLM,
        "encoder": AutoModelForMaskedLM,
        "encoder-decoder": AutoModelForSeq2SeqLM,
    }
    return classes[kind]


def cost_of(
    kind: Kind, shape: Shape, *, vocabulary: int, positions: int, window: int, batch: int, tokens: float
) -> Cost:
    """Return what a configuration costs; its modules are made without their values.

    Args:
        kind: of architecture.
        shape: its size.
        vocabulary: tokens of the tokenizer.
        positions: tokens of a prompt, at most.
        window: tokens that are read together.
        batch: windows that are computed together.
        tokens: that are learned from in all.
    """
    import torch

    with torch.device("meta"):
        model = empty_model(kind, config_of(kind, shape, vocabulary=vocabulary, positions=positions))
    parameters = sum(weight.numel() for weight in model.parameters())
    inputs = model.get_input_embeddings().weight.numel()
    embeddings = inputs + (positions * shape.hidden if kind == "encoder" else 0)
    stacks = 2 if kind == "encoder-decoder" else 1
    # The table of the vocabulary is looked up for what is read, and multiplied by for what is written.
    multiplied = parameters - embeddings + inputs
    attended = 12 * shape.layers * stacks * shape.hidden * window
    a_token = 6 * multiplied + attended
    if kind == "encoder-decoder":  # half of a window goes through each stack, and sees its own half
        a_token = (6 * multiplied + attended // _HALF) // _HALF
    kept = shape.layers * kept_a_token(shape.hidden, shape.inner, shape.heads, window)
    activations = 4 * batch * window * (kept + 2 * vocabulary)
    return Cost(
        kind=kind,
        size=shape.name,
        layers=shape.layers,
        hidden=shape.hidden,
        parameters=parameters,
        embeddings=embeddings,
        bytes=4 * parameters,
        memory=_STATE * parameters + activations,
        flops_a_token=a_token,
        flops=float(a_token) * tokens,
    )


def table_of(*, vocabulary: int, positions: int, window: int, batch: int, tokens: float) -> list[Cost]:
    """Return the costs of all configurations; the arguments are those of `cost_of`."""
    return [
        cost_of(
            kind,
            shape,
            vocabulary=vocabulary,
            positions=positions,
            window=window,
            batch=batch,
            tokens=tokens,
        )
        for kind in KINDS
        for shape in SHAPES.values()
    ]
