"""How weights are held: in float, in 8 bits a value, or in 4 bits with a scale for each 32 of them.

Importing this imports openvino.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset15 as op

Precision = Literal["float32", "bfloat16", "int8", "int8-weights", "int4-weights"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8", "int8-weights", "int4-weights")
_GROUP = 32
"""Values that share a scale in 4 bits, as in GGUF's Q4_0 and Q4_1."""

_AT_ONCE = 1 << 16
"""Values that are put into bytes at once."""

Node = Any


@dataclass(frozen=True, slots=True)
class Bytes:
    """Rows as bytes, shape (rows, columns), and the scale of each, shape (rows, 1)."""

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]


def matrix(values: NDArray[np.float32] | Bytes, precision: Precision) -> Node:
    """Return a matrix as a constant that is held in a precision and computed in float.

    In 4 bits each group runs from its least to its greatest value, so that weights which came from Q4_1 are what they
    were. Rows whose length no group divides are held in 8 bits.

    Args:
        values: shape (out, in).
        precision: how it is held.
    """
    if isinstance(values, Bytes):
        return op.multiply(op.convert(op.constant(values.codes), "f32"), op.constant(values.scales))
    if precision == "float32":
        return op.constant(values)
    if precision == "bfloat16":
        return op.convert(op.constant(_half(values)), "f32")
    if precision == "int4-weights" and values.shape[1] % _GROUP == 0:
        return _in_four_bits(values)
    return matrix(in_bytes(values), precision)


def rows_of(values: NDArray[np.float32] | Bytes, ids: Node, precision: Precision) -> Node:
    """Return the rows of a table that ids name, in float32."""
    first = op.constant(np.int64(0))
    if isinstance(values, Bytes):
        found = op.convert(op.gather(op.constant(values.codes), ids, first), "f32")
        return op.multiply(found, op.gather(op.constant(values.scales), ids, first))
    if precision == "float32":
        return op.gather(op.constant(values), ids, first)
    if precision == "bfloat16":
        table = op.constant(_half(values))
        return op.convert(op.gather(table, ids, first), "f32")
    return rows_of(in_bytes(values), ids, precision)


def in_bytes(values: NDArray[np.float32]) -> Bytes:
    """Return rows as bytes; the greatest of each is 127 or -127."""
    codes = np.empty(values.shape, np.int8)
    scales = np.empty((len(values), 1), np.float32)
    step = max(1, _AT_ONCE // values.shape[1])
    for start in range(
        0, len(values), step
    ):  # a piece stays in the processor's cache, which a whole table would not
        piece = values[start : start + step]
        most = np.maximum(piece.max(axis=1, keepdims=True), -piece.min(axis=1, keepdims=True))
        most[most == 0] = 127
        scales[start : start + step] = most / 127
        scaled = piece * (127 / most)
        codes[start : start + step] = np.rint(scaled, out=scaled)
    return Bytes(codes, scales)


def _half(values: NDArray[np.float32]) -> openvino.Tensor:
    """Return bfloat16, rounded to the nearest, halves to even."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    halves = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return _owned(halves, openvino.Type.bf16, values.shape)


def _in_four_bits(values: NDArray[np.float32]) -> Node:
    grouped = values.reshape(values.shape[0], -1, _GROUP)
    low, high = grouped.min(axis=2, keepdims=True), grouped.max(axis=2, keepdims=True)
    scales = (high - low) / 15
    scales[scales == 0] = 1
    codes = np.clip(np.rint((grouped - low) / scales), 0, 15).astype(np.uint8).reshape(-1)
    packed = codes[0::2] | (codes[1::2] << 4)
    held = op.convert(op.constant(_owned(packed, openvino.Type.u4, grouped.shape)), "f32")
    zero = op.constant((-low / scales).astype(np.float32))
    whole = op.multiply(op.subtract(held, zero), op.constant(scales.astype(np.float32)))
    return op.reshape(whole, op.constant(np.array(values.shape)), special_zero=False)


def _owned(bits: NDArray[Any], kind: openvino.Type, shape: tuple[int, ...]) -> openvino.Tensor:
    """Return a tensor with memory of its own: one that is made over an array does not keep that alive."""
    tensor = openvino.Tensor(kind, openvino.Shape(shape))
    tensor.data.view(bits.dtype).reshape(-1)[:] = bits.reshape(-1)
    return tensor
