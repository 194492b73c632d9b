"""How weights are held: in float, in 8 bits a value, or in 4 bits with a scale for each 32 of them.

Importing this imports openvino.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset15 as op

Precision = Literal["float32", "bfloat16", "int8", "int8-weights", "int4-weights"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8", "int8-weights", "int4-weights")
_GROUP = 32
"""Values that share a scale in 4 bits, as in GGUF's Q4_0 and Q4_1."""

Node = Any


def matrix(values: NDArray[np.float32], precision: Precision) -> Node:
    """Return a matrix as a constant that is held in a precision and computed in float.

    In 4 bits each group runs from its least to its greatest value, so that weights which came from Q4_1 are what they
    were. Rows whose length no group divides are held in 8 bits.

    Args:
        values: shape (out, in).
        precision: how it is held.
    """
    if precision == "float32":
        return op.constant(values)
    if precision == "bfloat16":
        return op.convert(op.constant(_half(values)), "f32")
    if precision == "int4-weights" and values.shape[1] % _GROUP == 0:
        return _in_four_bits(values)
    codes, scales = in_bytes(values)
    return op.multiply(op.convert(op.constant(codes), "f32"), op.constant(scales))


def rows_of(values: NDArray[np.float32], ids: Node, precision: Precision) -> Node:
    """Return the rows of a table that ids name, in float32."""
    first = op.constant(np.int64(0))
    if precision == "float32":
        return op.gather(op.constant(values), ids, first)
    if precision == "bfloat16":
        table = op.constant(_half(values))
        return op.convert(op.gather(table, ids, first), "f32")
    codes, scales = in_bytes(values)
    found = op.convert(op.gather(op.constant(codes), ids, first), "f32")
    return op.multiply(found, op.gather(op.constant(scales), ids, first))


def in_bytes(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return rows as bytes, and the scale of each, shape (rows, 1)."""
    scales = np.abs(values).max(axis=1, keepdims=True) / 127
    scales[scales == 0] = 1
    return np.rint(values / scales).astype(np.int8), scales.astype(np.float32)


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
