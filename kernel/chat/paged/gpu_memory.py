"""How much of a GPU's memory is left for keys and values once all models have theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kernel.chat.paged.weights import Weights
from retrieval.errors import TekioError

_WORKING_SHARE, _WORKING_LEAST_MB = 0.1, 1024
_LEAST_MB = 64


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """A GPU's memory in MiB, and what share of it Tekio may take, with all of its models together.

    Attributes:
        total: of the GPU.
        free: what no process had taken before Tekio loaded its first model.
        share: the most that Tekio takes of the total.
    """

    total: int
    free: int
    share: float

    @property
    def budget(self) -> int:
        """What Tekio takes at most."""
        return min(int(self.total * self.share), self.free)

    @property
    def working(self) -> int:
        """What is kept for what models compute with: batches of texts, logits."""
        return max(_WORKING_LEAST_MB, int(self.budget * _WORKING_SHARE))

    def for_cache(self, weights: int, others: int, *, wanted: int = 0) -> int:
        """Return how many MiB keys and values get.

        Args:
            weights: of the language model, in MiB.
            others: of the embedder and the models that rank and read, in MiB.
            wanted: what was asked for; 0 takes all that is left.

        Raises:
            TekioError: there is not that much.
        """
        left = self.budget - weights - others - self.working
        least = wanted or _LEAST_MB
        if left < least:
            raise TekioError(
                f"the GPU has no room for what the language model reads: of {self.total:,} MiB, {self.free:,} are free "
                f"and gpu_memory_share allows {self.budget:,}; the language model takes {weights:,}, the other models "
                f"{others:,}, their work {self.working:,}, and {least:,} were needed beside them: "
                "raise gpu_memory_share, set kv_cache_mb lower, or take a smaller model or precision"
            )
        return wanted or left


def weights_mb(folders: Iterable[Path]) -> int:
    """Return how many MiB the weights of model folders take in float32, in which they are loaded.

    Raises:
        TekioError: files are damaged.
    """
    return sum(_bytes(folder) for folder in folders) >> 20


def _bytes(folder: Path) -> int:
    if any(folder.glob("*.safetensors")):
        return 4 * Weights(folder).count()
    # An older form, in which the values may take half of what they take in memory.
    return 2 * sum(path.stat().st_size for path in folder.glob("*.bin"))
