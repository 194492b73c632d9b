"""The weights of a model folder, read one by one from mapped files. Does not import torch."""

from __future__ import annotations

import json
import math
import mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import TekioError

_TYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "F64": np.float64}


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
        return name in self._places

    def names(self) -> list[str]:
        """Name all tensors."""
        return sorted(self._places)

    def count(self) -> int:
        """Return how many values all tensors have."""
        return sum(math.prod(shape) for _, _, shape, _, _ in self._places.values())

    def get(self, name: str) -> NDArray[np.float32]:
        """Return a tensor in float32.

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
        if kind == "BF16":  # the upper half of a float32
            return (raw.astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return raw.astype(np.float32).reshape(shape)

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
