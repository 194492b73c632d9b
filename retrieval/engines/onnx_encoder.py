"""ONNX Runtime: float32 or dynamically quantised. Does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.engines.encoders import Ids, padded, unpadded
from retrieval.errors import TekioError


class OnnxEncoder:
    """A model that was exported to ONNX."""

    def __init__(self, file: Path, *, pad_id: int, threads: int = 0) -> None:
        """Load the model; `threads` of 0 leaves their number to ONNX Runtime.

        Raises:
            TekioError: the file cannot be loaded.
        """
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(
                str(file), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its errors share no base but Exception
            first = str(error).strip().split("\n")[0]
            raise TekioError(f"ONNX Runtime cannot use {file}: {first}") from error
        self._pad_id = pad_id

    def states(self, sequences: Ids) -> list[NDArray[np.float32]]:
        """Return the last hidden states of each sequence, float32 of shape (len(sequence), hidden)."""
        ids, mask = padded(sequences, self._pad_id)
        (output,) = self._session.run(None, {"input_ids": ids, "attention_mask": mask})
        return unpadded(output, sequences)
