"""A model as an ONNX file, its weights in the bits of its folder. Importing this imports torch."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from adaptation.lab.exporting.ran import Logits
from kernel.chat.paged.weights import Weights
from kernel.chat.quantised import GROUP, Form, form_of, load_causal
from retrieval.errors import UsageError, first_line

FILE = "model.onnx"
Floats = NDArray[np.float32]
_LONGEST = 2048
_ONE_FILE = 1_500_000_000
"""Bytes up to which an ONNX file holds its weights itself; its form allows no more than 2 GB."""


class WholeText(nn.Module):
    """A language model that reads a text at a time: ids of shape (1, tokens) to logits of (1, tokens, vocabulary).

    The mask is made of comparisons, which every runtime knows.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Return the logits of all places."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        later = places[None, :] > places[:, None]
        mask = torch.where(later, torch.finfo(torch.float32).min, 0.0)[None, None]
        read = self.model(
            input_ids=input_ids, attention_mask=mask, position_ids=places[None], use_cache=False
        )
        return read.logits  # type: ignore[no-any-return]


def write_onnx(folder: Path, out: Path) -> Path:
    """Write a model as ONNX; return the file.

    Weights in 8 bits become whole numbers whose inputs are rounded as they come; those in 4 bits stay in 4, by groups
    as the folder has them, with whole zero points, which costs a little; words and head have 8 bits in both, and so
    has what corrects layers in 4 bits.

    Args:
        folder: of the model.
        out: a folder that is there.

    Raises:
        UsageError: the packages are missing, or the model has a part that cannot be exported.
    """
    if any(find_spec(package) is None for package in ("onnx", "onnxruntime", "onnxscript")):
        raise UsageError("ONNX needs packages that are not here: pip install 'tekio[onnx]'")
    form = form_of(folder)
    model = load_causal(folder, dtype=torch.float32, attn_implementation="eager").eval()
    size = 4 * sum(each.numel() for each in model.parameters())
    if form is not None and form.rank:
        _part(model, Weights(folder))
    plain = out / (FILE if form is None else "plain.onnx")
    try:
        torch.onnx.export(
            WholeText(model).eval(),
            (torch.tensor([[0, 1, 2]]),),
            str(plain),
            dynamo=True,
            verbose=False,
            external_data=size > _ONE_FILE,
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {1: torch.export.Dim("tokens", min=2, max=_LONGEST)}},
            opset_version=20,
        )
    except torch.onnx.OnnxExporterError as error:
        raise UsageError(f"{folder.name} cannot be written as ONNX: {first_line(error)}") from error
    _forget_origins(plain)
    if form is None:
        return plain
    with _root_logger_kept():
        _quantise(plain, out / FILE, form, external=size > _ONE_FILE)
    for left in out.glob("plain.onnx*"):
        left.unlink()
    return out / FILE


class _Corrected(nn.Module):
    """A linear layer whose weights stand apart from what corrects them, so that they are rounded apart."""

    def __init__(self, layer: nn.Linear, codes: Floats, down: Floats, up: Floats) -> None:
        super().__init__()
        self.layer = layer
        self.layer.weight.data = torch.from_numpy(codes)
        self.down = nn.Parameter(torch.from_numpy(down))
        self.up = nn.Parameter(torch.from_numpy(up))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inner = functional.linear(inputs, self.down)
        outputs: torch.Tensor = self.layer(inputs)
        return outputs + functional.linear(inner, self.up)


def _part(model: nn.Module, held: Weights) -> None:
    """Put in place of the layers that are corrected such as compute both parts apart."""
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Linear) and (parts := held.correction(name)) is not None:
            parent, _, own = name.rpartition(".")
            codes = held.get(f"{name}.weight", corrected=False)
            setattr(model.get_submodule(parent), own, _Corrected(layer, codes, *parts))


def _forget_origins(file: Path) -> None:
    """Take out of a file which lines of which files of this machine each part of its graph came from."""
    import onnx

    graph = onnx.load(str(file), load_external_data=False)
    for part in (graph.graph, *graph.graph.node, *graph.graph.value_info, *graph.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(graph, str(file))


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """Leave the root logger as it is: onnxruntime's quantiser sets it up on import, and tells it of each node."""
    root, nothing = logging.getLogger(), logging.NullHandler()
    level = root.level
    root.addHandler(nothing)  # with one there, it sets up nothing
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.removeHandler(nothing)
        root.setLevel(level)


def _quantise(plain: Path, target: Path, form: Form, *, external: bool) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(str(plain))
    _fold_transposes(graph)
    if form.precision == "int4-weights":
        from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

        products = [node for node in graph.graph.node if node.op_type == "MatMul"]
        narrow = {
            each.name
            for each in graph.graph.initializer
            if form.rank and len(each.dims) == 2 and min(each.dims) <= form.rank
        }
        eight = [node.name for node in products if node.input[1] in narrow]  # what corrects others
        eight += [node.name for node in products[-1:]]  # the head
        quantiser = MatMulNBitsQuantizer(graph, block_size=GROUP, is_symmetric=False, nodes_to_exclude=eight)
        quantiser.process()
        graph = quantiser.model.model
    quantize_dynamic(
        graph,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        use_external_data_format=external,
        extra_options={"EnableSubgraph": False},
    )


def _fold_transposes(model: Any) -> None:
    """Turn weights that a graph turns at each run, in place: only what is a constant is held in fewer bits."""
    from onnx import numpy_helper

    graph = model.graph
    held = {each.name: each for each in graph.initializer}
    kept = []
    for node in graph.node:
        weight = held.get(node.input[0]) if node.op_type == "Transpose" else None
        if weight is None:
            kept.append(node)
            continue
        order = next((list(each.ints) for each in node.attribute if each.name == "perm"), None)
        turned = np.ascontiguousarray(numpy_helper.to_array(weight).transpose(order))
        graph.initializer.append(numpy_helper.from_array(turned, node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in graph.node for name in node.input}
    left = [each for each in graph.initializer if each.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left)


def onnx_logits(file: Path) -> Logits:
    """Return what gives the logits of an ONNX file, by onnxruntime on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def logits(ids: Sequence[int]) -> NDArray[np.float32]:
        (found,) = session.run(["logits"], {"input_ids": np.array([list(ids)], np.int64)})
        whole: NDArray[np.float32] = found[0]
        return whole

    return logits
