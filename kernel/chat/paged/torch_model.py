"""A decoder of transformers with its cache in blocks, on a GPU or the processor: many requests in one step.

Importing this imports torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError

from kernel.chat.language_model import choose_dtype
from kernel.chat.paged.architecture import Architecture
from kernel.chat.paged.gpu_memory import GpuMemory
from kernel.chat.paged.lora import Lora
from kernel.chat.paged.serving import CPU_CACHE_MB
from kernel.chat.paged.step import BLOCK, Row, parts_of, ranks_of
from kernel.chat.paged.torch_attention import ATTENTION, Step, groups_of, places_of
from kernel.chat.paged.torch_lora import TorchAdapters
from kernel.chat.quantised import form_of, load_causal
from retrieval.errors import TekioError, first_line


class TorchPagedModel:
    """The weights and the cache. Not for several threads at once.

    Tokens are computed by the same formulas as alone, but a GPU's products are rounded otherwise in larger batches, so
    that logits are the same up to rounding only.
    """

    def __init__(
        self,
        folder: Path,
        *,
        precision: str = "auto",
        threads: int = 0,
        cache_mb: int = 0,
        memory_share: float = 0.9,
        others_mb: int = 0,
        words: NDArray[np.int64] | None = None,
    ) -> None:
        """Load the base.

        Args:
            folder: the model's, as transformers reads it.
            precision: `auto`, `float32`, `bfloat16`; `int8` and `int4-weights` by bitsandbytes.
            threads: 0 leaves it to torch.
            cache_mb: memory for keys and values; 0 takes what is left of a GPU, and 512 without one.
            memory_share: of the GPU's memory, what all models of this process may take together.
            others_mb: what the other models take of it.
            words: whose logits are computed, in their order; None: of all.

        Raises:
            UnknownArchitectureError: transformers has to compute it one request at a time.
            TekioError: the weights are damaged, or do not fit into memory.
        """
        self.architecture = Architecture.read(folder)
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        memory = self._gpu_memory(memory_share)
        self._model = _load(folder, precision, self._device)
        if words is not None:
            _keep_words(self._model, torch.from_numpy(words).to(self._device))
        self._adapters: list[Lora] = []
        self._changes = TorchAdapters(self._model)
        megabytes = cache_mb or CPU_CACHE_MB
        if memory is not None:
            weights = int(self._model.get_memory_footprint()) >> 20
            megabytes = memory.for_cache(weights, others_mb, wanted=cache_mb)
        self._keys, self._values = self._make_caches(megabytes)
        self.blocks = len(self._keys[0])

    def add(self, adapter: Lora) -> int:
        """Add an adapter; return its place. What is in the cache stays.

        Raises:
            UsageError: it does not fit the base.
        """
        self._changes.use([*self._adapters, adapter])
        self._adapters.append(adapter)
        return len(self._adapters) - 1

    def drop_last(self) -> None:
        """Take the adapter out that was added last."""
        self._adapters.pop()
        self._changes.use(self._adapters)

    def run(self, rows: Sequence[Row]) -> list[NDArray[np.float32]]:
        """Compute a step; return the logits of each row, shape (wanted, vocabulary).

        Raises:
            RuntimeError: torch's own, among them that the GPU's memory is full.
        """
        parts = parts_of(rows)
        ends = np.cumsum([len(part.ids) for part in parts])
        wanted = np.concatenate(
            [np.arange(end - part.wanted, end) for part, end in zip(parts, ends, strict=True)]
        )
        step = Step(
            self._keys,
            self._values,
            self._tensor(places_of(parts)),
            groups_of(parts, sliding=self.architecture.sliding, device=self._device),
        )
        adapted = any(row.adapter is not None for row in rows)
        self._changes.choose(
            torch.from_numpy(ranks_of(parts, self._adapters)).to(self._device) if adapted else None
        )
        with torch.inference_mode():
            logits = self._model(
                input_ids=self._tensor([token for part in parts for token in part.ids])[None],
                position_ids=self._tensor(
                    [place for part in parts for place in range(part.past, part.past + len(part.ids))]
                )[None],
                use_cache=False,
                logits_to_keep=self._tensor(wanted.tolist()),
                tekio_step=step,
            ).logits[0]
        edges = np.cumsum([row.wanted for row in rows])
        return np.split(logits.float().cpu().numpy(), edges[:-1])

    def _tensor(self, numbers: list[int]) -> torch.Tensor:
        return torch.tensor(numbers, device=self._device)

    def _gpu_memory(self, share: float) -> GpuMemory | None:
        if self._device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info()
        taken = torch.cuda.memory_reserved()  # by this process, which `others_mb` counts already
        torch.cuda.set_per_process_memory_fraction(share)
        return GpuMemory(total >> 20, (free + taken) >> 20, share)

    def _make_caches(self, megabytes: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        shape, dtype = self.architecture, self._model.dtype
        one = shape.kv_heads * shape.head * BLOCK * dtype.itemsize
        blocks = max(1, (megabytes << 20) // (2 * shape.layers * one))
        sizes = (blocks, BLOCK, shape.kv_heads, shape.head)

        def make() -> list[torch.Tensor]:
            return [torch.zeros(sizes, dtype=dtype, device=self._device) for _ in range(shape.layers)]

        try:
            return make(), make()
        except RuntimeError as error:
            raise TekioError(
                f"there is no memory for {megabytes:,} MiB of keys and values ({first_line(error)}): "
                "set kv_cache_mb lower"
            ) from error


def _keep_words(model: Any, words: torch.Tensor) -> None:
    """Have a model's head compute the logits of some words alone."""
    head = model.get_output_embeddings()
    bias = getattr(head, "bias", None)
    with torch.no_grad():
        kept = torch.nn.Linear(head.in_features, len(words), bias is not None, device="meta")
        kept.weight = torch.nn.Parameter(head.weight[words].clone(), requires_grad=False)
        if bias is not None:
            kept.bias = torch.nn.Parameter(bias[words].clone(), requires_grad=False)
    model.set_output_embeddings(kept)


def _load(folder: Path, precision: str, device: torch.device) -> Any:
    from transformers import BitsAndBytesConfig
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    more: dict[str, Any] = {}
    dtype = choose_dtype("auto" if precision.startswith("int") else precision, device.type)
    if form_of(folder) is not None:
        pass  # its weights are rounded already
    elif precision in ("int8", "int8-weights"):
        more["quantization_config"] = BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]
    elif precision == "int4-weights":
        more["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    try:
        model: Any = load_causal(
            folder,
            dtype=dtype,
            attn_implementation=ATTENTION,
            device_map={"": device.type} if more else None,
            **more,
        )
        return model.to(device).eval() if not more else model.eval()
    except ImportError as error:
        raise TekioError(
            f"weights in {precision} take bitsandbytes: pip install 'tekio[training]' ({first_line(error)})"
        ) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise TekioError(f"torch cannot load the model in {folder}: {first_line(error)}") from error
