"""A decoder of the Llama family as an OpenVINO graph over paged keys and values. Importing this imports openvino.

All rows of a step stand behind one another in one flat batch of tokens: attention tells them apart by where each begins
and by its blocks. Adapters are beside the weights: the matrices of all of them stacked, and for each token a mask over
their ranks, so that one product serves rows of any adapter, and adds exactly nothing to those of the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset15 as op
from openvino.op import _PagedAttentionExtension

from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.lora import Lora, stacked
from kernel.chat.paged.precision import Bytes, Node, Precision, in_bytes, matrix, rows_of
from kernel.chat.paged.weights import Weights

IDS, POSITIONS, WANTED, RANKS = "input_ids", "position_ids", "wanted", "ranks"
PAST, BEGINS, BLOCKS, BLOCK_BEGINS, LONGEST = (
    "past_lens",
    "subsequence_begins",
    "block_indices",
    "block_indices_begins",
    "max_context_len",
)
KEYS, VALUES = "key_cache", "value_cache"
LOGITS = "logits"


def build_graph(
    architecture: Architecture,
    weights: Weights,
    precision: Precision,
    adapters: Sequence[Lora] = (),
    words: NDArray[np.int64] | None = None,
) -> openvino.Model:
    """Return the graph; its inputs have the names of this module, its output is the logits of the wanted tokens.

    Args:
        architecture: the sizes.
        weights: of the base.
        precision: how they are held.
        adapters: that rows may choose, in the order of their ranks.
        words: whose logits are computed; None: of all.

    Raises:
        TekioError: weights are missing.
    """
    return _Builder(architecture, weights, precision, adapters, words).model()


class _Builder:
    def __init__(
        self,
        sizes: Architecture,
        weights: Weights,
        precision: Precision,
        adapters: Sequence[Lora],
        words: NDArray[np.int64] | None,
    ) -> None:
        self._sizes, self._weights, self._precision, self._adapters = sizes, weights, precision, adapters
        self._chosen = words
        self._ids = _input(IDS, np.int64)
        self._positions = _input(POSITIONS, np.int64)
        self._wanted = _input(WANTED, np.int64)
        self._places = {name: _input(name, np.int32) for name in (PAST, BEGINS, BLOCKS, BLOCK_BEGINS)}
        self._longest = op.parameter([], np.int32, name=LONGEST)
        ranks = sum(adapter.rank for adapter in adapters)
        self._ranks = op.parameter([-1, ranks], np.float32, name=RANKS) if ranks else None
        self._caches: list[Node] = []
        # One number for each row, which attention asks for though nothing is summed up here.
        self._no_scores = op.multiply(self._places[PAST], op.constant(np.int32(0)))
        angles = op.multiply(
            op.unsqueeze(op.convert(self._positions, "f32"), op.constant(1)),
            op.constant(sizes.frequencies[None]),
        )
        angles = op.unsqueeze(op.concat([angles, angles], 1), op.constant(np.array([1, 2])))
        self._cos, self._sin = op.cos(angles), op.sin(angles)

    def model(self) -> openvino.Model:
        table = self._words("model.embed_tokens.weight")
        state = rows_of(table, self._ids, self._precision)
        for number in range(self._sizes.layers):
            state = self._layer(state, f"model.layers.{number}.", number)
        state = op.gather(state, self._wanted, op.constant(np.int64(0)))
        state = self._norm(state, "model.norm.weight")
        head = table
        if not self._sizes.tied or self._chosen is not None:
            head = self._words(
                "model.embed_tokens.weight" if self._sizes.tied else "lm_head.weight", self._chosen
            )
        logits = op.matmul(state, matrix(head, self._precision), False, True)
        inputs = [self._ids, self._positions, *self._places.values(), self._longest, self._wanted]
        inputs += ([] if self._ranks is None else [self._ranks]) + self._caches
        for each in inputs:
            each.output(0).get_tensor().set_names({each.get_friendly_name()})
        logits.output(0).get_tensor().set_names({LOGITS})
        return openvino.Model([logits], inputs, "decoder")

    def _words(self, name: str, chosen: NDArray[np.int64] | None = None) -> NDArray[np.float32] | Bytes:
        """Return a table of the words, by which they are read or written.

        Never in 4 bits, of which every answer would suffer; GGUF does not hold it so either.
        """
        values = self._weights.get(name)
        values = values if chosen is None else values[chosen]
        return values if self._precision in ("float32", "bfloat16") else in_bytes(values)

    def _layer(self, state: Node, prefix: str, number: int) -> Node:
        sizes = self._sizes
        query, key, value = sizes.heads * sizes.head, sizes.kv_heads * sizes.head, sizes.kv_heads * sizes.head
        normed = self._norm(state, f"{prefix}input_layernorm.weight")
        parts = [f"{prefix}self_attn.{name}_proj" for name in "qkv"]
        both = self._linear(normed, parts)
        queries, keys, values = op.variadic_split(
            both, op.constant(np.int64(1)), op.constant(np.array([query, key, value]))
        ).outputs()
        queries = self._turned(queries, sizes.heads, f"{prefix}self_attn.q_norm.weight")
        keys = self._turned(keys, sizes.kv_heads, f"{prefix}self_attn.k_norm.weight")
        attended = self._attention(queries, keys, values, number)
        state = op.add(state, self._linear(attended, [f"{prefix}self_attn.o_proj"]))
        normed = self._norm(state, f"{prefix}post_attention_layernorm.weight")
        # Apart, so that what follows each product is done within it.
        gate = op.swish(self._linear(normed, [f"{prefix}mlp.gate_proj"]))
        up = self._linear(normed, [f"{prefix}mlp.up_proj"])
        return op.add(state, self._linear(op.multiply(gate, up), [f"{prefix}mlp.down_proj"]))

    def _linear(self, state: Node, names: Sequence[str]) -> Node:
        """Return the outputs of several layers over one input, behind one another."""
        correction = self._correction(names)
        weights = [self._weights.get(f"{name}.weight", corrected=correction is None) for name in names]
        if (step := self._weights.input_scale(names[0])) is not None:
            state = _rounded(state, step)
        output = op.matmul(state, self._held(np.concatenate(weights)), False, True)
        if f"{names[0]}.bias" in self._weights:
            output = op.add(
                output, op.constant(np.concatenate([self._weights.get(f"{name}.bias") for name in names]))
            )
        widths = [len(each) for each in weights]
        if correction is not None and (matrices := stacked([correction], names, widths)) is not None:
            inner = op.matmul(state, op.constant(matrices[0]), False, True)
            output = op.add(output, op.matmul(inner, op.constant(matrices[1]), False, True))
        found = stacked(self._adapters, names, widths)
        if found is None or self._ranks is None:
            return output
        down, up = found
        mask = self._ranks if len(names) == 1 else op.concat([self._ranks] * len(names), 1)
        inner = op.multiply(op.matmul(state, op.constant(down), False, True), mask)
        return op.add(output, op.matmul(inner, op.constant(up), False, True))

    def _correction(self, names: Sequence[str]) -> Lora | None:
        """Return what corrects the codes of layers, for every token; None where the weights are held whole."""
        if self._precision != "int4-weights":
            return None
        parts = {name: found for name in names if (found := self._weights.correction(name)) is not None}
        return Lora("", len(next(iter(parts.values()))[0]), parts) if parts else None

    def _held(self, values: NDArray[np.float32]) -> Node:
        return matrix(values, self._precision)

    def _norm(self, state: Node, name: str) -> Node:
        """Return a state divided by its root mean square.

        Source: Zhang and Sennrich, Root Mean Square Layer Normalization, NeurIPS 2019.
        """
        squares = op.reduce_mean(
            op.power(state, op.constant(np.float32(2))), op.constant(np.array([-1])), True
        )
        root = op.sqrt(op.add(squares, op.constant(np.float32(self._sizes.epsilon))))
        normed = op.multiply(state, op.divide(op.constant(np.float32(1)), root))
        return op.multiply(normed, op.constant(self._weights.get(name)))

    def _turned(self, state: Node, heads: int, norm: str) -> Node:
        """Return queries or keys turned by their places.

        Source: Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021.
        """
        size = self._sizes.head
        # In this very form OpenVINO makes one operation of it.
        state = op.reshape(state, op.constant(np.array([-1, heads, 1, size])), special_zero=False)
        if self._sizes.normed_heads:
            state = self._norm(state, norm)
        halves = op.constant(np.array([size // 2, size // 2]))
        first, second = op.variadic_split(state, op.constant(np.int64(3)), halves).outputs()
        other = op.concat([op.multiply(second, op.constant(np.float32(-1))), first], -1)
        turned = op.add(op.multiply(state, self._cos), op.multiply(other, self._sin))
        return op.reshape(turned, op.constant(np.array([-1, heads * size])), special_zero=False)

    def _attention(self, queries: Node, keys: Node, values: Node, number: int) -> Node:
        sizes = self._sizes
        caches = [
            op.parameter(openvino.PartialShape.dynamic(4), openvino.Type.dynamic, name=f"{name}.{number}")
            for name in (KEYS, VALUES)
        ]
        self._caches += caches
        no_floats, no_ints = op.constant(np.zeros(0, np.float32)), op.constant(np.zeros(0, np.int32))
        zero = op.constant(np.array(0, np.int32))
        places = [self._places[name] for name in (PAST, BEGINS, BLOCKS, BLOCK_BEGINS)]
        scale, sliding = np.array(sizes.head**-0.5, np.float32), np.array(sizes.sliding, np.int32)
        inputs = [
            queries,
            keys,
            values,
            *caches,
            *places,
            op.constant(scale),
            op.constant(sliding),
            no_floats,
        ]
        inputs += [self._longest, self._no_scores]
        inputs += [no_ints, no_ints, no_floats]  # no places are moved
        inputs += [no_floats, zero, zero, no_floats]  # nothing is left out, no sinks
        inputs += [zero, no_ints, no_ints, no_ints]  # nothing is dropped
        inputs += [no_ints, op.constant(np.zeros(0, np.uint8)), no_ints]  # no other masks
        attention = _PagedAttentionExtension([_output(each) for each in inputs])
        told = attention.get_rt_info()
        told["num_k_heads"] = told["num_v_heads"] = sizes.kv_heads
        told["k_head_size"] = told["v_head_size"] = sizes.head
        return attention.output(0)


def _rounded(state: Node, step: float) -> Node:
    """Return a state in whole steps, of which 8 bits hold the number."""
    low, high = op.constant(np.float32(-128 * step)), op.constant(np.float32(127 * step))
    return op.fake_quantize(state, low, high, low, high, 256)


def _input(name: str, kind: type) -> Node:
    return op.parameter([-1], kind, name=name)


def _output(node: Any) -> Any:
    return node.output(0) if hasattr(node, "outputs") else node
