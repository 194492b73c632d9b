"""A compiled decoder with its cache of keys and values: one step over any number of rows. Imports openvino late."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.lora import Lora
from kernel.chat.paged.step import BLOCK, Row, parts_of, ranks_of
from kernel.chat.paged.weights import Weights
from retrieval.errors import TekioError, openvino_line

_KEPT_TWICE_MB = 2048
"""Up to this size the base is compiled without adapters too, which a step of base rows alone is faster by."""


class PagedModel:
    """The weights and the cache. Not for several threads at once.

    The logits of a token are the same to the bit whatever shares its step, however a prompt was parted into steps, and
    however many tokens of an answer are computed in one, as long as each is of the same kind (`Row.written`): OpenVINO
    attends by other loops where all rows of a step are single tokens, so that an empty row is put beside those.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: str,
        threads: int = 0,
        cache_mb: int = 512,
        kv_precision: str = "",
        words: NDArray[np.int64] | None = None,
    ) -> None:
        """Compile the base.

        Args:
            folder: the model's, as transformers reads it.
            precision: how weights are held, see `kernel.chat.paged.precision`.
            threads: 0 leaves it to OpenVINO.
            cache_mb: memory for keys and values.
            kv_precision: of keys and values, as OpenVINO names it; empty takes its own choice, 8 bits.
            words: whose logits are computed, in their order; None: of all.

        Raises:
            UnknownArchitectureError: another engine has to compute it.
            TekioError: the weights are damaged, or do not fit into memory.
        """
        self.architecture = Architecture.read(folder)
        self._folder, self._precision, self._threads = folder, precision, threads
        self._kv_precision, self._words = kv_precision, words
        self._adapters: list[Lora] = []
        self._bare: Any = self._compiled(())
        self._adapted: Any = None
        self._caches: dict[str, Any] = {}
        self.blocks = self._make_caches(cache_mb)

    @property
    def adapters(self) -> int:
        """How many adapters are loaded."""
        return len(self._adapters)

    def add(self, adapter: Lora) -> int:
        """Compile the base with one adapter more; return its place. What is in the cache stays.

        Raises:
            UsageError: it does not fit the base.
            TekioError: there is no memory for it.
        """
        self._adapted = self._compiled([*self._adapters, adapter])
        self._give_caches(self._adapted)
        self._adapters.append(adapter)
        if self._megabytes() > _KEPT_TWICE_MB:
            self._bare = None
        return len(self._adapters) - 1

    def drop_last(self) -> None:
        """Take the adapter out that was added last."""
        self._adapters.pop()
        self._adapted = self._compiled(self._adapters) if self._adapters else None
        if self._adapted is not None:
            self._give_caches(self._adapted)

    def run(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Compute a step; return the logits of each row, shape (wanted, vocabulary), valid until the next step.

        Raises:
            RuntimeError: OpenVINO's own.
        """
        from kernel.chat.paged import graph

        parts = parts_of(rows)
        if all(len(part.ids) == 1 for part in parts):
            parts.append(Row((), 0, (), None, 0))
        counts = np.array([len(part.ids) for part in parts])
        begins = np.concatenate([[0], counts.cumsum()]).astype(np.int32)
        blocks = [part.blocks[: -(-(part.past + len(part.ids)) // BLOCK)] for part in parts]
        wanted = [np.arange(end - part.wanted, end) for part, end in zip(parts, begins[1:], strict=True)]
        given: dict[str, NDArray[Any]] = {
            graph.IDS: np.concatenate([np.asarray(part.ids, np.int64) for part in parts]),
            graph.POSITIONS: np.concatenate(
                [np.arange(part.past, part.past + len(part.ids), dtype=np.int64) for part in parts]
            ),
            graph.PAST: np.array([part.past for part in parts], np.int32),
            graph.BEGINS: begins,
            graph.BLOCKS: np.array([block for each in blocks for block in each], np.int32),
            graph.BLOCK_BEGINS: np.cumsum([0, *map(len, blocks)]).astype(np.int32),
            graph.LONGEST: np.array(max(part.past + len(part.ids) for part in parts), np.int32),
            graph.WANTED: np.concatenate(wanted).astype(np.int64),
        }
        request = self._bare
        if request is None or any(row.adapter is not None for row in rows):
            request = self._adapted
            given[graph.RANKS] = ranks_of(parts, self._adapters)
        import openvino

        for name, values in given.items():
            request.set_tensor(name, openvino.Tensor(values))
        # Not `infer`, which keeps the errors of a step to itself and leaves the logits of the one before.
        request.start_async()
        request.wait()
        logits: NDArray[np.float32] = request.get_tensor(graph.LOGITS).data
        ends = np.cumsum([row.wanted for row in rows])
        return np.split(logits, ends[:-1])

    def _compiled(self, adapters: Sequence[Lora]) -> Any:
        import openvino

        from kernel.chat.paged.graph import build_graph
        from kernel.chat.paged.precision import PRECISIONS

        precision = next(each for each in PRECISIONS if each == self._precision)
        settings = {
            "NUM_STREAMS": "1",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
            # Of what is multiplied with weights of 8 bits, so that both sides are whole numbers.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "64" if precision == "int8" else "0",
        }
        if self._threads:
            settings["INFERENCE_NUM_THREADS"] = str(self._threads)
        settings["KEY_CACHE_QUANT_MODE"] = "BY_TOKEN"  # so that a key is the same whatever came with it
        if self._kv_precision:
            settings["KV_CACHE_PRECISION"] = self._kv_precision
        graph = build_graph(self.architecture, Weights(self._folder), precision, adapters, self._words)
        try:
            return openvino.Core().compile_model(graph, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise TekioError(
                f"OpenVINO cannot compute the model in {self._folder}: {openvino_line(error)}"
            ) from error

    def _make_caches(self, megabytes: int) -> int:
        """Make the cache as large as may be; return how many blocks it has."""
        import openvino

        from kernel.chat.paged.graph import KEYS, VALUES

        shapes: dict[str, tuple[Any, list[int]]] = {}
        for each in self._bare.model_inputs:
            name = each.get_any_name()
            if name.startswith((KEYS, VALUES)):
                sizes = [size.get_length() for size in list(each.partial_shape)[1:]]
                shapes[name] = (each.element_type, sizes)
        size = sum(math.prod(sizes) * int(kind.size) for kind, sizes in shapes.values())
        blocks = max(1, (megabytes << 20) // size)
        for name, (kind, sizes) in shapes.items():
            self._caches[name] = openvino.Tensor(kind, openvino.Shape([blocks, *sizes]))
        self._give_caches(self._bare)
        return blocks

    def _give_caches(self, request: Any) -> None:
        for name, tensor in self._caches.items():
            request.set_tensor(name, tensor)

    def _megabytes(self) -> int:
        return sum(path.stat().st_size for path in self._folder.glob("*.safetensors")) >> 20
