"""The weights of a model folder, read one by one from mapped files. Does not import torch.

Those that the folder holds in 8 or 4 bits are given as the floats that they stand for, see `kernel.chat.quantised`.
"""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.chat.quantised import (
    CODES,
    CORRECTION_DOWN,
    CORRECTION_PARTS,
    CORRECTION_UP,
    INPUT_SCALE,
    LOWS,
    SCALES,
    WEIGHT,
    decoded,
)
from retrieval.errors import TekioError

_TYPES = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "F64": np.float64,
    "I8": np.int8,
    "U8": np.uint8,
}
_PARTS = (SCALES, LOWS, INPUT_SCALE, *CORRECTION_PARTS)
"""What stands beside the codes of weights in few bits, and is no weight of its own."""


class Weights:
    """Tensors by name, from all safetensors files of a folder.

    Source: the safetensors format: eight bytes with the length of a JSON header, the header, the values.

    Raises:
        TekioError: there are none, or a file is cut short or no safetensors file.
    """

    def __init__(self, folder: Path, pattern: str = "*.safetensors") -> None:
        self._places: dict[str, tuple[mmap.mmap, str, tuple[int, ...], int, int]] = {}
        files = sorted(folder.glob(pattern))
        if not files:
            raise TekioError(f"there are no weights in {folder}: fetch the model again")
        for path in files:
            try:
                self._add(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise TekioError(
                    f"{path} is damaged ({str(error)[:120]}): fetch the model again, or copy it whole"
                ) from error

    def __contains__(self, name: str) -> bool:
        return name in self._places or self._coded(name) is not None

    def names(self) -> list[str]:
        """Name all tensors."""
        names = (name for name in self._places if not name.endswith(_PARTS))
        return sorted(
            f"{name.removesuffix(CODES)}{WEIGHT}" if name.endswith(CODES) else name for name in names
        )

    def count(self) -> int:
        """Return how many values all tensors have."""
        return sum(
            math.prod(shape) * (2 if kind == "U8" else 1)  # two codes in a byte
            for name, (_, kind, shape, _, _) in self._places.items()
            if not name.endswith(_PARTS)
        )

    def input_scale(self, module: str) -> float | None:
        """Return the step by which the inputs of a layer are rounded; None where they are not."""
        name = f"{module}{INPUT_SCALE}"
        return float(self.get(name).reshape(-1)[0]) if name in self._places else None

    def correction(self, module: str) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return the matrices down, (rank, in), and up, (out, rank), that correct a layer; None where none do."""
        if f"{module}{CORRECTION_DOWN}" not in self._places:
            return None
        down, up = (
            decoded(self.raw(f"{module}{part}"), self.raw(f"{module}{part}_scales"))
            for part in (CORRECTION_DOWN, CORRECTION_UP)
        )
        return down, np.ascontiguousarray(up.T)

    def get(self, name: str, *, corrected: bool = True) -> NDArray[np.float32]:
        """Return a tensor in float32.

        Args:
            name: of it.
            corrected: with what corrects its codes; without, what the codes alone stand for.

        Raises:
            TekioError: there is none of this name, or its type is not known.
        """
        if (stem := self._coded(name)) is not None:
            lows = self.raw(f"{stem}{LOWS}") if f"{stem}{LOWS}" in self._places else None
            values = decoded(self.raw(f"{stem}{CODES}"), self.raw(f"{stem}{SCALES}"), lows)
            if corrected and (parts := self.correction(stem)) is not None:
                values += parts[1] @ parts[0]
            return values
        raw = self.raw(name)
        if self._places[name][1] == "BF16":  # the upper half of a float32
            return (raw.astype(np.uint32) << 16).view(np.float32)
        return raw.astype(np.float32)

    def raw(self, name: str) -> NDArray[Any]:
        """Return a tensor as the file holds it, bfloat16 as uint16.

        Raises:
            TekioError: there is none of this name, or its type is not known.
        """
        if name not in self._places:
            raise TekioError(f"the model has no weights named {name}: it is cut short, or of another kind")
        held, kind, shape, begin, end = self._places[name]
        if kind not in _TYPES:
            raise TekioError(f"the weights {name} are of the type {kind}, which is not known")
        dtype = np.dtype(_TYPES[kind])
        raw: NDArray[Any] = np.frombuffer(held, dtype, count=(end - begin) // dtype.itemsize, offset=begin)
        return raw.reshape(shape)

    def _coded(self, name: str) -> str | None:
        """Return what the names of weights in few bits begin with; None where they are held plainly."""
        stem = name.removesuffix(WEIGHT)
        return stem if stem != name and f"{stem}{CODES}" in self._places else None

    def _add(self, path: Path) -> None:
        with path.open("rb") as file:
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        length = int.from_bytes(held[:8], "little")
        if 8 + length > len(held):
            raise ValueError("it ends within its header")
        header = json.loads(held[8 : 8 + length])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = (8 + length + int(place) for place in entry["data_offsets"])
            if end > len(held):
                raise ValueError(f"it ends before {name}")
            self._places[name] = (held, entry["dtype"], tuple(entry["shape"]), begin, end)
