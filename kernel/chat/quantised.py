"""Weights that a folder holds in 8 or 4 bits, and how a model is loaded from it.

In place of `NAME.weight` it holds `NAME.codes` with `NAME.scales` and, in 4 bits, `NAME.lows`. In 8 bits a row has one
scale and its codes are whole numbers from -127 to 127; in 4 bits each 32 values of a row run from their least value in
15 steps, as in GGUF's Q4_1, so that the engines, which round in the same way, get the very codes of the folder.
Where the inputs of layers are rounded by what was seen of them before, `NAME.input_scale` is the step. Where 4 bits
alone lose too much, `NAME.correction_down`, (rank, columns), and `NAME.correction_up`, (rank, rows), hold narrow
matrices in 8 bits, with `..._scales` beside each, and what the one gives by the other is added to what the codes stand
for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from retrieval.model_building import building_in_turn

if TYPE_CHECKING:
    from kernel.chat.paged.weights import Weights

METHOD = "tekio"
"""What `quant_method` of such a folder's `config.json` says."""
GROUP = 32
"""Values that share a scale in 4 bits."""
CODES, SCALES, LOWS, INPUT_SCALE = ".codes", ".scales", ".lows", ".input_scale"
CORRECTION_DOWN, CORRECTION_UP = ".correction_down", ".correction_up"
CORRECTION_PARTS = tuple(
    f"{part}{more}" for part in (CORRECTION_DOWN, CORRECTION_UP) for more in ("", "_scales")
)
WEIGHT = ".weight"

QuantisedPrecision = Literal["int8", "int8-weights", "int4-weights"]
_PRECISIONS: tuple[QuantisedPrecision, ...] = ("int8", "int8-weights", "int4-weights")


@dataclass(frozen=True, slots=True)
class Form:
    """How a folder holds its weights.

    Attributes:
        precision: as the engines name it; `int8` rounds the inputs of layers too, as they come.
        static: the inputs of layers are rounded by steps that the folder holds.
        rank: of what corrects weights in 4 bits; 0 where nothing does.
    """

    precision: QuantisedPrecision
    static: bool = False
    rank: int = 0

    def as_config(self) -> dict[str, Any]:
        """Return it as `config.json` holds it, under `quantization_config`."""
        return {
            "quant_method": METHOD,
            "precision": self.precision,
            "static": self.static,
            "group_size": GROUP if self.precision == "int4-weights" else None,
            **({"correction_rank": self.rank} if self.rank else {}),
        }


def form_of(folder: Path) -> Form | None:
    """Return how a folder holds its weights; None where they are plain floats, or in another program's form."""
    try:
        held = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return form_in(held)


def form_in(config: dict[str, Any]) -> Form | None:
    """Return the form that a configuration tells, see `form_of`."""
    told = config.get("quantization_config")
    if not isinstance(told, dict) or told.get("quant_method") != METHOD:
        return None
    precision = next((each for each in _PRECISIONS if each == told.get("precision")), None)
    rank = told.get("correction_rank")
    return (
        None
        if precision is None
        else Form(precision, bool(told.get("static")), rank if isinstance(rank, int) else 0)
    )


def in_eight_bits(values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return the parts of rows in 8 bits by their suffixes; the greatest of each row is 127 or -127.

    Args:
        values: shape (rows, columns).
    """
    most = np.abs(values).max(axis=1, keepdims=True)
    most[most == 0] = 127
    scales = (most / 127).astype(np.float32)
    return {CODES: np.rint(values / scales).clip(-127, 127).astype(np.int8), SCALES: scales}


def in_four_bits(values: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return the parts of rows in 4 bits by their suffixes, two codes in a byte, the first in its lower half.

    Args:
        values: shape (rows, columns), the columns a multiple of `GROUP`.
    """
    grouped = values.reshape(values.shape[0], -1, GROUP)
    lows = grouped.min(axis=2).astype(np.float16)
    spread = grouped.max(axis=2) - lows.astype(np.float32)
    scales = (spread / 15).astype(np.float16)
    scales[scales <= 0] = 1  # all values of the group are the least one
    steps = (grouped - lows.astype(np.float32)[..., None]) / scales.astype(np.float32)[..., None]
    codes = np.rint(steps).clip(0, 15).astype(np.uint8).reshape(values.shape)
    return {CODES: codes[:, 0::2] | (codes[:, 1::2] << 4), SCALES: scales, LOWS: lows}


def four_bit_codes(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the codes of rows, one in a byte, shape (rows, columns)."""
    codes = np.empty((packed.shape[0], 2 * packed.shape[1]), np.uint8)
    codes[:, 0::2], codes[:, 1::2] = packed & 15, packed >> 4
    return codes


def decoded(
    codes: NDArray[Any], scales: NDArray[Any], lows: NDArray[np.float16] | None = None
) -> NDArray[np.float32]:
    """Return the values that parts stand for, shape (rows, columns)."""
    if lows is None:
        whole: NDArray[np.float32] = codes.astype(np.float32) * scales.astype(np.float32)
        return whole
    steps = four_bit_codes(codes).reshape(codes.shape[0], -1, GROUP).astype(np.float32)
    values = lows.astype(np.float32)[..., None] + steps * scales.astype(np.float32)[..., None]
    return values.reshape(codes.shape[0], -1)


def load_causal(folder: Path, **chosen: Any) -> Any:
    """Load a language model by transformers; weights in 8 or 4 bits are computed as the floats that they stand for.

    Args:
        folder: of the model.
        chosen: what `from_pretrained` takes; for such weights `dtype` and `attn_implementation` alone are heeded.

    Raises:
        OSError, ValueError: of transformers, the folder holds no such model.
        TekioError: its weights are damaged.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

    form = form_of(folder)
    if form is None:
        with building_in_turn():
            return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **chosen)
    import torch

    from kernel.chat.paged.weights import Weights

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    del config.quantization_config
    held, told = Weights(folder), chosen.get("dtype")
    dtype = told if isinstance(told, torch.dtype) else torch.float32
    state = {name: torch.from_numpy(held.get(name)).to(dtype) for name in held.names()}
    more = {name: chosen[name] for name in ("attn_implementation",) if name in chosen}
    with building_in_turn():
        model: Any = AutoModelForCausalLM.from_config(config, dtype=dtype, **more)  # type: ignore[no-untyped-call]
    missing, _ = model.load_state_dict(state, strict=False)
    tied = set(
        getattr(model, "all_tied_weights_keys", None) or getattr(model, "_tied_weights_keys", None) or ()
    )
    if lost := [name for name in missing if name not in tied]:
        from retrieval.errors import TekioError

        raise TekioError(f"the model in {folder} has no weights named {lost[0]}: make it again")
    with building_in_turn():
        model.tie_weights()
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    if form.static:
        _round_inputs(model, held)
    return model


def _round_inputs(model: Any, held: Weights) -> None:
    """Have the inputs of layers rounded by the steps that the folder holds."""
    import torch

    def rounding(step: float) -> Any:
        def before(module: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
            kind = given[0].dtype
            rounded = torch.fake_quantize_per_tensor_affine(given[0].float(), step, 0, -128, 127)
            return (rounded.to(kind), *given[1:])

        return before

    for name, module in model.named_modules():
        if (step := held.input_scale(name)) is not None:
            module.register_forward_pre_hook(rounding(step))
