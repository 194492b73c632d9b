"""A mixture of LoRA experts over a frozen base: attached, counted and written as an adapter.

Importing this imports torch and transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers import set_seed

from adaptation.finetuning.building import write_adapter
from adaptation.finetuning.methods import layers_of
from adaptation.lab.experts.recipe import ExpertRecipe
from kernel.chat.adapters import CONFIG_FILE
from kernel.chat.lora_experts import KIND, ROUTING_KEY, ExpertRouting, RoutedLinear, with_lora_experts
from retrieval.errors import UsageError

_ATTENTION = ("attn", "attention")


def with_experts(base: Any, recipe: ExpertRecipe) -> Any:
    """Return a base with LoRA experts beside the linear layers of its feed-forward parts; drawn by the seed.

    Raises:
        UsageError: the base has no layers that can be adapted.
    """
    routing = ExpertRouting(recipe.experts, recipe.chosen, recipe.gate_start)
    return _adapted(base, recipe, rank=recipe.rank * recipe.experts, routing=routing)


def with_one_expert(base: Any, recipe: ExpertRecipe) -> Any:
    """Return a base with plain LoRA of as many ranks as compute a token of the mixture, to hold it against.

    Raises:
        UsageError: the base has no layers that can be adapted.
    """
    return _adapted(base, recipe, rank=recipe.rank * recipe.chosen, routing=None)


def added_parameters(model: Any) -> tuple[int, int]:
    """Return how many parameters are added to a base, and how many of them compute a token."""
    total = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    idle = 0
    for part in model.modules():
        if isinstance(part, RoutedLinear):
            for name in part.active_adapters:
                routing = part.routing(name)
                both = (*part.lora_A[name].parameters(), *part.lora_B[name].parameters())
                own = sum(weight.numel() for weight in both)
                idle += own * (routing.experts - routing.chosen) // routing.experts
    return total, total - idle


def write_experts(model: Any, base: str, out: Path) -> None:
    """Write LoRA experts to a folder, as an adapter of a kind of its own, so that nobody reads it as LoRA.

    Args:
        model: from `with_experts`.
        base: name of the base.
        out: the folder.
    """
    routing = next(part for part in model.modules() if isinstance(part, RoutedLinear)).routing("default")
    write_adapter(model, base, out, method="lora")
    path = out / CONFIG_FILE
    held = json.loads(path.read_text(encoding="utf-8"))
    held |= {
        "peft_type": KIND,
        ROUTING_KEY: {"experts": routing.experts, "chosen": routing.chosen},
    }
    path.write_text(json.dumps(held, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _adapted(base: Any, recipe: ExpertRecipe, *, rank: int, routing: ExpertRouting | None) -> Any:
    from peft import LoraConfig, get_peft_model

    set_seed(recipe.seed)  # before the matrices are drawn
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=2 * rank,
        target_modules=_feed_forward(base),
    )
    return get_peft_model(base, with_lora_experts(config, routing) if routing else config)


def _feed_forward(base: Any) -> list[str]:
    """Return the names of the linear layers that are no part of the attention, such as up_proj."""
    from torch import nn

    found = {
        name.rsplit(".", 1)[-1]
        for name, part in layers_of(base)[-1].named_modules()
        if isinstance(part, nn.Linear) and not any(word in name for word in _ATTENTION)
    }
    if not found:
        raise UsageError("the base has no feed-forward layers that LoRA experts can stand beside")
    return sorted(found)
