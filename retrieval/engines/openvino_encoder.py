"""OpenVINO: float32, bfloat16 where the processor multiplies it, or a quantised model. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.engines.encoders import Ids, padded, unpadded
from retrieval.engines.openvino_tables import look_up_first
from retrieval.errors import TekioError, openvino_line

_STEP = 16
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class OpenVinoEncoder:
    """A model that was exported to OpenVINO."""

    def __init__(self, file: Path, *, pad_id: int, precision: str, threads: int = 0) -> None:
        """Compile the model for this processor; `threads` of 0 leaves their number to OpenVINO.

        Raises:
            TekioError: the file cannot be read or compiled.
        """
        import openvino

        settings: dict[str, str] = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "NUM_STREAMS": "1"}
        if threads:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            core = openvino.Core()
            model = core.read_model(str(file))
            look_up_first(model)
            compiled = core.compile_model(model, "CPU", settings)
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as error:
            raise TekioError(f"OpenVINO cannot use {file}: {openvino_line(error)}") from error
        self._pad_id = pad_id

    def states(self, sequences: Ids) -> list[NDArray[np.float32]]:
        """Return the last hidden states of each sequence, float32 of shape (len(sequence), hidden)."""
        ids, mask = padded(sequences, self._pad_id, _STEP)
        output = self._request.infer({"input_ids": ids, "attention_mask": mask})
        # The request's own memory, which the next call overwrites.
        return [rows.copy() for rows in unpadded(output[0], sequences)]
