"""An engine's encoder for a model folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from retrieval.engines.catalog import Engine
from retrieval.engines.encoders import Encoder
from retrieval.engines.export import exported


def build_encoder(
    engine: Engine,
    folder: Path,
    exports: Path,
    *,
    max_tokens: int,
    pad_id: int,
    prefix: str,
    threads: int = 0,
    say: Callable[[str], None] = lambda text: None,
    small_table: bool = False,
) -> Encoder:
    """Load an engine's model, making it first if it is not there; see `exported`.

    From then on numpy multiplies on the thread that calls it, in the whole process, see `_calm_numpy`.

    Raises:
        TekioError: it cannot be made or loaded.
    """
    _calm_numpy()
    if engine.runtime == "torch":
        from retrieval.engines.torch_encoder import TorchEncoder

        return TorchEncoder(folder, max_tokens=max_tokens, precision=engine.precision)
    file = exported(folder, exports, engine, prefix, say, small_table=small_table)
    if engine.runtime == "openvino":
        from retrieval.engines.openvino_encoder import OpenVinoEncoder

        return OpenVinoEncoder(file, pad_id=pad_id, precision=engine.precision, threads=threads)
    from retrieval.engines.onnx_encoder import OnnxEncoder

    return OnnxEncoder(file, pad_id=pad_id, threads=threads)


def _calm_numpy() -> None:
    """Let numpy's BLAS use one thread.

    Its threads spin for a while when they have done their part, on the cores that the engine computes on: an engine
    whose output was multiplied by numpy took 1.5 times as long for the next batch. FAISS's BLAS is left as it is; it
    uses OpenMP, and is not called between two texts.
    """
    from threadpoolctl import ThreadpoolController

    ThreadpoolController().select(internal_api="openblas", threading_layer="pthreads").limit(limits=1)
