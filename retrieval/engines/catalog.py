"""Which engines there are, which vectors can be compared, and which engine is taken when none is named.

Engines of one family give vectors that can stand in one index. All that compute in float32, and bfloat16 with sums
in float32, are one family: their vectors differ by a cosine of at least 0.9999 (measured, see the README). Those of
8-bit integers are each a family of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from retrieval.engines.cpu import has_bf16, has_gpu, has_int8
from retrieval.errors import UsageError

FLOAT = "sentence-transformers"
"""The family of float vectors, by the name that the first indexes hold."""
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine: the family of its vectors, what it is computed by and in, the packages that it needs.

    `export_needs` are packages that are needed once, to make its model.
    """

    name: str
    family: str
    runtime: str
    precision: str
    packages: tuple[str, ...] = ()
    export_needs: tuple[str, ...] = ()


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("torch", FLOAT, "torch", "float32"),
        Engine("torch-int8", "torch-int8", "torch", "int8"),
        Engine("onnx", FLOAT, "onnx", "float32", ("onnxruntime",), ("onnx", "onnxscript")),
        Engine("onnx-int8", "onnx-int8", "onnx", "int8", ("onnxruntime",), ("onnx", "onnxscript")),
        Engine("openvino", FLOAT, "openvino", "float32", ("openvino",)),
        Engine("openvino-bf16", FLOAT, "openvino", "bfloat16", ("openvino",)),
        Engine("openvino-int8", "openvino-int8", "openvino", "int8", ("openvino",), ("nncf",)),
    )
}


def find_engine(
    name: str, *, instructions: tuple[str, ...], family: str | None = None, plain: bool = True
) -> Engine:
    """Return the engine of a name, or for `auto` the best one here.

    Args:
        name: one of `ENGINES`, or `auto`.
        instructions: the processor's, see `vector_instructions`.
        family: of the vectors that an index holds already; `auto` keeps to it.
        plain: the model is an encoder with its pooling and nothing else; torch alone computes others.

    Raises:
        UsageError: there is no such engine, or its packages are not installed; for `auto`, those of every engine
            that the index needs.
    """
    if name == AUTO and (not plain or (family in (None, FLOAT) and has_gpu())):
        return ENGINES["torch"]
    if name == AUTO:
        engines = _best_first(instructions, family)
        usable = (engine for engine in engines if _is_usable(engine, to_make=family is None))
        if found := next(usable, None):
            return found
        raise UsageError(
            f"the index was made by the embedder engine '{engines[0].name}', which needs "
            f"{_needs(engines[0].packages)}, or ingest into another --index folder"
        )
    if name not in ENGINES:
        raise UsageError(f"there is no embedder engine '{name}'; there are {AUTO}, {', '.join(ENGINES)}")
    engine = ENGINES[name]
    if _missing(engine.packages):
        raise UsageError(f"the embedder engine '{name}' needs {_needs(engine.packages)}")
    return engine


def _best_first(instructions: tuple[str, ...], family: str | None) -> list[Engine]:
    """Order the engines by speed among those that lose less than 0.5 % in quality; see the README's table."""
    names = ["torch"]
    if "avx2" in instructions:
        names = ["openvino", "torch"]
        if has_bf16(instructions):
            names.insert(0, "openvino-bf16")
        if has_int8(instructions):
            names.insert(0, "openvino-int8")
    if family is not None:
        # An index of integer vectors may have come from a machine that is faster with them than this one.
        names = [name for name in names if ENGINES[name].family == family]
        names += [name for name, engine in ENGINES.items() if engine.family == family and name not in names]
    return [ENGINES[name] for name in names] or [ENGINES["torch"]]


def _is_usable(engine: Engine, *, to_make: bool) -> bool:
    """Tell whether an engine can run here; `to_make` says that its model may have to be made first."""
    # An index of integer vectors was made by an engine whose model is likely to be here still.
    needed = (*engine.packages, *(engine.export_needs if to_make or engine.family == FLOAT else ()))
    return engine.runtime == "torch" or not _missing(needed)


def _missing(packages: Sequence[str]) -> list[str]:
    return [package for package in packages if find_spec(package) is None]


def _needs(packages: Sequence[str]) -> str:
    missing = _missing(packages)
    return f"{' and '.join(missing)}: pip install {' '.join(missing)}"
