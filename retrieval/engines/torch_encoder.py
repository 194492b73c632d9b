"""torch: any model that sentence-transformers reads, on the processor or a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrieval.engines.encoders import Ids, padded, unpadded
from retrieval.errors import TekioError
from retrieval.model_building import building_in_turn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class TorchEncoder:
    """The encoder of a sentence-transformers folder, in float32 or with dynamically quantised linear layers."""

    def __init__(self, folder: Path, *, max_tokens: int, precision: str = "float32") -> None:
        """Load the model.

        Raises:
            TekioError: the folder holds no model that can be loaded.
        """
        self.model = _load(folder, max_tokens)
        first: Any = self.model[0]
        if precision == "int8":
            self.model.to("cpu")
            first.auto_model = _quantized(first.auto_model)
        self._encoder: Any = first.auto_model
        self._pad_id = int(self._encoder.config.pad_token_id or 0)

    def states(self, sequences: Ids) -> list[NDArray[np.float32]]:
        """Return the last hidden states of each sequence, float32 of shape (len(sequence), hidden)."""
        import torch

        ids, mask = padded(sequences, self._pad_id)
        with torch.inference_mode():
            output = self._encoder(
                input_ids=torch.from_numpy(ids).to(self.model.device),
                attention_mask=torch.from_numpy(mask).to(self.model.device),
            )
        return unpadded(output.last_hidden_state.float().cpu().numpy(), sequences)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts by all the modules of the folder, shape (len(texts), dimension), of length one."""
        vectors: NDArray[np.float32] = self.model.encode(
            list(texts),
            prompt="",  # the prefix is there already; a folder may name a prompt of its own
            batch_size=max(1, len(texts)),
            show_progress_bar=False,
            normalize_embeddings=True,
        )
        return vectors


def _load(folder: Path, max_tokens: int) -> SentenceTransformer:
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with building_in_turn():
            model = SentenceTransformer(
                str(folder),
                device="cuda" if torch.cuda.is_available() else "cpu",
                local_files_only=True,
                model_kwargs={"dtype": torch.float32},
            ).eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        first = str(error).strip().split("\n")[0]
        raise TekioError(f"the embedder in {folder} cannot be loaded: {first}") from error
    model.max_seq_length = max_tokens
    return model


def _quantized(encoder: Any) -> Any:
    """Return an encoder whose linear layers are 8-bit, with scales of activations found as they come."""
    import warnings

    import torch

    quantize: Any = torch.ao.quantization.quantize_dynamic
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it moves to torchao, which has no such kernels for processors
        return quantize(encoder, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
