"""Several processes that train one model together, as `accelerate launch` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def is_first() -> bool:
    """Tell whether this process is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def in_turn() -> Iterator[None]:
    """Have the first process go before the others."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState(cpu=not _on_cuda()).main_process_first():
        yield


def _on_cuda() -> bool:
    import torch

    return torch.cuda.is_available()
