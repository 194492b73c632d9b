"""Training sets and adapters for tests: made by the real parts, at a size of no cost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from adaptation.finetuning.command import Base, train_adapter
from adaptation.finetuning.recipe import Recipe
from adaptation.training_sets.making import make_set
from adaptation.training_sets.plan import Plan, Public, Sources
from adaptation.training_sets.public import read_public

BASE = "SmolLM2-135M-Instruct"


def write_set(folder: Path, pairs: Sequence[tuple[str, str]], *, share: float = 0.0) -> Path:
    """Make a training set of what is asked and answered."""
    rows = folder.parent / f"{folder.name}.jsonl"
    rows.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"instruction": asked, "output": answer}) for asked, answer in pairs]
    rows.write_text("\n".join(lines), encoding="utf-8")
    sources = Sources(public=[Public(rows.name, read_public(rows))])
    asyncio.run(make_set(sources, Plan(share=share), folder))
    rows.unlink()
    return folder


def train_on(base_folder: Path, out: Path, pairs: Sequence[tuple[str, str]], **chosen: Any) -> Path:
    """Train an adapter on pairs of a question and an answer; return its folder."""
    torch.set_num_threads(1)
    data = out.parent / f"{out.name}-data"
    if not data.exists():
        write_set(data, pairs)
    recipe = Recipe(**({"steps": 1, "rank": 2, "layers": 1.0} | chosen))
    train_adapter(Base(BASE, base_folder, "r1", ["en"]), data, out, recipe)
    return out
