"""The vector instructions of this machine's processor, which decide how fast each engine is."""

from __future__ import annotations

import os
import platform
import shutil
from functools import cache
from pathlib import Path

KNOWN = (
    "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimd", "asimddp", "sve",
)  # fmt: skip
_INT8 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})
_BF16 = frozenset({"avx512_bf16", "amx_bf16"})


@cache  # of what does not change while the process lives
def vector_instructions() -> tuple[str, ...]:
    """Return the vector instructions that matter here, in the order of `KNOWN`; empty where they are not told."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:  # not Linux
        return ("asimd",) if platform.machine().lower() in ("arm64", "aarch64") else ()
    lines = (line for line in text.splitlines() if line.lower().startswith(("flags", "features")))
    flags = set(next(lines, "").split())
    return tuple(name for name in KNOWN if name in flags)


def has_int8(instructions: tuple[str, ...]) -> bool:
    """Tell whether products of 8-bit integers are added up in one instruction (VNNI, AMX)."""
    return bool(_INT8.intersection(instructions))


def has_bf16(instructions: tuple[str, ...]) -> bool:
    """Tell whether products of bfloat16 numbers are."""
    return bool(_BF16.intersection(instructions))


def has_gpu() -> bool:
    """Tell whether torch has a GPU; torch, which takes seconds to import, is asked only where there may be one."""
    if not (Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") or Path("/dev/kfd").exists()):
        return False
    import torch

    return torch.cuda.is_available()


def learns_in_bf16() -> bool:
    """Tell whether a training computes faster in bfloat16 than in float32 here: on the GPU, or on the processor.

    Asked of the instructions rather than by the clock, so that a training that goes on by a checkpoint gets the same
    answer.
    """
    if has_gpu():
        import torch

        return bool(torch.cuda.is_bf16_supported())
    return has_bf16(vector_instructions())


def cpu_name() -> str:
    """Return the name that the processor gives itself."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())


def processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1
