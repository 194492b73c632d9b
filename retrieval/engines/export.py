"""A sentence-transformers folder to the model of an engine: made once, in a process of its own.

The process gives back the memory that an export takes, and lets no library report the use of its tools over the
network, which OpenVINO's converter and NNCF do unless told otherwise.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from retrieval.engines.calibration import calibration_text
from retrieval.engines.catalog import Engine
from retrieval.errors import TekioError
from retrieval.model_building import building_in_turn

VERSION = 1
"""Counts the changes of what is made here."""
_PIECE_TOKENS = 200
_SMOOTHING = 0.6
"""How much of the range of activations is moved into the weights (SmoothQuant: Xiao et al., 2023, alpha)."""
_LOCK_SECONDS = 1800.0
_START = (
    "import sys; sys.modules['openvino_telemetry'] = None; from retrieval.engines.export import main; main()"
)
_SIZES = "sizes.json"
SMALL_TABLE = "openvino-small-table"
_FILES = {"onnx": "model.onnx", "openvino": "model.xml"}


def exported(
    folder: Path,
    exports: Path,
    engine: Engine,
    prefix: str,
    say: Callable[[str], None] = lambda text: None,
    *,
    small_table: bool = False,
) -> Path:
    """Return the file of an engine's model, making it first if it is not there or not whole.

    Args:
        folder: the sentence-transformers folder.
        exports: where models that were made of it are kept.
        engine: which model; its runtime is not torch.
        prefix: is put before the texts by which a quantised model is calibrated.
        say: is told when it takes a while.
        small_table: keep the table of words' embeddings at eight bits a value, for OpenVINO's floats.

    Raises:
        TekioError: it cannot be made or stored.
    """
    from filelock import FileLock, Timeout

    kind = engine.runtime if engine.precision == "bfloat16" else f"{engine.runtime}-{engine.precision}"
    kind = kind.removesuffix("-float32")
    if small_table and kind == "openvino" and find_spec("nncf") is not None:
        kind = SMALL_TABLE
    target = exports / f"{kind}-{VERSION}-{_made_by(engine)}"
    file = target / _FILES[engine.runtime]
    if _is_whole(target):
        return file
    try:
        exports.mkdir(parents=True, exist_ok=True)
        with FileLock(exports / ".lock", timeout=_LOCK_SECONDS):
            if not _is_whole(target):
                say(f"making the {engine.name} form of {folder.name}, once")
                _make(kind, folder, target, prefix)
    except Timeout as error:
        raise TekioError(
            f"another process has been writing to {exports} for too long; end it and try again"
        ) from error
    except OSError as error:
        raise TekioError(
            f"the {engine.name} form of {folder.name} could not be stored in {exports}: {error.strerror or error}; "
            "free some space, set `cache` to a folder that can be written, or set embedder_engine to torch"
        ) from error
    return file


def write_sizes(target: Path) -> None:
    """Note the size of each file, in bytes, so that a model that lost a part of it is known for that."""
    sizes = {path.name: path.stat().st_size for path in sorted(target.iterdir())}
    (target / _SIZES).write_text(json.dumps(sizes), "utf-8")


def _is_whole(target: Path) -> bool:
    try:
        sizes = json.loads((target / _SIZES).read_text("utf-8"))
        return all((target / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _made_by(engine: Engine) -> str:
    package = "onnxruntime" if engine.runtime == "onnx" else "openvino"
    return importlib.metadata.version(package).split("-")[0]


def _make(kind: str, folder: Path, target: Path, prefix: str) -> None:
    """Make a model beside its place and rename it there, so that it is whole or absent."""
    for left in target.parent.glob(".*.tmp"):  # a process was killed; it no longer holds the lock
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent))
    try:
        done = subprocess.run(  # noqa: S603 - this program itself
            [sys.executable, "-c", _START, kind, str(folder), str(work), prefix],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise TekioError(
                f"the {kind} form of {folder.name} could not be made: {lines[-1][:300]}; "
                "set embedder_engine to torch to do without it"
            )
        write_sizes(work)
        shutil.rmtree(target, ignore_errors=True)  # a broken one
        work.rename(target)
        target.chmod(0o755)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def main() -> None:
    """Make one model: kind, folder, target folder, prefix."""
    kind, folder, target, prefix = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    _MAKERS[kind](folder, target, prefix)


def _onnx(folder: Path, target: Path, prefix: str) -> None:
    import torch

    module, ids, mask = _module(folder, "eager")
    rows, length = (
        torch.export.Dim("rows", min=1, max=4096),
        torch.export.Dim("length", min=2, max=_longest(module)),
    )
    shape = {0: rows, 1: length}
    torch.onnx.export(
        module,
        (ids, mask),
        str(target / "model.onnx"),
        dynamo=True,
        verbose=False,
        external_data=False,
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_shapes={"input_ids": shape, "attention_mask": shape},
        opset_version=20,
    )


def _onnx_int8(folder: Path, target: Path, prefix: str) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    whole = target / "whole"
    whole.mkdir()
    _onnx(folder, whole, prefix)
    quantize_dynamic(
        whole / "model.onnx",
        target / "model.onnx",
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        extra_options={"EnableSubgraph": False},
    )
    shutil.rmtree(whole)


def _openvino(folder: Path, target: Path, prefix: str) -> None:
    import openvino

    openvino.save_model(_converted(folder), str(target / "model.xml"), compress_to_fp16=False)


def _openvino_int8(folder: Path, target: Path, prefix: str) -> None:
    """Quantise weights and activations, calibrated on texts that this project wrote itself."""
    import nncf
    import numpy as np
    import openvino
    from tokenizers import Tokenizer

    nncf.set_log_level(40)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    text = calibration_text()
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    starts = range(0, len(offsets), _PIECE_TOKENS)
    pieces = [offsets[start : start + _PIECE_TOKENS] for start in starts]
    # Beside whole passages, beginnings of them: questions are short.
    spans = [(piece[0][0], piece[-1][1]) for piece in pieces] + [
        (piece[0][0], piece[len(piece) // 8][1]) for piece in pieces
    ]

    def inputs(span: tuple[int, int]) -> dict[str, Any]:
        ids = np.array([tokenizer.encode(prefix + text[slice(*span)]).ids], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    quantized = nncf.quantize(
        _converted(folder),
        nncf.Dataset(spans, inputs),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(spans),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            smooth_quant_alphas=nncf.AdvancedSmoothQuantParameters(matmul=_SMOOTHING)
        ),
    )
    openvino.save_model(quantized, str(target / "model.xml"), compress_to_fp16=False)


def _openvino_small_table(folder: Path, target: Path, prefix: str) -> None:
    """Keep the table of embeddings at eight bits a value, and everything that is multiplied as it is."""
    import nncf
    import openvino

    nncf.set_log_level(40)
    model = _converted(folder)
    products = [node.get_friendly_name() for node in model.get_ops() if node.get_type_name() == "MatMul"]
    small = nncf.compress_weights(
        model, mode=nncf.CompressWeightsMode.INT8_SYM, ignored_scope=nncf.IgnoredScope(names=products)
    )
    openvino.save_model(small, str(target / "model.xml"), compress_to_fp16=False)


_MAKERS = {
    SMALL_TABLE: _openvino_small_table,
    "onnx": _onnx,
    "onnx-int8": _onnx_int8,
    "openvino": _openvino,
    "openvino-int8": _openvino_int8,
}


def _converted(folder: Path) -> Any:
    import openvino

    module, ids, mask = _module(folder, "sdpa")
    return openvino.convert_model(module, example_input={"input_ids": ids, "attention_mask": mask})


def _module(folder: Path, attention: str) -> tuple[Any, Any, Any]:
    """Return the encoder as a function of ids and mask, with an example of both."""
    import torch
    from transformers import AutoModel

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with building_in_turn():
                self.inner = AutoModel.from_pretrained(
                    str(folder), dtype=torch.float32, attn_implementation=attention, local_files_only=True
                )

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.inner(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
            return states

    ids = torch.full((2, 17), 5)
    mask = torch.ones_like(ids)
    mask[1, 10:] = 0
    return Encoder().eval(), ids, mask


def _longest(module: Any) -> int:
    return int(getattr(module.inner.config, "max_position_embeddings", 512))
